import type { Gateway } from "./gateway.ts";
import { startGateway, whyNoGateway } from "./gateway.ts";
import { startNginx } from "./nginx.ts";
import type { BenchOptions } from "./options.ts";
import type { Peer, PeerPace } from "./peer-process.ts";
import { startPeer } from "./peer-process.ts";
import type { Yard } from "./spawned.ts";

/** What a scenario gets. */
export type Bench = {
  readonly yard: Yard;
  readonly options: BenchOptions;
  /** Progress for the person who waits, on stderr. */
  readonly say: (text: string) => void;
};

/** One of the systems under test, by the doors that the load uses. */
export type System = {
  readonly name: "nginx" | "gateway";
  readonly pid: number;
  readonly plainPort: number;
  readonly streamPort: number;
  readonly key: string;
};

/** Both systems before the same upstream peer, fresh. */
export type Rig = {
  readonly peer: Peer;
  /** nginx first; the gateway is missing while it cannot be started. */
  readonly systems: readonly System[];
  readonly gateway: Gateway | null;
  stop(): Promise<void>;
};

export async function startRig({ yard, say }: Bench, pace: PeerPace): Promise<Rig> {
  const peer = await startPeer(yard, pace);
  const nginx = await startNginx(yard, peer.port);
  const missing = whyNoGateway();
  if (missing !== null) say(`  no gateway: ${missing}`);
  const gateway = missing === null ? await startGateway(yard, { upstreamPort: peer.port }) : null;
  // The key only has to be as long as a real one: nginx passes it on.
  const nginxSystem: System = { ...nginx, name: "nginx", pid: nginx.process.pid, key: gateway?.key ?? "x".repeat(60) };
  return {
    peer,
    systems: gateway === null ? [nginxSystem] : [nginxSystem, gatewaySystem(gateway)],
    gateway,
    async stop() {
      await gateway?.process.stop();
      await nginx.process.stop();
      await peer.process.stop();
    },
  };
}

export function gatewaySystem({ process, port, key }: Gateway): System {
  return { name: "gateway", pid: process.pid, plainPort: port, streamPort: port, key };
}

/** Runs `work` and always stops the rig. */
export async function withRig<Value>(bench: Bench, pace: PeerPace, work: (rig: Rig) => Promise<Value>): Promise<Value> {
  const rig = await startRig(bench, pace);
  try {
    return await work(rig);
  } finally {
    await rig.stop();
  }
}

/** Every second round in the other order, so that none of the systems always meets the warmer machine. */
export function inTurn(systems: readonly System[], round: number): readonly System[] {
  return round % 2 === 0 ? systems : systems.toReversed();
}
