import { formatLine } from "./audit/line.ts";
import type { AuditKeeper } from "./audit-keeper.ts";
import type { AuditPruner } from "./audit-pruner.ts";
import { currentActor } from "./control/acting.ts";
import type { AuditedChanges, AuditReader } from "./control/audit-port.ts";
import type { AuditLogStore } from "./storage/audit/audit-log-store.ts";

const LINES_PER_PAGE = 500;

type Needs = {
  readonly store: AuditLogStore;
  readonly changes: AuditedChanges;
  readonly identity: Pick<AuditKeeper, "logId" | "publicKey" | "seal" | "sinks">;
  readonly pruner: AuditPruner;
};

export function createAuditReader({ store, changes, identity, pruner }: Needs): AuditReader {
  return {
    newest: (limit) => store.newest(limit),
    sinks: () => identity.sinks(),
    prune: (order) => pruner.prune(order),
    async page(after) {
      const isFirst = after.seq === 0;
      if (isFirst) {
        const object = { type: "audit_log", id: identity.logId, name: null };
        await changes.note({ code: "AUD001I", actor: currentActor(), object });
        // An export whose last entries nobody signed would prove nothing about them.
        await identity.seal();
      }
      const found = await store.linesAfter(after, LINES_PER_PAGE);
      const { logId, publicKey } = identity;
      const header = isFirst ? [formatLine({ type: "log", logId, publicKey })] : [];
      return { lines: [...header, ...found.map(({ line }) => formatLine(line))], end: found.at(-1)?.place ?? null };
    },
  };
}
