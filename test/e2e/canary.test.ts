import { Database } from "bun:sqlite";
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { lstatSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Simulator, startSimulator } from "../../sim/simulator.ts";
import { type SimulatedTokenEndpoint, startTokenEndpoint } from "../../sim/token-endpoint.ts";
import { canariesIn, formsOf } from "./canary-forms.ts";
import { type SignedIn, signIn } from "./canary-people.ts";
import { type GatewayProcess, startGateway } from "./gateway-process.ts";

// Every class of secret goes through a real gateway that logs all it can, over a restart. Then everything that is left of it,
// and everything that it answered, is searched for each of them in every usual form.

setDefaultTimeout(120_000);

const root = mkdtempSync(join(tmpdir(), "bccf-canaries-"));
const dataDir = join(root, "data");
const temporary = join(root, "tmp");
/** The characters are those that every form writes in another way. */
const said = (name: string): string => `CANARY ${name} "q"/+\\ é`;

const canaries: Record<string, string> = {
  "account key": "sk-ant-api03-CANARYaccountkey0123456789",
  "refused account key": "sk-ant-api03-CANARYrefusedkey0123456789",
  "personal token": "sk-ant-oat01-CANARYpersonal0123456789ab",
  passphrase: said("passphrase"),
  password: said("password"),
  "wrong password": said("wrong password"),
  prompt: said("prompt"),
  system: said("system"),
  answer: said("answer"),
  thinking: said("thinking"),
  "tool input": said("tool input"),
  "error text": said("error text"),
  header: "CANARY-header-0123456789",
  cookie: "CANARY-cookie-0123456789",
  query: "CANARY-query-0123456789",
};
const canary = (name: string): string => canaries[name] ?? name;

let simulator: Simulator;
let endpoint: SimulatedTokenEndpoint;
let gateway: GatewayProcess;
let output = "";
let key = "";
let person: SignedIn;
const answers: string[] = [];
const issued: string[] = [];

const settings = {
  LOG_LEVEL: "trace",
  LOG_FORMAT: "json",
  LOG_FILE: join(root, "gateway.log"),
  TMPDIR: temporary,
  CLIENT_ID: "operator-client",
  BETTER_CCFLARE_PASSPHRASE_FILE: join(root, "passphrase"),
};

beforeAll(async () => {
  mkdirSync(temporary);
  writeFileSync(settings.BETTER_CCFLARE_PASSPHRASE_FILE, canary("passphrase"), { mode: 0o600 });
  simulator = await startSimulator();
  endpoint = await startTokenEndpoint({
    clientId: "operator-client",
    onIssued(token, expiresAtMs) {
      issued.push(token);
      simulator.account(token, { kind: "bearer", expiresAtMs });
    },
  });
  gateway = await startGateway({ dataDir, env: settings });
});

afterAll(async () => {
  await gateway.stop();
  await endpoint.stop();
  await simulator.stop();
  rmSync(root, { recursive: true, force: true });
});

/** A message; its answer is the client's own, and not searched. */
async function ask(presented: string, { stream = false, path = "/v1/messages" } = {}): Promise<string> {
  const answer = await fetch(`${gateway.url}${path}?beta=${canary("query")}`, {
    method: "POST",
    headers: {
      authorization: `Bearer ${presented}`,
      "content-type": "application/json",
      "x-canary": canary("header"),
      cookie: `sid=${canary("cookie")}`,
    },
    body: JSON.stringify({
      model: "claude-sonnet-5-5",
      max_tokens: 16,
      stream,
      system: canary("system"),
      // Kept as the conversation's name: it is no secret (docs/security/data.md).
      metadata: { user_id: "user-of-the-client" },
      messages: [{ role: "user", content: canary("prompt") }],
    }),
  });
  return answer.text();
}

async function keep(asking: Promise<Response>): Promise<void> {
  const answer = await asking;
  answers.push(`${answer.status} ${JSON.stringify([...answer.headers])} ${await answer.text()}`);
}

async function cli(command: string, stdin?: string): Promise<string> {
  const { stdout, stderr } = await gateway.cli(command.split(" "), stdin);
  answers.push(stdout, stderr);
  return stdout;
}

