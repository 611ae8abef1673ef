import { composeClientKey } from "../src/domain/access/client-key.ts";
import { OPEN_GRANT } from "../src/domain/access/key-grant.ts";
import { DEFAULT_LIMITS } from "../src/domain/access/key-limits.ts";
import { epochMs } from "../src/kernel/time.ts";
import { createClientKeyMint } from "../src/keyring/client-key-mint.ts";
import { createClientKeyVerifier, type VerifiableKey } from "../src/keyring/client-key-verifier.ts";
import { seedKeys } from "./database-seed.ts";
import { type Gateway, startGateway, whyNoGateway } from "./gateway.ts";
import { memoryKeyring } from "./memory-keyring.ts";
import { percentile } from "./percentile.ts";
import { processCost } from "./process-cost.ts";
import { seededRandom } from "./random.ts";
import type { Bench } from "./rig.ts";
import { type Row, row } from "./row.ts";

const CHECKS = 200_000;
const WARM_UP = 20_000;
const SAMPLE_KEYS = 2_000;
const MAX_CHECK_US = 10;
const MAX_START_MS = 5_000;
const MAX_GROWTH_MIB = 100;
const REST_MS = 5_000;
const MIB = 1024 * 1024;

/** What a client key costs: its check, and many of them at the start. */
export async function keysScenario(bench: Bench): Promise<readonly Row[]> {
  return [...(await checkRows(bench)), ...(await startRows(bench))];
}

/** In this process: every check timed alone, right keys and wrong ones in turn. */
async function checkRows({ options, say }: Bench): Promise<readonly Row[]> {
  const { manyKeys } = options;
  const keyring = await memoryKeyring();
  const mint = createClientKeyMint(keyring);
  const verifier = createClientKeyVerifier(keyring, () => epochMs(0));
  const records: VerifiableKey[] = [];
  const good: string[] = [];
  for (let at = 0; at < manyKeys; at += 1) {
    const minted = mint.create();
    const { id, hmac, pepperVersion } = minted;
    const access = { grant: OPEN_GRANT, limits: DEFAULT_LIMITS, meterId: id };
    records.push({ id, name: `key-${at}`, hmac, pepperVersion, access, revokedAtMs: null, expiresAtMs: null });
    if (good.length < SAMPLE_KEYS) good.push(mint.disclose(minted));
  }
  const startMs = performance.now();
  verifier.replaceAll(records);
  const loadMs = performance.now() - startMs;
  const bad = good.map(() => composeClientKey("sk", crypto.getRandomValues(new Uint8Array(96))));
  const [goodUs, badUs] = [timed(verifier.verify, good), timed(verifier.verify, bad)];
  say(`  ${manyKeys} keys taken over in ${loadMs.toFixed(0)} ms`);
  return [
    checkRow(`check of a client key, p99, ${manyKeys} keys`, goodUs),
    checkRow(`check of a wrong one, p99, ${manyKeys} keys`, badUs),
  ];
}

function timed(verify: (text: string) => unknown, texts: readonly string[]): readonly number[] {
  const random = seededRandom(1);
  const took: number[] = [];
  for (let at = -WARM_UP; at < CHECKS; at += 1) {
    const text = texts[Math.floor(random() * texts.length)] ?? "";
    const startNs = Bun.nanoseconds();
    verify(text);
    const ns = Bun.nanoseconds() - startNs;
    if (at >= 0) took.push(ns / 1000);
  }
  return took;
}

function checkRow(name: string, tookUs: readonly number[]): Row {
  return row({
    name,
    unit: "us",
    gateway: percentile(tookUs, 0.99),
    limit: { kind: "valueAtMost", value: MAX_CHECK_US },
    note: `p50 ${percentile(tookUs, 0.5).toFixed(2)} us, p99.9 ${percentile(tookUs, 0.999).toFixed(2)} us`,
  });
}

/** A gateway with many keys in its database, against a fresh one that was started again as well. */
async function startRows(bench: Bench): Promise<readonly Row[]> {
  const missing = whyNoGateway();
  if (missing !== null) return [row({ name: "start with many keys", unit: "ms", note: missing })];
  const { manyKeys } = bench.options;
  const upstreamPort = 9;
  const small = await startGateway(bench.yard, { upstreamPort, fill: () => undefined });
  const smallMib = await rssAtRest(small);
  await small.process.stop();
  const big = await startGateway(bench.yard, {
    upstreamPort,
    fill: (dataDir) => seedKeys(dataDir, manyKeys),
    isSettled: true,
  });
  const bigMib = await rssAtRest(big);
  await big.process.stop();
  return [
    row({
      name: `start with ${manyKeys} keys`,
      unit: "ms",
      gateway: big.startMs,
      limit: { kind: "valueAtMost", value: MAX_START_MS },
      note: `until /healthz answers; fresh ${small.startMs.toFixed(0)} ms`,
    }),
    row({
      name: `RSS of ${manyKeys} keys`,
      unit: "MiB",
      gateway: bigMib - smallMib,
      limit: { kind: "valueAtMost", value: MAX_GROWTH_MIB },
      note: `${bigMib.toFixed(0)} MiB, fresh ${smallMib.toFixed(0)} MiB`,
    }),
  ];
}

/** In MiB. What reading the database left behind is collected by then. */
async function rssAtRest({ process }: Gateway): Promise<number> {
  await Bun.sleep(REST_MS);
  return processCost(process.pid).rssBytes / MIB;
}
