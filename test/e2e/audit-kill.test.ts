import { Database } from "bun:sqlite";
import { expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { verifyAudit } from "../../src/audit-verify.ts";
import { startGateway } from "./gateway-process.ts";
import { createRandom } from "./seeded-random.ts";

const ROUNDS = 4;
const WORKERS = 6;
const SEED = 20_261_124;

type Acknowledged = { readonly created: Set<string>; readonly revoked: Set<string> };

test("T-22.18 kill -9 during changes: the chain holds, and no change is without its entry or the other way round", async () => {
  const dataDir = mkdtempSync(join(tmpdir(), "bccf-audit-"));
  const random = createRandom(SEED);
  const seen: Acknowledged = { created: new Set(), revoked: new Set() };
  try {
    for (let round = 0; round < ROUNDS; round += 1) {
      const gateway = await startGateway({ dataDir });
      const workers = Array.from({ length: WORKERS }, (_, at) => changeUntilKilled(dataDir, `${round}-${at}`, seen));
      await Bun.sleep(100 + random.next() * 500);
      gateway.signal("SIGKILL");
      await Promise.all([gateway.exited, ...workers]);
      const found = await verifyAudit(dataDir, { file: null, publicKeyFile: null });
      expect(found).toMatchObject({ isOk: true });
      expectEntryPerChange(dataDir, seen);
    }
    expect(seen.revoked.size).toBeGreaterThan(ROUNDS * 3);
  } finally {
    rmSync(dataDir, { recursive: true, force: true });
  }
}, 60_000);

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
    expect(idsOf("KEY001I")).toEqual(rowsWhere("true"));
    expect(idsOf("KEY002I")).toEqual(rowsWhere("revoked_at_ms is not null"));
    expect([...created].filter((id) => !idsOf("KEY001I").includes(id))).toEqual([]);
    expect([...revoked].filter((id) => !idsOf("KEY002I").includes(id))).toEqual([]);
  } finally {
    database.close();
  }
}