async function traffic(): Promise<void> {
  const upstream = simulator.account(canary("account key"));
  const content = { text: canary("answer"), textDeltas: 1, thinking: canary("thinking") };
  const tool = { toolUse: { name: "look", input: { at: canary("tool input") } } };
  upstream.enqueue({ kind: "message", ...content, ...tool });
  expect(JSON.stringify(JSON.parse(await ask(key)))).toContain("CANARY answer");
  upstream.enqueue({ kind: "stream", ...content, ...tool });
  expect(await ask(key, { stream: true })).toContain("CANARY thinking");
  upstream.enqueue({ kind: "status", status: 400, message: canary("error text") });
  expect(await ask(key)).toContain("CANARY error text");
  upstream.enqueue({
    kind: "stream",
    ...content,
    errorAfterEvents: 6,
    error: { type: "api_error", message: canary("error text") },
  });
  await ask(key, { stream: true });
  upstream.enqueue({ kind: "stream", ...content, cutAfterEvents: 6, cut: "reset" });
  await ask(key, { stream: true }).catch(() => undefined);
  upstream.enqueue({ kind: "streamError", message: canary("error text") }, { kind: "refuse" });
  await ask(key);
  upstream.enqueue({ kind: "raw", bytes: `HTTP/1.1 200 OK\r\nx-bad: ${canary("answer")}\u0000\r\n\r\n` });
  await ask(key);
  answers.push(await ask(canary("personal token")));
  // Answered by the simulator, with what it was sent.
  await ask(key, { path: "/v1/unknown" });
  answers.push(await ask(key, { path: "/nowhere" }));
}

/** An account by a login of its owner, twice: the second finish is refused. */
async function login(): Promise<void> {
  const client = { authorizeUrl: endpoint.authorizeUrl, tokenUrl: endpoint.url, scopes: ["inference"] };
  const socket = join(dataDir, readdirSync(dataDir).find((name) => name.endsWith(".sock")) ?? "");
  const post = (path: string, body: unknown) =>
    fetch(`http://localhost${path}`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
      unix: socket,
    });
  const more = { baseUrl: simulator.url, acceptTerms: true };
  const begun = await post("/api/logins", { name: "work", provider: "anthropic", ...client, ...more });
  const { session, authorizeUrl } = (await begun.json()) as { readonly session: string; readonly authorizeUrl: string };
  const { code, state } = endpoint.approve(authorizeUrl);
  await keep(post("/api/logins/finish", { session, code, state }));
  await keep(post("/api/logins/finish", { session, code, state }));
  // The session's id is stored as it is: it finishes nothing without the state, of which a digest alone is stored.
  Object.assign(canaries, { "authorization code": code, "login state": state });
  const exchanged = new URLSearchParams(endpoint.bodies.at(-1) ?? "");
  const verifier = exchanged.get("code_verifier") ?? String(jsonOf(endpoint.bodies.at(-1) ?? "")["code_verifier"]);
  canaries["PKCE verifier"] = verifier;
}

function jsonOf(text: string): Readonly<Record<string, unknown>> {
  return text.startsWith("{") ? (JSON.parse(text) as Readonly<Record<string, unknown>>) : {};
}

