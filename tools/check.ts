import { join } from "node:path";
import { repositoryRoot } from "./source-files.ts";

type Step = { readonly name: string; readonly command: readonly string[] };

const BIN = join(repositoryRoot, "node_modules", ".bin");

/** The gate, cheapest first. Nothing here rewrites a file. */
const STEPS: readonly Step[] = [
  { name: "rules", command: [process.execPath, "tools/check-rules.ts"] },
  { name: "biome", command: [join(BIN, "biome"), "ci", "--max-diagnostics=200"] },
  { name: "tsc", command: [join(BIN, "tsc"), "-b"] },
  { name: "oxlint", command: [join(BIN, "oxlint"), "--type-aware"] },
  { name: "knip", command: [join(BIN, "knip"), "--no-progress"] },
];

/** True when the step found nothing. */
function run({ name, command }: Step): boolean {
  const startMs = performance.now();
  // Linters are Node programs: with Bun alone, "bun run" has put a node of its own on the PATH.
  const { exitCode } = Bun.spawnSync([...command], { cwd: repositoryRoot, stdio: ["ignore", "inherit", "inherit"] });
  const seconds = ((performance.now() - startMs) / 1000).toFixed(1);
  console.error(`${exitCode === 0 ? "ok    " : "FAILED"} ${name} (${seconds} s)`);
  return exitCode === 0;
}

// Every step runs, so that one run tells everything.
const failed = STEPS.filter((step) => !run(step)).map(({ name }) => name);
console.error(failed.length === 0 ? "The gate is open" : `The gate is shut by ${failed.join(", ")}`);
process.exitCode = failed.length === 0 ? 0 : 1;
