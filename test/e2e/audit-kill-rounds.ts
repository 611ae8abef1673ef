import { Database } from "bun:sqlite";
import { expect } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { verifyAudit } from "../../src/audit-verify.ts";
import { startGateway } from "./gateway-process.ts";
import { createRandom } from "./seeded-random.ts";

type Acknowledged = { readonly created: Set<string>; readonly revoked: Set<string> };

export type AuditKillOptions = { readonly rounds: number; readonly workers: number; readonly seed: number };

/** Kills the gateway in the middle of changes, and holds its audit log against what was acknowledged and what is stored. */
export async function runAuditKills({
  rounds,
  workers,
  seed,
}: AuditKillOptions): Promise<{ readonly revoked: number }> {
  const dataDir = mkdtempSync(join(tmpdir(), "bccf-audit-"));
  const random = createRandom(seed);
  const seen: Acknowledged = { created: new Set(), revoked: new Set() };
  try {
    for (let round = 0; round < rounds; round += 1) {
      const gateway = await startGateway({ dataDir });
      const running = Array.from({ length: workers }, (_, at) => changeUntilKilled(dataDir, `${round}-${at}`, seen));
      await Bun.sleep(100 + random.next() * 500);
      gateway.signal("SIGKILL");
      await Promise.all([gateway.exited, ...running]);
      const found = await verifyAudit(dataDir, { file: null, publicKeyFile: null });
      expect(found).toMatchObject({ isOk: true });
      expectEntryPerChange(dataDir, seen);
    }
    return { revoked: seen.revoked.size };
  } finally {
    rmSync(dataDir, { recursive: true, force: true });
  }
}

/** Creates and revokes keys one after the other; ends when nobody answers any more. */
async function changeUntilKilled(dataDir: string, name: string, { created, revoked }: Acknowledged): Promise<void> {
  const unix = join(dataDir, "control.sock");
  const headers = { "content-type": "application/json" };
  for (let at = 0; ; at += 1) {
    try {
      const body = JSON.stringify({ name: `k-${name}-${at}` });
      const made = await fetch("http://localhost/api/keys", { method: "POST", unix, headers, body });
      const { id } = (await made.json()) as { readonly id: string };
      created.add(id);
      const gone = await fetch(`http://localhost/api/keys/${id}`, { method: "DELETE", unix });
      await gone.arrayBuffer();
      if (gone.ok) revoked.add(id);
    } catch {
      return;
    }
  }
}

function expectEntryPerChange(dataDir: string, { created, revoked }: Acknowledged): void {
  const database = new Database(join(dataDir, "gateway.db"), { readonly: true });
  try {
    const idsOf = (code: string) =>
      database
        .query<{ id: string }, [string]>(
          "select entry ->> '$.object.id' id from audit_entries where entry ->> '$.code' = ?",
        )
        .all(code)
        .map(({ id }) => id)
        .toSorted();
    const rowsWhere = (condition: string) =>
      database
        .query<{ id: string }, []>(`select id from client_keys where ${condition} order by id`)
        .all()
        .map(({ id }) => id)
        .toSorted();
    const [makings, endings] = [idsOf("KEY001I"), idsOf("KEY002I")];
    expect(makings).toEqual(rowsWhere("true"));
    expect(endings).toEqual(rowsWhere("revoked_at_ms is not null"));
    const [made, ended] = [new Set(makings), new Set(endings)];
    expect([...created].filter((id) => !made.has(id))).toEqual([]);
    expect([...revoked].filter((id) => !ended.has(id))).toEqual([]);
  } finally {
    database.close();
  }
}
