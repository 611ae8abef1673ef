import type { LogLevel } from "../kernel/log-level.ts";
import { currentActor } from "./acting.ts";
import type { AuditedChanges } from "./audit-port.ts";

/** The log, as far as its level goes. */
export interface LevelSwitch {
  level(): LogLevel;
  setLevel(level: LogLevel): void;
}

export type LogLevelReport = {
  readonly level: LogLevel;
  /** What a restart goes back to. */
  readonly configured: LogLevel;
};

export type LogLevelService = {
  report(): LogLevelReport;
  /** From the next line on, until the gateway stops. */
  set(level: LogLevel): Promise<LogLevelReport>;
};

type Needs = { readonly log: LevelSwitch; readonly changes: AuditedChanges };

export function createLogLevelService({ log, changes }: Needs): LogLevelService {
  const configured = log.level();
  const report = () => ({ level: log.level(), configured });
  return {
    report,
    async set(level) {
      // First the entry: no line is left out, or let through, that nobody answers for.
      await changes.note({
        code: "CFG002I",
        actor: currentActor(),
        object: { type: "setting", id: "log.level", name: null },
        before: { level: log.level() },
        after: { level },
      });
      log.setLevel(level);
      return report();
    },
  };
}
