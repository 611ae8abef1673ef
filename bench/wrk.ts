import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { reportedNumbers } from "./number-flags.ts";
import { processCost } from "./process-cost.ts";
import type { Yard } from "./spawned.ts";
import { LOAD_CORE } from "./spawned.ts";
import { requestBytes } from "./wire-request.ts";

const CONNECTIONS = 32;
/** The just-in-time compiler needs some ten thousand requests before the gateway is as fast as it gets. */
const WARM_REQUESTS = 150_000;
const WARM_SECONDS = 2;
const MAX_WARM_ROUNDS = 16;

export type WrkLoad = {
  readonly port: number;
  /** Whose CPU time is counted, with all its children. */
  readonly systemPid: number;
  readonly key: string;
  readonly bodyBytes: number;
  readonly seconds: number;
};

export type WrkResult = {
  readonly cpuUsPerRequest: number;
  readonly requestsPerSecond: number;
  readonly requests: number;
  /** Socket errors, timeouts and answers other than 2xx. */
  readonly failures: number;
};

/** Loads the system until it has its speed, for at most 16 s. */
export async function warmUp(yard: Yard, load: Omit<WrkLoad, "seconds">): Promise<void> {
  let requests = 0;
  for (let round = 0; round < MAX_WARM_ROUNDS && requests < WARM_REQUESTS; round += 1) {
    requests += (await runWrk(yard, { ...load, seconds: WARM_SECONDS })).requests;
  }
}

/** Whole requests over 32 kept connections, one after the other on each. */
export async function runWrk(yard: Yard, load: WrkLoad): Promise<WrkResult> {
  const requestPath = join(yard.folder("wrk"), "request");
  writeFileSync(requestPath, requestBytes({ key: load.key, bodyBytes: load.bodyBytes, isStream: false }), {
    mode: 0o600,
  });
  const script = join(import.meta.dir, "replay.lua");
  const flags = ["-t1", `-c${CONNECTIONS}`, `-d${load.seconds}s`, "-s", script];
  const before = processCost(load.systemPid);
  const wrk = yard.spawn({
    name: "wrk",
    argv: ["wrk", ...flags, `http://127.0.0.1:${load.port}/v1/messages`],
    core: LOAD_CORE,
    env: { BENCH_REQUEST: requestPath },
  });
  const { stdout } = await wrk.finished();
  const after = processCost(load.systemPid);
  const line = stdout.split("\n").find((text) => text.startsWith("BENCH "));
  if (line === undefined) throw new Error(`Cannot read the result of wrk: ${stdout.slice(0, 500)}${wrk.errors()}`);
  const { requests, failures, durationUs } = reportedNumbers(line.slice(6), ["requests", "failures", "durationUs"]);
  return {
    cpuUsPerRequest: (after.cpuUs - before.cpuUs) / requests,
    requestsPerSecond: requests / (durationUs / 1_000_000),
    requests,
    failures,
  };
}
