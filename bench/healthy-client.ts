import { join } from "node:path";
import { percentile } from "./percentile.ts";
import type { Yard } from "./spawned.ts";
import { LOAD_CORE } from "./spawned.ts";

export type HealthyLoad = {
  readonly port: number;
  readonly key: string;
  readonly requests: number;
  readonly pauseMs: number;
  /** Left out of the result: the client's own first requests are slow. */
  readonly dropFirst: number;
};

export type HealthyResult = { readonly latenciesUs: readonly number[]; readonly failures: number };

/** One client that sends one request of 1 KB at a time over one connection. */
export async function runHealthyClient(yard: Yard, load: HealthyLoad): Promise<HealthyResult> {
  const flags = Object.entries({
    port: load.port,
    key: load.key,
    requests: load.requests,
    "pause-ms": load.pauseMs,
    "body-bytes": 1024,
  });
  const argv = [
    Bun.argv[0] ?? "bun",
    join(import.meta.dir, "client-latency.ts"),
    ...flags.flatMap(([name, value]) => [`--${name}`, String(value)]),
  ];
  const client = yard.spawn({ name: "client-latency", argv, core: LOAD_CORE });
  const { exitCode, stdout } = await client.finished();
  if (exitCode !== 0) throw new Error(`Cannot run the latency client: exit code ${exitCode}\n${client.errors()}`);
  const report: unknown = JSON.parse(stdout);
  if (!isReport(report)) throw new Error(`Cannot read the report of the latency client: ${stdout.slice(0, 200)}`);
  return { latenciesUs: report.latenciesUs.slice(load.dropFirst), failures: report.failures };
}

export function percentileMs(latenciesUs: readonly number[], ratio: number): number {
  return percentile(latenciesUs, ratio) / 1000;
}

function isReport(value: unknown): value is { readonly failures: number; readonly latenciesUs: readonly number[] } {
  if (typeof value !== "object" || value === null || !("failures" in value) || !("latenciesUs" in value)) return false;
  const { failures, latenciesUs } = value;
  return (
    typeof failures === "number" && Array.isArray(latenciesUs) && latenciesUs.every((one) => typeof one === "number")
  );
}
