// Runs before the tests (bunfig.toml), so that "bun test" works on a fresh clone with nothing but Bun.
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { installLocked, isInstalled } from "./install-locked.mjs";

const root = dirname(dirname(fileURLToPath(import.meta.url)));

if (!isInstalled(root, "all")) {
  installLocked(root, "all");
  // This process has looked for node_modules already and will not look again: the tests run in a new one.
  process.exit(runAgain());
}

function runAgain() {
  const commandLine = "/proc/self/cmdline";
  if (!existsSync(commandLine)) {
    console.error('Installed. Run "bun test" once more');
    return 1;
  }
  const [, ...args] = readFileSync(commandLine, "utf8").split("\0").slice(0, -1);
  return spawnSync(process.execPath, args, { stdio: "inherit" }).status ?? 1;
}
