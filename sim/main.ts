import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { applyScript, parseScript } from "./script.ts";
import { startSimulator } from "./simulator.ts";

const USAGE = `Usage: bun sim/main.ts [--port 9999] [--host 127.0.0.1] [--script file.json] [--counts]
                       [--tls-cert file.pem --tls-key file.pem]

  --script  accounts and their answers, see sim/README.md; without it every default account answers everything
  --counts  keep no requests (benchmark)
  --tls-*   speak TLS with this certificate
`;
const DEFAULT_CREDENTIALS = ["sim-key-1", "sim-key-2"];

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      port: { type: "string", default: "9999" },
      host: { type: "string", default: "127.0.0.1" },
      script: { type: "string" },
      counts: { type: "boolean", default: false },
      "tls-cert": { type: "string" },
      "tls-key": { type: "string" },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) {
    process.stdout.write(USAGE);
    return;
  }
  const script = values.script === undefined ? defaultScript() : readScript(values.script);
  const { "tls-cert": cert, "tls-key": key } = values;
  if ((cert === undefined) !== (key === undefined)) throw new Error("Cannot speak TLS: give --tls-cert and --tls-key");
  const tls = cert === undefined || key === undefined ? {} : { tls: { cert: read(cert), key: read(key) } };
  const simulator = await startSimulator({
    ...tls,
    port: Number(values.port),
    hostname: values.host,
    recording: values.counts ? "counts" : "records",
  });
  applyScript(simulator, script);
  process.stdout.write(`Simulated Claude API on ${simulator.url}\n`);
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => void simulator.stop());
}

function read(path: string): string {
  return readFileSync(path, "utf8");
}

function defaultScript() {
  return { accounts: DEFAULT_CREDENTIALS.map((credential) => ({ credential })) };
}

function readScript(path: string) {
  const script = parseScript(readFileSync(path, "utf8"));
  if (!script.ok) throw new Error(`Cannot read the script ${path}: ${script.error}`);
  return script.value;
}

try {
  await main();
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n${USAGE}`);
  process.exitCode = 2;
}
