import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { lstatSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type SimulatedAccount, type Simulator, startSimulator } from "../../sim/simulator.ts";
import { type GatewayProcess, startGateway } from "./gateway-process.ts";

// Secrets and conversations pass through, and stay nowhere: not on disk, not in the log, not in any report.

setDefaultTimeout(20_000);

const CREDENTIAL = "sk-ant-api03-CANARYcredential0123456789";
const WRONG_KEY = "sk-ant-oat01-CANARYlogin0123456789abcdef";
const MASTER_KEY = randomBytes(32);
const NEXT_MASTER_KEY = randomBytes(32);
const TEXTS = {
  prompt: "CANARYprompt",
  system: "CANARYsystem",
  answer: "CANARYanswer",
  thinking: "CANARYthinking",
  toolInput: "CANARYtool",
  errorText: "CANARYerror",
  header: "CANARYheader",
  query: "CANARYquery",
} as const;

const SETTINGS = {
  LOG_LEVEL: "trace",
  LOG_FORMAT: "json",
  BETTER_CCFLARE_ENCRYPTION_KEY: MASTER_KEY.toString("base64"),
};

let simulator: Simulator;
let upstream: SimulatedAccount;
let gateway: GatewayProcess;
let dataDir: string;
/** The secret part of each client key: the part before it names the key and may be shown. */
let clientSecrets: readonly string[];
let key: string;

beforeAll(async () => {
  dataDir = mkdtempSync(join(tmpdir(), "bccf-canary-"));
  simulator = await startSimulator();
  upstream = simulator.account(CREDENTIAL);
  gateway = await startGateway({ dataDir, env: SETTINGS });
  await gateway.addAccount("main", { baseUrl: simulator.url, credential: CREDENTIAL });
  key = (await gateway.createKey("laptop")).key;
  clientSecrets = [key, gateway.firstKey].map((each) => each.slice(-40));
});

afterAll(async () => {
  await gateway.stop();
  await simulator.stop();
  rmSync(dataDir, { recursive: true, force: true });
});

async function ask(stream: boolean, presented = key): Promise<string> {
  const answer = await fetch(`${gateway.url}/v1/messages?beta=${TEXTS.query}`, {
    method: "POST",
    headers: { authorization: `Bearer ${presented}`, "content-type": "application/json", "x-canary": TEXTS.header },
    body: JSON.stringify({
      model: "claude-sonnet-5-5",
      max_tokens: 16,
      stream,
      system: TEXTS.system,
      messages: [{ role: "user", content: TEXTS.prompt }],
    }),
  });
  return answer.text();
}

async function traffic(): Promise<void> {
  const said = {
    text: TEXTS.answer,
    textDeltas: 1,
    thinking: TEXTS.thinking,
    toolUse: { name: "look", input: { at: TEXTS.toolInput } },
  };
  const error = { type: "api_error", message: TEXTS.errorText };
  const overloaded = { kind: "status", status: 529, message: TEXTS.errorText } as const;
  upstream.enqueue({ kind: "message", ...said });
  expect(await ask(false)).toContain(TEXTS.answer);
  upstream.enqueue({ kind: "stream", ...said });
  expect(await ask(true)).toContain(TEXTS.thinking);
  upstream.enqueue({ kind: "status", status: 400, message: TEXTS.errorText });
  expect(await ask(false)).toContain(TEXTS.errorText);
  // After content: relayed. Before it: tried once more in place.
  upstream.enqueue({ kind: "stream", ...said, errorAfterEvents: 6, error });
  expect(await ask(true)).toContain(TEXTS.errorText);
  upstream.enqueue({ kind: "stream", ...said, cutAfterEvents: 6, cut: "reset" });
  await ask(true).catch(() => undefined);
  upstream.enqueue({ kind: "streamError", message: TEXTS.errorText }, { kind: "refuse" });
  expect(await ask(true)).not.toContain(TEXTS.answer);
  upstream.enqueue({ kind: "raw", bytes: `HTTP/1.1 200 OK\r\nx-bad: ${TEXTS.answer}\u0000\r\n\r\n` });
  expect(await ask(false)).toContain("GW_");
  upstream.enqueue(overloaded, overloaded);
  expect(await ask(false)).toContain(TEXTS.errorText);
  expect(await ask(false, WRONG_KEY)).toContain("GW_PROVIDER_CREDENTIAL");
  upstream.enqueue({ kind: "status", status: 429, message: TEXTS.errorText, headers: { "retry-after": "60" } });
  expect(await ask(false)).toContain(TEXTS.errorText);
}

