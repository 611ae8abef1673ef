import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Simulator, startSimulator } from "../../sim/simulator.ts";
import { type GatewayProcess, startGateway } from "./gateway-process.ts";
import { connectRaw } from "./raw-http.ts";

const OWN_KEY = "sk-ant-api03-own-key-of-a-client-canary";
const MODEL = "claude-sonnet-5-5";
const directory = mkdtempSync(join(tmpdir(), "bccf-keys-"));

let simulator: Simulator;
let gateway: GatewayProcess;

beforeAll(async () => {
  simulator = await startSimulator();
  for (const credential of ["sk-sim-first", OWN_KEY]) simulator.account(credential);
  const config = join(directory, "gateway.toml");
  const lines = ["[passthrough]", `baseUrl = "${simulator.url}"`, "[limits]", "failedKeysPerMinute = 1000"];
  writeFileSync(config, lines.join("\n"), { mode: 0o600 });
  const env = {
    BETTER_CCFLARE_CONFIG_PATH: config,
    BETTER_CCFLARE_PASSTHROUGH: "1",
    BETTER_CCFLARE_ALLOW_FROM: "127.0.0.0/28,127.1.0.0/16",
  };
  gateway = await startGateway({ env });
  await gateway.addAccount("first", { baseUrl: simulator.url, credential: "sk-sim-first" });
});

afterAll(async () => {
  await gateway.stop();
  await simulator.stop();
  rmSync(directory, { recursive: true, force: true });
});

async function keyOf(name: string, ...flags: readonly string[]): Promise<string> {
  const { key } = await gateway.json<{ key: string }>(["key", "create", name, ...flags]);
  return key;
}

type Ask = { readonly fields: string; readonly model?: string; readonly from?: string };

