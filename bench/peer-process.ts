import { join } from "node:path";
import { reportedNumbers } from "./number-flags.ts";
import type { Spawned, Yard } from "./spawned.ts";
import { LOAD_CORE } from "./spawned.ts";

export type Peer = { readonly process: Spawned; readonly port: number };

export type PeerPace = {
  /** Time between two events of one stream. */
  readonly intervalMs: number;
  /** Deltas of one stream before it ends as a Messages API stream does. */
  readonly eventsPerStream: number;
};

export async function startPeer(yard: Yard, { intervalMs, eventsPerStream }: PeerPace): Promise<Peer> {
  const script = join(import.meta.dir, "peer.ts");
  const flags = ["--interval-ms", String(intervalMs), "--events", String(eventsPerStream)];
  const process = yard.spawn({ name: "peer", argv: [Bun.argv[0] ?? "bun", script, ...flags], core: LOAD_CORE });
  return { process, port: reportedNumbers(await process.line(), ["port"]).port };
}
