import { join } from "node:path";
import { reportedNumbers } from "./number-flags.ts";
import type { Spawned, Yard } from "./spawned.ts";
import { LOAD_CORE } from "./spawned.ts";

const BODY_BYTES = 1024;

const REPORT = ["open", "failed", "lost", "events", "bytes", "lowestEvents", "refusedStatus"] as const;
export type StreamReport = Readonly<Record<(typeof REPORT)[number], number>>;

/** A process that holds many streams open. */
export interface StreamClient {
  readonly process: Spawned;
  /** As it was when all streams had begun or failed. */
  readonly first: StreamReport;
  report(): Promise<StreamReport>;
}

export type StreamLoad = {
  readonly port: number;
  readonly key: string;
  readonly streams: number;
  /** How many may be in the middle of being opened. */
  readonly opening: number;
};

/** Resolves when every stream has begun or failed. */
export async function openStreams(yard: Yard, load: StreamLoad): Promise<StreamClient> {
  const flags = Object.entries({ ...load, "body-bytes": BODY_BYTES }).flatMap(([name, value]) => [
    `--${name}`,
    String(value),
  ]);
  const argv = [Bun.argv[0] ?? "bun", join(import.meta.dir, "client-streams.ts"), ...flags];
  const process = yard.spawn({ name: "client-streams", argv, core: LOAD_CORE });
  const first = reportedNumbers(await process.line(), REPORT);
  return {
    process,
    first,
    async report() {
      process.say("report");
      return reportedNumbers(await process.line(), REPORT);
    },
  };
}