async function reports(): Promise<void> {
  const commands = [
    ...[
      "account list",
      "account show main",
      "account test main",
      "account test refused",
      "key list",
      "requests",
      "stats",
    ],
    ...["doctor", "config check", "keys status", "keys verify", "keys rotate-data-key", "audit list", "audit export"],
    ...["user list", "token list", "routes", "strategy show"],
  ];
  await Promise.all(commands.map((command) => cli(command)));
  const routes = [
    "accounts",
    "keys",
    "users",
    "tokens",
    "vault",
    "requests",
    "stats",
    "audit",
    "doctor",
    "openapi.json",
  ];
  for (const route of routes) await keep(person.call("GET", `/api/${route}`));
  for (const route of ["sessions", "session"]) {
    const answer = await person.call("GET", `/auth/${route}`);
    // The CSRF token is this page's own.
    answers.push((await answer.text()).replace(/"csrfToken":"[^"]*"/, ""));
  }
  await keep(fetch(`${gateway.url}/metrics`, { headers: { "x-api-key": key } }));
  await keep(fetch(`${gateway.url}/api/accounts?token=${canary("query")}`));
  for (const path of ["/", "/healthz", "/readyz"]) await keep(fetch(`${gateway.url}${path}`));
}

/** Sealed credentials and wrapped keys: no answer may give them out beside each other, or at all. */
function ciphertexts(): Readonly<Record<string, string>> {
  const database = new Database(join(dataDir, "gateway.db"), { readonly: true });
  const rows = database
    .query<{ readonly name: string; readonly sealed: Uint8Array }, []>(
      "select 'credential ' || name as name, credential as sealed from accounts union all select 'data key ' || id, wrapped from data_keys",
    )
    .all();
  database.close();
  return Object.fromEntries(rows.map(({ name, sealed }) => [name, Buffer.from(sealed).toString("latin1")]));
}

/** A secret that is bytes, as text of single bytes: raw, hex and base64 of the bytes themselves. */
function byteForms(latin1: string): readonly string[] {
  const bytes = Buffer.from(latin1, "latin1");
  return [bytes.toString("base64").slice(0, -4), bytes.toString("base64url").slice(0, -4), bytes.toString("hex")];
}

function filesBelow(directory: string): readonly (readonly [name: string, content: Buffer])[] {
  return readdirSync(directory, { recursive: true, encoding: "utf8" })
    .map((name) => join(directory, name))
    .filter((path) => lstatSync(path).isFile() && path !== settings.BETTER_CCFLARE_PASSPHRASE_FILE)
    .map((path) => [path.slice(root.length), readFileSync(path)]);
}

const found = (contents: readonly (readonly [string, Buffer])[]) =>
  contents.flatMap(([name, content]) => canariesIn(content, canaries).map((which) => `${which} in ${name}`));

test("every form of a canary is found", () => {
  for (const form of formsOf(canary("prompt"))) {
    const content = Buffer.concat([Buffer.from("before "), form, Buffer.from(" after")]);
    expect(canariesIn(content, { prompt: canary("prompt") })).toEqual(["prompt"]);
  }
  for (const offset of [0, 1, 2]) {
    const around = Buffer.from(`${"x".repeat(offset)}${canary("prompt")} and more`).toString("base64");
    expect(canariesIn(Buffer.from(around), { prompt: canary("prompt") })).toEqual(["prompt"]);
  }
});

test("T-10.02 T-10.13 T-10.28 T-23.01 no secret stays anywhere: disk, logs, answers, reports, metrics, over a restart", async () => {
  simulator.account(canary("account key"));
  await cli(`account add main --base-url ${simulator.url} --key-stdin`, canary("account key"));
  await cli(
    `account add refused --base-url ${simulator.url} --priority 900 --key-stdin`,
    canary("refused account key"),
  );
  key = (await gateway.createKey("laptop")).key;
  await login();
  person = await signIn(() => gateway, {
    password: canary("password"),
    wrong: canary("wrong password"),
    userName: "alice",
  });
  await cli("account pause main");
  expect(await ask(key)).toContain("from the simulator");
  await cli("account resume main");
  await cli("account pause work");
  await traffic();
  await reports();
  for (const [path, content] of filesBelow(root)) expect([path, canariesIn(content, canaries)]).toEqual([path, []]);

  const shownOnce = [gateway.firstKey, /bccf_st_[0-9A-Za-z]{59}/.exec(gateway.output())?.[0] ?? ""];
  output += gateway.output();
  expect(await gateway.stop()).toBe(0);
  gateway = await startGateway({ dataDir, env: settings });
  await cli("account resume main");
  await traffic();
  await reports();
  expect(answers.some((answer) => answer.includes('"problemCount":0') || answer.includes("all well"))).toBe(true);
  const sealed = ciphertexts();
  output += gateway.output();
  expect(await gateway.stop()).toBe(0);
  output += gateway.output();

  Object.assign(canaries, person.secrets);
  for (const [at, body] of endpoint.bodies.entries()) {
    const refresh = new URLSearchParams(body).get("refresh_token") ?? jsonOf(body)["refresh_token"];
    if (typeof refresh === "string") canaries[`refresh token ${at}`] = refresh;
  }
  for (const [at, token] of issued.entries()) canaries[`access token ${at}`] = token;
  for (const [at, each] of [key, gateway.firstKey, ...shownOnce].filter((text) => text !== "").entries()) {
    canaries[`shown once ${at}`] = each.slice(-40);
  }
  // They were there: a search that could find nothing proves nothing.
  expect(Object.values(canaries).filter((text) => text.length < 6)).toEqual([]);
  expect(Object.keys(canaries).length).toBeGreaterThan(25);
  expect(answers.length).toBeGreaterThan(60);

  const seen = shownOnce.reduce((text, each) => (each === "" ? text : text.replaceAll(each, "")), output);
  expect(found([["stdout and stderr", Buffer.from(seen)]])).toEqual([]);
  expect(found([["answers", Buffer.from(answers.join("\n"))]])).toEqual([]);
  const onDisk = filesBelow(root);
  expect(onDisk.map(([name]) => name)).toEqual(
    expect.arrayContaining(["/data/gateway.db", "/data/audit.log", "/gateway.log"]),
  );
  expect(found(onDisk)).toEqual([]);
  const given = answers.join("\n");
  const leaked = Object.entries(sealed).filter(([, text]) => byteForms(text).some((form) => given.includes(form)));
  expect(leaked.map(([name]) => name)).toEqual([]);
});
