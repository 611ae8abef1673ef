import { processCost } from "./process-cost.ts";
import type { Bench, System } from "./rig.ts";
import { inTurn, withRig } from "./rig.ts";
import type { Row } from "./row.ts";
import { row } from "./row.ts";
import { medians, noSamples } from "./samples.ts";
import { openStreams } from "./stream-client.ts";

const STREAMS = 100;
/**
 * One event per stream and 5 ms: 20,000 events per second, which the load core can make and count. Slower streams cost
 * both systems more per event, since every wake-up then brings fewer of them.
 */
const INTERVAL_MS = 5;
const EVENTS_PER_STREAM = 1_000_000;
const WARM_UP_MS = 2_000;
const MAX_RATIO = 1.6;

/** CPU per server-sent event of 150 bytes, on 100 streams that run all the time. */
export function sseScenario(bench: Bench): Promise<readonly Row[]> {
  return withRig(bench, { intervalMs: INTERVAL_MS, eventsPerStream: EVENTS_PER_STREAM }, async (rig) => {
    const cpu = noSamples();
    const speed = noSamples();
    let lost = 0;
    for (let round = 0; round < bench.options.rounds; round += 1) {
      for (const system of inTurn(rig.systems, round)) {
        const result = await measure(bench, system);
        cpu.get(system.name)?.push(result.cpuUsPerEvent);
        speed.get(system.name)?.push(result.eventsPerSecond);
        lost += STREAMS - result.open;
        bench.say(
          `  sse ${system.name}: ${result.cpuUsPerEvent.toFixed(2)} us, ${result.eventsPerSecond.toFixed(0)}/s`,
        );
      }
    }
    const problem = lost === 0 ? null : `${lost} streams were not open to the end`;
    return [
      row({
        name: `CPU per SSE event, ${STREAMS} streams`,
        unit: "us",
        ...medians(cpu),
        limit: { kind: "ratioAtMost", value: MAX_RATIO },
        problem,
      }),
      row({
        name: "SSE events relayed",
        unit: "1/s",
        ...medians(speed),
        note: `upstream sends ${(STREAMS * 1000) / INTERVAL_MS}`,
      }),
    ];
  });
}

async function measure({ yard, options }: Bench, system: System) {
  const client = await openStreams(yard, {
    port: system.streamPort,
    key: system.key,
    streams: STREAMS,
    opening: STREAMS,
  });
  try {
    await Bun.sleep(WARM_UP_MS);
    const [before, costBefore, startedAtMs] = [await client.report(), processCost(system.pid), performance.now()];
    await Bun.sleep(options.seconds * 1000);
    const [costAfter, after, endedAtMs] = [processCost(system.pid), await client.report(), performance.now()];
    const events = after.events - before.events;
    return {
      cpuUsPerEvent: (costAfter.cpuUs - costBefore.cpuUs) / events,
      eventsPerSecond: (events * 1000) / (endedAtMs - startedAtMs),
      open: after.open,
    };
  } finally {
    await client.process.stop();
  }
}
