// Plain Node 20 without dependencies: this runs before anything is installed.

/** @typedef {{ readonly level: import("./install-locked.mjs").Level, readonly args: readonly string[] }} Plan */

// A .env file in the working directory must not steer the gateway, and nothing may be installed behind our back.
const RUN = ["--no-env-file", "--no-install"];
// bunfig.toml leaves these folders out of a plain "bun test"; naming another pattern lets them in.
const EVERY_FOLDER = "--path-ignore-patterns=node_modules";

/** @type {Readonly<Record<string, Plan>>} */
export const COMMANDS = {
  start: { level: "production", args: [...RUN, "src/main.ts", "start"] },
  cli: { level: "production", args: [...RUN, "src/main.ts"] },
  sim: { level: "production", args: [...RUN, "sim/main.ts"] },
  replay: { level: "production", args: [...RUN, "sim/replay/main.ts"] },
  test: { level: "all", args: ["test"] },
  "test:e2e": { level: "all", args: ["test", EVERY_FOLDER, "./test/e2e/"] },
  "test:long": { level: "all", args: [...RUN, "tools/test-long.ts"] },
  "test:clients": { level: "all", args: [...RUN, "tools/test-clients.ts"] },
  check: { level: "all", args: [...RUN, "tools/check.ts"] },
  build: { level: "all", args: [...RUN, "tools/build.ts"] },
  bench: { level: "all", args: [...RUN, "bench/run.ts"] },
  soak: { level: "all", args: [...RUN, "bench/soak.ts"] },
};

// Bun hangs at 256 upstream requests per process unless this is there before the process starts (deps.md).
const MAX_FETCHES = "65535";

/**
 * What runs for a command line. Null for an unknown command.
 * @param {readonly string[]} argv
 * @returns {Plan | null}
 */
export function planFor(argv) {
  const [name = "", ...rest] = argv;
  const plan = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  if (plan === undefined) return null;
  // Bun keeps the separator that npm removes ("npm start -- --demo").
  const given = rest[0] === "--" ? rest.slice(1) : rest;
  return { level: plan.level, args: [...plan.args, ...given] };
}

/**
 * @param {Readonly<Record<string, string | undefined>>} env
 * @param {string} name of the command
 */
export function environmentFor(env, name) {
  const fetches = env["BUN_CONFIG_MAX_HTTP_REQUESTS"] ?? MAX_FETCHES;
  const mode = name === "start" ? { NODE_ENV: env["NODE_ENV"] ?? "production" } : {};
  // How the usage text calls the program, so that its examples can be typed as they stand.
  const isNpm = env["npm_execpath"]?.endsWith("npm-cli.js") === true;
  const program = name === "cli" ? { BETTER_CCFLARE_PROGRAM: isNpm ? "npm run cli --" : "bun cli" } : {};
  return { ...env, ...mode, ...program, BUN_CONFIG_MAX_HTTP_REQUESTS: fetches };
}
