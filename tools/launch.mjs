// The one entry of every npm script. Plain Node 20 without dependencies, also under Bun: it runs before anything is
// installed, installs what is locked, and hands over to the pinned Bun.
import { spawn } from "node:child_process";
import { constants } from "node:os";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { findBun } from "./find-bun.mjs";
import { installLocked } from "./install-locked.mjs";
import { COMMANDS, environmentFor, planFor } from "./launch-plan.mjs";

// A supervisor signals the whole group and npm passes the signal on: the same signal then arrives several times.
const REPEAT_MS = 1_000;
const PARENT_CHECK_MS = 500;

/**
 * @param {readonly string[]} argv
 * @param {string} root
 */
async function launch(argv, root) {
  const plan = planFor(argv);
  if (plan === null) {
    console.error(`Cannot run "${argv[0] ?? ""}": the commands are ${Object.keys(COMMANDS).join(", ")}`);
    return 2;
  }
  installLocked(root, plan.level);
  const bun = findBun(root);
  if (bun === null) throw new Error("Cannot find Bun: node_modules does not hold it");
  return await run(bun, plan.args, { cwd: root, env: environmentFor(process.env, argv[0] ?? "") });
}

/**
 * Resolves with the exit code a shell would see: 128 + n when signal n ended the program.
 * @param {string} command
 * @param {readonly string[]} args
 * @param {{ readonly cwd: string, readonly env: NodeJS.ProcessEnv }} options
 * @returns {Promise<number>}
 */
function run(command, args, options) {
  const child = spawn(command, args, { ...options, stdio: "inherit" });
  const stopForwarding = forwardSignals(child);
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", (code, signal) => {
      stopForwarding();
      resolve(code ?? 128 + (signal === null ? 0 : constants.signals[signal]));
    });
  });
}

/** @param {import("node:child_process").ChildProcess} child */
function forwardSignals(child) {
  /** @type {readonly NodeJS.Signals[]} */
  const forwarded = ["SIGINT", "SIGTERM", "SIGHUP"];
  /** @type {Map<NodeJS.Signals, number>} */
  const lastMs = new Map();
  /** @param {NodeJS.Signals} signal */
  const forward = (signal) => {
    const nowMs = performance.now();
    const isRepeat = nowMs - (lastMs.get(signal) ?? Number.NEGATIVE_INFINITY) < REPEAT_MS;
    lastMs.set(signal, nowMs);
    // Ctrl-C reaches every process of the terminal already; a second SIGINT would mean "at once".
    const isFromTerminal = signal === "SIGINT" && process.stdin.isTTY === true;
    if (!isRepeat && !isFromTerminal) child.kill(signal);
  };
  for (const signal of forwarded) process.on(signal, forward);
  const watch = watchParent(() => child.kill("SIGTERM"));
  return () => {
    clearInterval(watch);
    for (const signal of forwarded) process.off(signal, forward);
  };
}

/**
 * npm and "bun run" wait for us. If one of them is gone, it was killed without a word, and nobody would stop the gateway.
 * @param {() => void} onGone
 */
function watchParent(onGone) {
  const parent = process.ppid;
  if (process.env["npm_lifecycle_event"] === undefined) return undefined;
  const watch = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(watch);
    onGone();
  }, PARENT_CHECK_MS);
  watch.unref();
  return watch;
}

const root = dirname(dirname(fileURLToPath(import.meta.url)));
try {
  process.exitCode = await launch(process.argv.slice(2), root);
} catch (cause) {
  console.error(cause instanceof Error ? cause.message : String(cause));
  process.exitCode = 1;
}
