/** The gateway's audit log over the real database, keyring and files, with a clock that tests set. */
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createAuditVerifier } from "./audit/verifier.ts";
import { OPERATOR } from "./control/acting.ts";
import type { AuditDraft } from "./control/audit-port.ts";
import { epochMs } from "./kernel/time.ts";
import { openKeyring } from "./keyring/keyring.ts";
import { masterKeyFromBytes } from "./keyring/master-key.ts";
import { createLog } from "./observe/log.ts";
import { openRunningAudit, type RunningAudit, type RunningAuditNeeds } from "./running-audit.ts";
import { openStorage } from "./storage/storage.ts";

export const DAY_MS = 86_400_000;

export const DRAFT: AuditDraft = {
  code: "CFG001I",
  actor: OPERATOR,
  object: { type: "setting", id: "selection.strategy", name: null },
};

type Options = Partial<Pick<RunningAuditNeeds, "remotes" | "whenSinkBlocked" | "retentionDays" | "maxPendingBytes">>;
type Act = (audit: RunningAudit) => Promise<void>;

export type AuditWorld = {
  readonly parent: string;
  readonly dataDir: string;
  nowMs: number;
  logged: string;
  run(options: Options, act: Act): Promise<void>;
  remove(): void;
};

export function createAuditWorld(): AuditWorld {
  const parent = mkdtempSync(join(tmpdir(), "audit-"));
  const masterKey = randomBytes(32);
  const world: AuditWorld = {
    parent,
    dataDir: join(parent, "data"),
    nowMs: Date.UTC(2026, 10, 24),
    logged: "",
    async run(options, act) {
      const storage = await openStorage({ dataDir: world.dataDir });
      const clock = {
        now: () => epochMs(world.nowMs),
        // Waits between tries are short, so that a test sees many of them.
        sleep: () => Bun.sleep(5),
        every: () => () => undefined,
      };
      const keyring = await openKeyring({
        masterKey: masterKeyFromBytes(Buffer.from(masterKey)),
        store: storage.dataKeys,
        now: clock.now,
      });
      const log = createLog({
        level: "info",
        format: "json",
        write: (line) => {
          world.logged += line;
        },
      });
      try {
        const audit = await openRunningAudit({ ...options, storage, keyring, dataDir: world.dataDir, log, clock });
        await act(audit);
        await audit.stop();
      } finally {
        keyring.close();
        await storage.close();
      }
    },
    remove: () => rmSync(parent, { recursive: true, force: true }),
  };
  return world;
}

/** Number of the last entry when `lines` are an intact log; throws the first problem. */
export function verified(lines: readonly string[], publicKey: Uint8Array): number {
  const verifier = createAuditVerifier({ publicKey });
  for (const line of lines) {
    const problem = verifier.line(line);
    if (problem !== null) throw new Error(`${problem.seq}: ${problem.what}`);
  }
  const end = verifier.end();
  if (end !== null) throw new Error(`${end.seq}: ${end.what}`);
  return verifier.verdict().entries;
}

export async function until(isSo: () => boolean): Promise<void> {
  for (let tries = 0; !isSo(); tries += 1) {
    if (tries > 1_000) throw new Error("it never came");
    await Bun.sleep(5);
  }
}
