import { parseArgs } from "node:util";
import { type App, createApp } from "./app.ts";
import { EXIT } from "./cli/cli-io.ts";
import { type Environment, renderProblems } from "./config/config.ts";
import { type LoadedConfig, loadConfig } from "./config/load-config.ts";
import { readFile } from "./config/read-file.ts";
import { type Demo, startDemo } from "./demo.ts";
import { MasterKeyRefused, WrongMasterKey } from "./keyring/keyring-error.ts";

/** sysexits.h EX_CONFIG: a supervisor must not restart what only a person can mend. */
const EXIT_CONFIG = 78;
/** Bun reads it before our first line runs, so it must be there already (docs/adr/0001-runtime.md). */
const MAX_REQUESTS_ENV = "BUN_CONFIG_MAX_HTTP_REQUESTS";
const MAX_REQUESTS = "65535";

/** A supervisor signals the whole group and npm passes the signal on: what comes so close together is one wish. */
const SAME_SIGNAL_MS = 1_000;

/** From the end of everything to the end of the process, at the latest. */
const LAST_WORDS_MS = 1_000;

const USAGE = `usage: better-ccflare start [--port N] [--host ADDRESS] [--data-dir PATH] [--config PATH]
                            [--log-level LEVEL] [--log-format pretty|json] [--debug] [--demo]`;

const OPTIONS = {
  port: { type: "string" },
  host: { type: "string" },
  "data-dir": { type: "string" },
  config: { type: "string" },
  "log-level": { type: "string" },
  "log-format": { type: "string" },
  debug: { type: "boolean" },
  demo: { type: "boolean" },
  help: { type: "boolean", short: "h" },
} as const;

/** Runs the gateway until it is told to stop; the exit code. */
export async function start(argv: readonly string[], env: Environment): Promise<number> {
  relaunchWithLimit(env);
  const flags = readFlags(argv);
  if (flags === null) {
    return EXIT.usage;
  }
  if (flags.help === true) {
    process.stdout.write(`${USAGE}\n`);
    return EXIT.ok;
  }
  const demo = flags.demo === true ? await startDemo() : null;
  const loaded = loadConfig({
    flags: {
      port: flags.port,
      host: flags.host,
      dataDir: demo?.dataDir ?? flags["data-dir"],
      config: flags.config,
      logLevel: flags["log-level"],
      logFormat: flags["log-format"],
      debug: flags.debug,
    },
    env: demo === null ? env : { ...env, ...demo.env },
    readFile,
    purpose: "server",
  });
  if (!loaded.ok) {
    process.stderr.write(`${renderProblems(loaded.error)}\n`);
    return EXIT.usage;
  }
  return run(loaded.value, demo);
}

async function run({ config, secrets, warnings }: LoadedConfig, demo: Demo | null): Promise<number> {
  for (const warning of warnings) {
    process.stderr.write(`warning: ${warning}\n`);
  }
  const signals = hearSignals();
  let app: App | null = null;
  try {
    app = await createApp(config, secrets);
    await demo?.fill(app);
    await app.start();
  } catch (cause) {
    process.stderr.write(`${cause instanceof Error ? cause.message : String(cause)}\n`);
    // A listener that did open would keep the process alive, with nobody able to administer it.
    await app?.stop();
    await demo?.stop();
    return cause instanceof WrongMasterKey || cause instanceof MasterKeyRefused ? EXIT_CONFIG : EXIT.refused;
  }
  const code = await signals.untilStopped(app);
  await demo?.stop();
  // A log line that nobody reads is still on its way to stderr, and would keep the process.
  setTimeout(() => process.exit(code), LAST_WORDS_MS).unref();
  return code;
}

/**
 * First signal: drain. Second: at once. A bug that nobody caught takes the same way out. Signals are heard
 * from now on, so that one which comes during the start still stops the gateway in order.
 */
function hearSignals(): { readonly untilStopped: (started: App) => Promise<number> } {
  const { promise: stopped, resolve } = Promise.withResolvers<number>();
  let app: App | null = null;
  let isAsked = false;
  let stoppingSinceMs: number | null = null;
  const stop = (code: number) => {
    isAsked = true;
    if (app === null) return;
    if (stoppingSinceMs !== null) {
      if (performance.now() - stoppingSinceMs >= SAME_SIGNAL_MS) {
        app.hurry();
      }
      return;
    }
    stoppingSinceMs = performance.now();
    void app.stop().then(
      () => resolve(code),
      (cause: unknown) => {
        process.stderr.write(`Cannot stop cleanly: ${cause instanceof Error ? cause.message : String(cause)}\n`);
        resolve(EXIT.refused);
      },
    );
  };
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    process.on(signal, () => stop(EXIT.ok));
  }
  process.on("SIGHUP", () => {
    // logrotate sends it to have the log file opened anew. Without one, a terminal that closes ends the gateway.
    if (app?.reopenLog() !== true) stop(EXIT.ok);
  });
  return {
    untilStopped(started) {
      app = started;
      for (const event of ["uncaughtException", "unhandledRejection"] as const) {
        process.on(event, (cause: unknown) => {
          started.reportBug(cause);
          stop(EXIT.refused);
        });
      }
      if (isAsked) stop(EXIT.ok);
      return stopped;
    },
  };
}

function readFlags(argv: readonly string[]) {
  try {
    return parseArgs({ args: [...argv], options: OPTIONS, allowPositionals: false }).values;
  } catch (cause) {
    process.stderr.write(`Cannot read the command line: ${cause instanceof Error ? cause.message : ""}\n${USAGE}\n`);
    return null;
  }
}

/** A compiled executable is its own launcher: it replaces itself with a process that has the limit set. */
function relaunchWithLimit(env: Environment): void {
  const isCompiled = import.meta.url.includes("$bunfs");
  if (env[MAX_REQUESTS_ENV] === undefined && isCompiled && process.execve !== undefined) {
    const given = Object.entries(env).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]]));
    process.execve(process.execPath, [process.execPath, ...process.argv.slice(2)], {
      ...Object.fromEntries(given),
      [MAX_REQUESTS_ENV]: MAX_REQUESTS,
    });
  }
}
