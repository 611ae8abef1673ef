import { AsyncLocalStorage } from "node:async_hooks";
import type { AuditActor } from "./audit-port.ts";

/** What nobody asked for: the gateway did it by itself. */
export const SYSTEM: AuditActor = { type: "system", id: "gateway", ip: null };

/** Whoever may open the Unix socket of the admin API. */
export const OPERATOR: AuditActor = { type: "operator", id: "socket", ip: null };

const actors = new AsyncLocalStorage<AuditActor>();

/** The admin listeners call this around each request, so that no service can forget, or invent, who asks. */
export function actingAs<Value>(actor: AuditActor, work: () => Value): Value {
  return actors.run(actor, work);
}

/** Who asks for what is being done just now. */
export function currentActor(): AuditActor {
  return actors.getStore() ?? SYSTEM;
}
