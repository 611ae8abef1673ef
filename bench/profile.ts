/**
 * Runs the gateway under Bun's sampling profiler and loads it with whole requests.
 *
 *   bun bench/profile.ts [--seconds 10] [--body-bytes 1024] [--out DIR]
 *
 * Prints the share of each source file and leaves a `.cpuprofile` (Chrome DevTools, Speedscope) in DIR, by default a new
 * temporary one. The profiler slows the gateway down: take the shares from here, never the microseconds.
 */
import { mkdtempSync, readdirSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { startGateway } from "./gateway.ts";
import { numberFlag, textFlag } from "./number-flags.ts";
import { startPeer } from "./peer-process.ts";
import { parseProfile, sharesByFile } from "./profile-summary.ts";
import { createYard } from "./spawned.ts";
import { runWrk } from "./wrk.ts";

const SOURCE_ROOT = resolve(import.meta.dir, "..", "src");
const SHOWN_FILES = 30;

const argv = process.argv;
const seconds = argv.includes("--seconds") ? numberFlag(argv, "seconds") : 10;
const bodyBytes = argv.includes("--body-bytes") ? numberFlag(argv, "body-bytes") : 1024;
const outDir = resolve(textFlag(argv, "out") || mkdtempSync(join(tmpdir(), "ccflare-profile-")));

const yard = createYard();
try {
  const peer = await startPeer(yard, { intervalMs: 1000, eventsPerStream: 1 });
  const bunFlags = ["--cpu-prof", `--cpu-prof-dir=${outDir}`];
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
  for (const name of readdirSync(outDir).filter((file) => file.endsWith(".cpuprofile"))) {
    process.stdout.write(`\n${join(outDir, name)}\n`);
    const shares = sharesByFile(parseProfile(readFileSync(join(outDir, name), "utf8")), SOURCE_ROOT).slice(
      0,
      SHOWN_FILES,
    );
    for (const share of shares)
      process.stdout.write(`${(share.ratio * 100).toFixed(1).padStart(6)} %  ${share.name}\n`);
  }
} finally {
  await yard.close();
}