async function reports(): Promise<string> {
  const commands = [
    ...["account list", "account show main", "account test main", "key list", "requests", "stats", "doctor"],
    ...["config check", "keys status", "keys verify", "keys rotate-data-key"],
  ].flatMap((command) => [command, `${command} --json`]);
  const results = await Promise.all(commands.map((command) => gateway.cli(command.split(" "))));
  const metrics = await fetch(`${gateway.url}/metrics`, { headers: { "x-api-key": key } });
  expect(metrics.status).toBe(200);
  expect(results.filter(({ stdout }) => stdout === "")).toEqual([]);
  return [...results.flatMap(({ stdout, stderr }) => [stdout, stderr]), await metrics.text()].join("\n");
}

/** The keys of the vault are changed once, so that both they and what they leave behind are looked for. */
async function rotateMasterKey(): Promise<string> {
  const keyFile = `${dataDir}.next-key`;
  writeFileSync(keyFile, NEXT_MASTER_KEY, { mode: 0o600 });
  const { code, stdout, stderr } = await gateway.cli(["keys", "rotate-master-key", "--new-key-file", keyFile]);
  rmSync(keyFile);
  expect(code).toBe(0);
  return stdout + stderr;
}

/** Every file below, as one text of single bytes. */
function filesBelow(directory: string): readonly { readonly name: string; readonly content: string }[] {
  return readdirSync(directory, { recursive: true, encoding: "utf8" })
    .filter((name) => lstatSync(join(directory, name)).isFile())
    .map((name) => ({ name, content: readFileSync(join(directory, name), "latin1") }));
}

/** The canaries in `content`, also as base64 or hex of themselves. */
function canariesIn(content: string, canaries: readonly string[]): readonly string[] {
  const forms = (canary: string) => {
    const bytes = Buffer.from(canary);
    return [canary, bytes.toString("base64").replace(/.{0,4}$/, ""), bytes.toString("hex")];
  };
  return canaries.filter((canary) => forms(canary).some((form) => content.includes(form)));
}

test("T-10.02 T-10.12 T-10.13 no canary is left on disk, in the log, in metrics or in any report", async () => {
  await traffic();
  const shown = (await reports()) + (await rotateMasterKey());
  const masterKeys = [MASTER_KEY, NEXT_MASTER_KEY].flatMap((each) =>
    (["base64", "hex", "latin1"] as const).map((form) => each.toString(form)),
  );
  const canaries = [CREDENTIAL, WRONG_KEY, ...clientSecrets, ...Object.values(TEXTS), ...masterKeys];
  // They did go out: a search that could find nothing proves nothing.
  const sent = upstream.requests.map(({ rawHead, body }) => Buffer.concat([rawHead, body]).toString("latin1")).join();
  expect(canariesIn(sent, [CREDENTIAL, TEXTS.prompt, TEXTS.system, TEXTS.header, TEXTS.query])).toHaveLength(5);
  expect(canariesIn(sent, clientSecrets)).toEqual([]);

  expect(canariesIn(shown, canaries)).toEqual([]);
  const onDisk = filesBelow(dataDir);
  expect(onDisk.map(({ name }) => name)).toContain("gateway.db-wal");
  expect(onDisk.filter(({ content }) => canariesIn(content, canaries).length > 0)).toEqual([]);
  const [firstOnly, ...log] = gateway.output().split(/(?<=ANTHROPIC_AUTH_TOKEN=\S+\n)/);
  expect(canariesIn(firstOnly ?? "", clientSecrets)).toEqual([gateway.firstKey.slice(-40)]);
  expect(log.join("")).toContain('"level"');
  expect(canariesIn(log.join(""), canaries)).toEqual([]);

  expect(await gateway.stop()).toBe(0);
  expect(filesBelow(dataDir).filter(({ content }) => canariesIn(content, canaries).length > 0)).toEqual([]);
  expect(canariesIn(gateway.output().replace(gateway.firstKey, ""), canaries)).toEqual([]);
});
