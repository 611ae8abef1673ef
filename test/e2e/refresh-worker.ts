/**
 * One process of refreshers over a shared database, for refresh-run.ts:
 *
 *   bun test/e2e/refresh-worker.ts DATABASE MASTER_KEY REFRESHERS EXPIRIES ACCOUNT...
 *
 * Every refresher holds every token for stale as soon as it has it, EXPIRIES times. Prints what came of it as JSON.
 */
import { accountId } from "../../src/domain/account/account.ts";
import { createTokenEndpoint } from "../../src/upstream/token-endpoint.ts";
import { createUpstream } from "../../src/upstream/upstream.ts";
import { openLoginDatabase, refresherOver } from "./login-database.ts";

const [path = "", masterKey = "", refresherCount = "", expiries = "", ...accounts] = process.argv.slice(2);
const database = await openLoginDatabase(path, Buffer.from(masterKey, "hex"));
const upstream = createUpstream({ allowPrivate: true });
const tally: Record<string, number> = {};
let longestMs = 0;

async function chase(account: string, owner: string): Promise<void> {
  // Of its own: within one, a second caller waits for the first without a lease.
  const refresher = refresherOver(database, { endpoint: createTokenEndpoint(upstream), owner });
  let generation = 1;
  while (generation <= Number(expiries)) {
    const startedAtMs = performance.now();
    const refreshed = await refresher.refresh(accountId(account), generation);
    longestMs = Math.max(longestMs, performance.now() - startedAtMs);
    tally[refreshed.kind] = (tally[refreshed.kind] ?? 0) + 1;
    if (refreshed.kind === "renewed") generation = refreshed.login.generation;
    else if (refreshed.kind !== "later") return;
  }
}

const refreshers = Array.from({ length: Number(refresherCount) }, (_, at) => `${process.pid}-${at}`);
await Promise.all(accounts.flatMap((account) => refreshers.map((owner) => chase(account, owner))));
await upstream.stop();
database.close();
process.stdout.write(JSON.stringify({ tally, longestMs: Math.round(longestMs) }));
