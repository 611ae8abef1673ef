import { AsyncLocalStorage } from "node:async_hooks";
import type { AuditActor } from "./audit-port.ts";

/** What nobody asked for: the gateway did it by itself. */
export const SYSTEM: AuditActor = { type: "system", id: "gateway", ip: null };

/** Whoever may open the Unix socket of the admin API. */
export const OPERATOR: AuditActor = { type: "operator", id: "socket", ip: null };

type Acting = { readonly actor: AuditActor; readonly sessionId: string | null };

const actors = new AsyncLocalStorage<Acting>();

/**
 * The admin listeners call this around each request, so that no service can forget, or invent, who asks. `sessionId`: the
 * public id of the session that asks; null when it is none.
 */
export function actingAs<Value>(actor: AuditActor, work: () => Value, sessionId: string | null = null): Value {
  return actors.run({ actor, sessionId }, work);
}

/** Who asks for what is being done just now. */
export function currentActor(): AuditActor {
  return actors.getStore()?.actor ?? SYSTEM;
}

/** In which session; null outside of one. */
export function currentSessionId(): string | null {
  return actors.getStore()?.sessionId ?? null;
}
