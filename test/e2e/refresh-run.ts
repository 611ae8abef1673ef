import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startTokenEndpoint } from "../../sim/token-endpoint.ts";
import { insertLogin, openLoginDatabase } from "./login-database.ts";

export type RefreshFigures = {
  readonly expiries: number;
  readonly rotations: number;
  readonly reuses: number;
  readonly requests: number;
  readonly answers: Readonly<Record<string, number>>;
  readonly longestMs: number;
  readonly auditedRotations: number;
  readonly generations: readonly number[];
};

type Run = {
  readonly processes: number;
  readonly refreshersEach: number;
  readonly accounts: number;
  readonly expiriesEach: number;
  readonly latencyMs: number;
};

/** Expiries of several logins, each wanted by every refresher at once, against an endpoint that revokes on reuse. */
export async function runRefresh(run: Run): Promise<RefreshFigures> {
  const folder = mkdtempSync(join(tmpdir(), "bccf-refresh-"));
  const masterKey = randomBytes(32);
  const path = join(folder, "gateway.db");
  const latencyMs = () => Math.random() * run.latencyMs;
  const endpoint = await startTokenEndpoint({ clientId: "operator-client", latencyMs });
  const database = await openLoginDatabase(path, masterKey);
  try {
    const names = Array.from({ length: run.accounts }, (_, at) => `login-${at}`);
    for (const name of names) await insertLogin(database, name, endpoint);
    const counts = [String(run.refreshersEach), String(run.expiriesEach)];
    const command = [process.execPath, join(import.meta.dir, "refresh-worker.ts"), path, masterKey.toString("hex")];
    const workers = Array.from({ length: run.processes }, () =>
      Bun.spawn([...command, ...counts, ...names], { stdio: ["ignore", "pipe", "inherit"] }),
    );
    const answers: Record<string, number> = {};
    let longestMs = 0;
    for (const worker of workers) {
      const said = JSON.parse(await new Response(worker.stdout).text()) as {
        tally: Record<string, number>;
        longestMs: number;
      };
      if ((await worker.exited) !== 0) throw new Error("Cannot count: a worker failed");
      for (const [kind, count] of Object.entries(said.tally)) answers[kind] = (answers[kind] ?? 0) + count;
      longestMs = Math.max(longestMs, said.longestMs);
    }
    const rows = database.database
      .query<{ n: number }, []>("select count(*) as n from audit_entries where entry like '%OAU004I%'")
      .get();
    return {
      expiries: run.accounts * run.expiriesEach,
      rotations: endpoint.counters.rotations,
      reuses: endpoint.counters.reuses,
      requests: endpoint.counters.requests,
      answers,
      longestMs,
      auditedRotations: rows?.n ?? 0,
      generations: [...new Set((await database.logins.list()).map(({ generation }) => generation))],
    };
  } finally {
    database.close();
    await endpoint.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}
