import { Database } from "bun:sqlite";
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type SimulatedAccount, type Simulator, startSimulator } from "../../sim/simulator.ts";
import { type GatewayProcess, startGateway } from "./gateway-process.ts";
import { messageStatus } from "./message-status.ts";

// Somebody who can write the database changes what is sealed in it. Each account is changed in one way; one is not.

setDefaultTimeout(60_000);

type Row = { readonly name: string; readonly credential: Uint8Array };
type Change = (row: Row, rows: ReadonlyMap<string, Row>) => Uint8Array | "older";

const credentialOf = (name: string): string => `sk-sim-CANARY-${name}`;
const flipped =
  (at: number): Change =>
  ({ credential }) =>
    credential.map((byte, position) => (position === (at < 0 ? credential.length + at : at) ? byte ^ 0x10 : byte));

const CHANGES: Readonly<Record<string, Change>> = {
  "flipped-version": flipped(0),
  "flipped-algorithm": flipped(1),
  "flipped-key-id": flipped(4),
  "flipped-nonce": flipped(8),
  "flipped-text": flipped(20),
  "flipped-tag": flipped(-1),
  cut: ({ credential }) => credential.slice(0, -5),
  "short-tag": ({ credential }) => credential.slice(0, -12),
  "moved-a": (_row, rows) => rows.get("moved-b")?.credential ?? new Uint8Array(0),
  "moved-b": (_row, rows) => rows.get("moved-a")?.credential ?? new Uint8Array(0),
  older: () => "older",
  plain: ({ name }) => Buffer.from(credentialOf(name)),
  base64: ({ credential }) => Buffer.from(Buffer.from(credential).toString("base64")),
};
const NAMES = [...Object.keys(CHANGES), "untouched"];

const dataDir = mkdtempSync(join(tmpdir(), "bccf-tampered-"));
let simulator: Simulator;
let gateway: GatewayProcess;
let key: string;
const upstream = new Map<string, SimulatedAccount>();
/** Requests with each credential before it was changed. */
const before = new Map<string, number>();

beforeAll(async () => {
  simulator = await startSimulator();
  const first = await startGateway({ dataDir });
  for (const name of NAMES) {
    upstream.set(name, simulator.account(credentialOf(name)));
    await first.addAccount(name, { baseUrl: simulator.url, credential: credentialOf(name) });
  }
  key = (await first.createKey("laptop")).key;
  await first.stop();
  for (const [name, { requests }] of upstream) before.set(name, requests.length);
  tamper();
  gateway = await startGateway({ dataDir, env: { LOG_LEVEL: "trace", LOG_FORMAT: "json" } });
});

afterAll(async () => {
  await gateway.stop();
  await simulator.stop();
  rmSync(dataDir, { recursive: true, force: true });
});

function tamper(): void {
  const database = new Database(join(dataDir, "gateway.db"));
  const found = database.query<Row, []>("select name, credential from accounts").all();
  const rows = new Map(found.map((row) => [row.name, row]));
  for (const row of found) {
    const changed = CHANGES[row.name]?.(row, rows);
    if (changed === "older") database.run("update accounts set generation = generation + 1 where name = ?", [row.name]);
    else if (changed !== undefined)
      database.run("update accounts set credential = ? where name = ?", [changed, row.name]);
  }
  database.close();
}

test("T-10.04 T-10.05 T-10.06 T-10.07 T-10.08 T-10.09 T-10.23 what was changed is no credential any more, and the account beside it works", async () => {
  for (let round = 0; round < 3; round += 1) expect(await messageStatus(gateway, key)).toBe(200);
  const accounts = await gateway.json<readonly { readonly name: string; readonly state: string }[]>([
    "account",
    "list",
  ]);
  const states = Object.fromEntries(accounts.map(({ name, state }) => [name, state]));
  expect(states).toEqual(Object.fromEntries(NAMES.map((name) => [name, name === "untouched" ? "ready" : "dead"])));
  const used = [...upstream]
    .filter(([name, { requests }]) => requests.length > (before.get(name) ?? 0))
    .map(([name]) => name);
  expect(used).toEqual(["untouched"]);
});

test("T-10.09 each is alerted in the log at the start, without anything of what it held", () => {
  const alerts = gateway
    .output()
    .split("\n")
    .filter((line) => line.includes("An account cannot be used"));
  expect(alerts.length).toBe(NAMES.length - 1);
  expect(alerts.every((line) => line.includes('"error"'))).toBe(true);
  expect(gateway.output()).not.toContain("CANARY");
  expect(gateway.output()).not.toContain(Buffer.from("sk-sim-CANARY").toString("base64").slice(0, 16));
});

test("T-10.10 verify names every one of them, and why", async () => {
  const { code, stdout } = await gateway.cli(["keys", "verify", "--json"]);
  expect(code).toBe(1);
  const { problems } = JSON.parse(stdout) as { readonly problems: readonly { readonly problem: string }[] };
  expect(problems.length).toBe(NAMES.length - 1);
  expect(new Set(problems.map(({ problem }) => problem))).toEqual(
    new Set([
      "changed, moved, or put back from an older version",
      "sealed with a data key that is not here",
      "not a sealed value",
    ]),
  );
});