/** One message, byte by byte as given, from an address of this machine. */
async function ask({ fields, model = MODEL, from = "127.0.0.1" }: Ask) {
  const client = await connectRaw(Number(new URL(gateway.url).port), from);
  const body = JSON.stringify({ model, max_tokens: 8, messages: [{ role: "user", content: "hi" }] });
  try {
    await client.write(
      `POST /v1/messages HTTP/1.1\r\nHost: gateway\r\n${fields}\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
    );
    const { status, body: answer } = await client.answer();
    return { status, text: answer.toString() };
  } finally {
    client.close();
  }
}

function sent(): number {
  return simulator.requests.length;
}

function storedBytes(): Buffer {
  const names = readdirSync(gateway.dataDir, { recursive: true, encoding: "utf8" });
  const files = names.filter((name) => /\.(?:db|db-wal|spool|log|jsonl)$|spool|audit/.test(name));
  const contents = files.flatMap((name) => {
    try {
      return [readFileSync(join(gateway.dataDir, name))];
    } catch {
      // A directory.
      return [];
    }
  });
  return Buffer.concat([...contents, Buffer.from(gateway.output())]);
}

test("T-2.03 a key is in the one answer that made it, and nowhere else", async () => {
  const key = await keyOf("secretive");
  expect((await ask({ fields: `x-api-key: ${key}` })).status).toBe(200);
  const shown = await Promise.all(
    [["key", "list"], ["key", "show", "secretive"], ["requests"], ["audit", "list"]].map((args) =>
      gateway.cli([...args, "--json"]),
    ),
  );
  const all = Buffer.concat([...shown.map(({ stdout }) => Buffer.from(stdout)), storedBytes()]).toString("latin1");
  expect(all).toContain("secretive");
  const secret = key.slice("bccf_sk_".length + 10);
  expect(all).not.toContain(secret);
  for (let at = 0; at + 12 <= secret.length; at += 1) expect(all).not.toContain(secret.slice(at, at + 12));
});

test("T-2.09 over the wire: rotated with an overlap, then the old key is refused", async () => {
  const old = await keyOf("rotated");
  const fresh = (await gateway.json<{ key: string }>(["key", "rotate", "rotated", "--overlap", "3s"])).key;
  const statuses = () =>
    Promise.all([old, fresh].map(async (key) => (await ask({ fields: `x-api-key: ${key}` })).status));
  expect(await statuses()).toEqual([200, 200]);
  const endsAtMs = Date.now() + 3_100;
  while (Date.now() < endsAtMs) await Bun.sleep(100);
  expect(await statuses()).toEqual([401, 200]);
});

test("T-2.12 over the wire: another model is refused, and nothing goes upstream", async () => {
  const key = await keyOf("restricted", "--model", MODEL);
  const before = sent();
  const refused = await ask({ fields: `x-api-key: ${key}`, model: "claude-opus-5" });
  expect(refused).toMatchObject({ status: 403, text: expect.stringContaining("GW_KEY_MODEL") });
  expect(sent()).toBe(before);
  expect((await ask({ fields: `x-api-key: ${key}` })).status).toBe(200);
});

test("T-2.13 over the wire: a key of one network is refused from another address, X-Forwarded-For or not", async () => {
  const key = await keyOf("local", "--from", "127.1.0.0/16");
  const fields = `x-api-key: ${key}\r\nX-Forwarded-For: 127.1.2.3`;
  expect(await ask({ fields })).toMatchObject({ status: 403, text: expect.stringContaining("GW_KEY_ADDRESS") });
  expect((await ask({ fields, from: "127.1.2.3" })).status).toBe(200);
});

test("T-26.27 the Unix socket is no address: lists of the listener do not keep the operator out", async () => {
  const refused = await ask({ fields: `x-api-key: ${gateway.firstKey}`, from: "127.9.9.9" });
  expect(refused).toMatchObject({ status: 403, text: expect.stringContaining("GW_ADDRESS") });
  expect((await gateway.cli(["key", "list"])).code).toBe(0);
});

describe("T-2.18 a key over the wire", () => {
  const ways: readonly { what: string; fields: (key: string) => string; statuses: readonly number[] }[] = [
    { what: "as bearer", fields: (key) => `Authorization: bearer ${key}`, statuses: [200] },
    { what: "as BEARER with two blanks", fields: (key) => `Authorization: BEARER  ${key}`, statuses: [200] },
    { what: "with blanks around it", fields: (key) => `x-api-key: \t ${key} \t`, statuses: [200] },
    {
      what: "with a blank inside",
      fields: (key) => `x-api-key: ${key.slice(0, 20)} ${key.slice(20)}`,
      statuses: [401],
    },
    { what: "of 1 MiB", fields: (key) => `x-api-key: ${key}${"x".repeat(1024 * 1024)}`, statuses: [431] },
    { what: "of 12 KiB", fields: (key) => `x-api-key: ${key}${"x".repeat(12 * 1024)}`, statuses: [401] },
    { what: "with a NUL", fields: (key) => `x-api-key: ${key}\0`, statuses: [400] },
    {
      what: "with look-alikes",
      fields: (key) => `x-api-key: ${key.replace("bccf", "b\u0441\u0441f")}`,
      statuses: [400],
    },
    { what: "in full width", fields: (key) => `x-api-key: \uff42${key.slice(1)}`, statuses: [400] },
    { what: "in capitals", fields: (key) => `x-api-key: ${key.toUpperCase()}`, statuses: [401] },
    { what: "twice", fields: (key) => `x-api-key: ${key}\r\nX-Api-Key: ${key}`, statuses: [400] },
    { what: "as Basic", fields: (key) => `Authorization: Basic ${key}`, statuses: [401] },
    { what: "with a tab behind Bearer", fields: (key) => `Authorization: Bearer\t${key}`, statuses: [401] },
  ];
  let key = "";
  beforeAll(async () => {
    key = await keyOf("spelled");
  });

  test.each(ways)("$what: $statuses", async ({ fields, statuses }) => {
    const before = sent();
    const { status, text } = await ask({ fields: fields(key) });
    expect(statuses).toContain(status);
    expect(text).not.toContain(key);
    expect(sent() - before).toBe(status === 200 ? 1 : 0);
    expect((await fetch(`${gateway.url}/healthz`)).status).toBe(200);
  });
});

test("a provider key of the client's own reaches its upstream and is kept nowhere", async () => {
  const key = await keyOf("brings", "--scope", "messages", "--scope", "passthrough");
  const answered = await ask({ fields: `x-better-ccflare-key: ${key}\r\nx-api-key: ${OWN_KEY}` });
  expect(answered.status).toBe(200);
  expect(simulator.requests.at(-1)).toMatchObject({ credential: OWN_KEY });
  const [line] = await gateway.requests(1);
  expect(line).toMatchObject({ account: null, clientKey: "brings", status: 200, outcome: "completed", attempts: 1 });
  const before = sent();
  const personal = await ask({ fields: `x-better-ccflare-key: ${key}\r\nAuthorization: Bearer sk-ant-oat01-canary` });
  expect(personal).toMatchObject({ status: 401, text: expect.stringContaining("GW_PROVIDER_CREDENTIAL") });
  expect(sent()).toBe(before);
  expect(storedBytes().toString("latin1")).not.toContain("canary");
});
