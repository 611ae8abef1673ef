/**
 * Runs the gateway under Bun's sampling profiler and loads it with whole requests.
 *
 *   bun bench/profile.ts [--seconds 10] [--body-bytes 1024] [--out DIR]
 *
 * Leaves a `.cpuprofile` (Chrome DevTools, Speedscope) and a Markdown summary in DIR, by default the working directory.
 */
import { resolve } from "node:path";
import { startGateway } from "./gateway.ts";
import { numberFlag, textFlag } from "./number-flags.ts";
import { startPeer } from "./peer-process.ts";
import { createYard } from "./spawned.ts";
import { runWrk } from "./wrk.ts";

const argv = process.argv;
const seconds = argv.includes("--seconds") ? numberFlag(argv, "seconds") : 10;
const bodyBytes = argv.includes("--body-bytes") ? numberFlag(argv, "body-bytes") : 1024;
const outDir = resolve(textFlag(argv, "out") || ".");

const yard = createYard();
try {
  const peer = await startPeer(yard, { intervalMs: 1000, eventsPerStream: 1 });
  const bunFlags = ["--cpu-prof", "--cpu-prof-md", `--cpu-prof-dir=${outDir}`];
  const gateway = await startGateway(yard, { upstreamPort: peer.port, bunFlags });
  const result = await runWrk(yard, {
    port: gateway.port,
    systemPid: gateway.process.pid,
    key: gateway.key,
    bodyBytes,
    seconds,
  });
  process.stdout.write(
    `${result.cpuUsPerRequest.toFixed(1)} us per request under the profiler, ${result.failures} failed\n`,
  );
  // The profile is written when the process ends by itself.
  await gateway.process.stop();
  process.stdout.write(`The profile is in ${outDir}\n`);
} finally {
  await yard.close();
}
