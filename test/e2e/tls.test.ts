import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { chmodSync, copyFileSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Anthropic from "@anthropic-ai/sdk";
import { createCertificateAuthority, type Pair } from "../../sim/certificate-authority.ts";
import { type Simulator, startSimulator } from "../../sim/simulator.ts";
import { type GatewayOptions, type GatewayProcess, runCli, startGateway } from "./gateway-process.ts";

setDefaultTimeout(30_000);

const authority = createCertificateAuthority();
const names = "DNS:localhost,IP:127.0.0.1";
const root = mkdtempSync(join(tmpdir(), "bccf-tls-"));
afterAll(() => {
  authority[Symbol.dispose]();
  rmSync(root, { recursive: true, force: true });
});

const CREDENTIAL = "sk-ant-canary-0123456789";
const MESSAGE = JSON.stringify({
  model: "claude-sonnet-4-5",
  max_tokens: 64,
  messages: [{ role: "user", content: "hi" }],
});
const STREAMED = MESSAGE.replace("{", '{"stream":true,');

let made = 0;
function fresh(name: string, options = {}): Pair {
  made += 1;
  return authority.issue(`${name}${made}`, { names, ...options });
}

function configFile(text: string): string {
  made += 1;
  const path = join(root, `${made}.toml`);
  writeFileSync(path, text, { mode: 0o600 });
  return path;
}

const over = (pair: Pair, more: Record<string, string> = {}) => ({
  SSL_CERT_PATH: pair.certFile,
  SSL_KEY_PATH: pair.keyFile,
  NODE_EXTRA_CA_CERTS: authority.rootFile,
  ...more,
});

type World = AsyncDisposable & { readonly gateway: GatewayProcess; readonly simulator: Simulator };

/** The gateway over TLS before a simulated API over TLS. */
async function startWorld(options: GatewayOptions, upstream: Pair = fresh("upstream")): Promise<World> {
  const simulator = await startSimulator({ tls: upstream });
  simulator.account(CREDENTIAL);
  const gateway = await startGateway(options);
  await gateway.addAccount("one", { baseUrl: simulator.url, credential: CREDENTIAL });
  return {
    gateway,
    simulator,
    async [Symbol.asyncDispose]() {
      await gateway.stop();
      await simulator.stop();
    },
  };
}

type Curled = { readonly code: number | null; readonly out: string; readonly problem: string };

async function curl(...words: string[]): Promise<Curled> {
  const child = Bun.spawn(["curl", "-sS", "-m", "10", ...words], { stdout: "pipe", stderr: "pipe" });
  const [out, problem] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()]);
  return { code: await child.exited, out, problem };
}

function messageWords(gateway: GatewayProcess, body = MESSAGE): readonly string[] {
  const headers = [`authorization: Bearer ${gateway.firstKey}`, "content-type: application/json"];
  const trusted = ["--cacert", authority.rootFile];
  return [...trusted, ...headers.flatMap((line) => ["-H", line]), "-d", body, `${gateway.url}/v1/messages`];
}

type AuditLine = { readonly code: string; readonly before: unknown; readonly after: unknown; readonly reason?: string };

async function auditOf(gateway: GatewayProcess, prefix: string): Promise<readonly AuditLine[]> {
  const entries = await gateway.json<readonly AuditLine[]>(["audit", "list", "--limit", "200"]);
  return entries.filter(({ code }) => code.startsWith(prefix)).toReversed();
}

/** Without the look at the models that adding an account begins with. */
function messagesAt({ requests }: Simulator) {
  return requests.filter(({ target }) => target.startsWith("/v1/messages"));
}

async function until(holds: () => boolean): Promise<void> {
  const endsAtMs = performance.now() + 15_000;
  while (!holds()) {
    if (performance.now() > endsAtMs) throw new Error("Cannot see it happen within 15 s");
    await Bun.sleep(20);
  }
}

describe("the gateway over TLS", () => {
  test("T-25.01 T-25.12 is called by curl, plain and streamed, and answers nothing without TLS", async () => {
    await using world = await startWorld({ env: over(fresh("gateway")) });
    const { gateway, simulator } = world;
    expect(gateway.url).toStartWith("https://127.0.0.1:");
    const answer = await curl(
      "--http2",
      "-o",
      "-",
      "-w",
      "\n%{http_version} %{ssl_verify_result}",
      ...messageWords(gateway),
    );
    expect([answer.code, answer.out.split("\n").at(-1)]).toEqual([0, "1.1 0"]);
    const stream = await curl("-N", ...messageWords(gateway, STREAMED));
    expect(stream.out).toContain("event: message_stop");
    expect(messagesAt(simulator)).toHaveLength(2);
    const plain = await curl("-i", gateway.url.replace("https:", "http:"));
    expect([plain.code === 0, plain.out]).toEqual([false, ""]);
    const untrusted = await curl(gateway.url);
    expect(untrusted.problem).toContain("certificate");
    // The start told whom it trusts beside the public authorities, and the first connection who certified upstream.
    expect((await auditOf(gateway, "TLS")).map(({ code }) => code)).toEqual(["TLS003I"]);
    expect(await auditOf(gateway, "UPS")).toMatchObject([
      { code: "UPS001I", before: { issuer: null }, after: { issuer: "ca" } },
    ]);
  });

  test("T-25.01 the official SDK streams over it, and eight megabytes arrive as they were sent", async () => {
    await using world = await startWorld({ env: over(fresh("gateway")) });
    const { gateway, simulator } = world;
    const client = new Anthropic({
      baseURL: gateway.url,
      apiKey: gateway.firstKey,
      maxRetries: 0,
      fetch: (url, init) => fetch(url, { ...init, tls: { ca: authority.root } }),
    });
    const content = "x".repeat(8 * 1024 * 1024);
    const order = { model: "claude-sonnet-4-5", max_tokens: 64, messages: [{ role: "user" as const, content }] };
    const message = await client.messages.stream(order).finalMessage();
    expect(message.stop_reason).toBe("end_turn");
    const [record] = messagesAt(simulator);
    const body = JSON.stringify({ ...order, stream: true });
    expect(record?.bodySha256).toBe(new Bun.CryptoHasher("sha256").update(body).digest("hex"));
  });

  test("T-25.06 what a client says of certificates is not believed and not passed on", async () => {
    await using world = await startWorld({ env: over(fresh("gateway")) });
    const forged = ["X-Client-Cert", "X-Client-Cert-Subject", "X-SSL-Client-Verify", "SSL-Client-Cert", "Client-Cert"];
    const known = [...forged, "Client-Cert-Chain", "X-Forwarded-Client-Cert"];
    const words = known.flatMap((name) => ["-H", `${name}: forged`]);
    expect((await curl(...words, ...messageWords(world.gateway))).code).toBe(0);
    expect(messagesAt(world.simulator)).toHaveLength(1);
    expect(new TextDecoder("latin1").decode(messagesAt(world.simulator)[0]?.rawHead).toLowerCase()).not.toContain(
      "forged",
    );
  });

  test("T-25.04 a renewed pair is shown to new clients while a stream runs to its end", async () => {
    const pair = fresh("old");
    await using world = await startWorld({ env: over(pair) });
    const { gateway, simulator } = world;
    simulator.account(CREDENTIAL).enqueue({ kind: "stream", textDeltas: 60, eventDelayMs: 100 });
    const stream = curl("-N", ...messageWords(gateway, STREAMED));
    await simulator.waitFor((requests) => requests.length === 1);
    const renewed = fresh("renewed");
    copyFileSync(renewed.certFile, pair.certFile);
    copyFileSync(renewed.keyFile, pair.keyFile);
    await until(() => gateway.output().includes("New TLS files are in use"));
    const shown = await curl("-v", "--cacert", authority.rootFile, `${gateway.url}/healthz`);
    expect(shown.problem).toContain(`CN=renewed${made}`);
    const { out, code } = await stream;
    expect([code, out.includes("event: message_stop")]).toEqual([0, true]);
    writeFileSync(pair.certFile, "half");
    await until(() => gateway.output().includes("New TLS files cannot be used"));
    expect((await curl("--cacert", authority.rootFile, `${gateway.url}/healthz`)).out).toBe("ok\n");
    expect((await auditOf(gateway, "TLS001")).map(({ code: each }) => each)).toEqual(["TLS001I", "TLS001E"]);
  });

  test("T-25.05 clients without the right certificate are refused, and the reasons are in the audit log", async () => {
    const config = configFile(
      `[tls]\nclientCaFile = ${JSON.stringify(authority.rootFile)}\nclientNames = ["DNS:agent.example"]\n`,
    );
    await using world = await startWorld({ env: over(fresh("gateway")), args: ["--config", config] });
    const { gateway } = world;
    const agent = fresh("agent", { names: "DNS:agent.example", extensions: ["extendedKeyUsage=clientAuth"] });
    const other = fresh("other", { names: "DNS:other.example", extensions: ["extendedKeyUsage=clientAuth"] });
    const shown = (pair: Pair) => ["--cert", pair.certFile, "--key", pair.keyFile];
    expect((await curl(...shown(agent), ...messageWords(gateway))).out).toContain('"type":"message"');
    expect((await curl(...shown(other), ...messageWords(gateway))).out).toContain("GW_CLIENT_CERTIFICATE");
    expect((await curl(...messageWords(gateway))).code).not.toBe(0);
    expect(messagesAt(world.simulator)).toHaveLength(1);
    gateway.signal("SIGTERM");
    await gateway.exited;
    expect(gateway.output()).toMatch(/Client certificates were refused.*not_listed/);
    expect(gateway.output()).toMatch(/Client certificates were refused.*peer_did_not_return_a_certificate/);
  });
});

describe("a start that must not be", () => {
  test.each([
    {
      name: "a key that others may read",
      spoil: (pair: Pair) => chmodSync(pair.keyFile, 0o644),
      says: "its mode is 0644",
    },
    {
      name: "a pair that does not match",
      spoil: (pair: Pair) => writeFileSync(pair.certFile, fresh("x").cert),
      says: "not the key",
    },
    { name: "no certificate", spoil: (pair: Pair) => rmSync(pair.certFile), says: "cannot be opened (ENOENT)" },
  ])("T-25.04 $name refuses it with the fix, and leaves the data directory free", async ({ spoil, says }) => {
    const dataDir = mkdtempSync(join(root, "data-"));
    const pair = fresh("refused");
    spoil(pair);
    const refused = startGateway({ dataDir, env: over(pair) });
    await expect(refused).rejects.toThrow(says);
    const env = { PATH: process.env["PATH"] ?? "", HOME: dataDir, ...over(pair) };
    const checked = await runCli(["config", "check"], env);
    expect([checked.code, checked.stdout + checked.stderr]).toEqual([1, expect.stringContaining(says)]);
    const gateway = await startGateway({ dataDir });
    await gateway.stop();
  });

  test("T-25.05 a file of authorities that is missing refuses it", async () => {
    const config = configFile('[tls]\nclientCaFile = "/nonexistent/ca.pem"\n');
    const refused = startGateway({ env: over(fresh("gateway")), args: ["--config", config] });
    await expect(refused).rejects.toThrow("Cannot use /nonexistent/ca.pem: it cannot be opened (ENOENT)");
  });

  test.each([
    { name: "NODE_TLS_REJECT_UNAUTHORIZED", value: "0" },
    { name: "NODE_OPTIONS", value: "--insecure-http-parser" },
    { name: "BUN_OPTIONS", value: "--inspect=127.0.0.1:0" },
  ])("T-25.11 $name=$value refuses it", async ({ name, value }) => {
    await expect(startGateway({ env: { [name]: value } })).rejects.toThrow(`Cannot use ${name}`);
  });
});

describe("upstream", () => {
  test("T-25.10 another issuer is logged and audited, after a restart as well", async () => {
    const dataDir = mkdtempSync(join(root, "data-"));
    const other = authority.otherRoot("elsewhere");
    const both = join(root, "both.pem");
    writeFileSync(both, authority.root + other.cert);
    const env = { NODE_EXTRA_CA_CERTS: both };
    let port = 0;
    for (const upstream of [fresh("first"), fresh("second", { issuer: "elsewhere" })]) {
      const simulator = await startSimulator({ tls: upstream, port });
      port = simulator.port;
      simulator.account(CREDENTIAL);
      const gateway = await startGateway({ dataDir, env });
      if (upstream.cert === undefined || (await gateway.json<readonly unknown[]>(["account", "list"])).length === 0) {
        await gateway.addAccount("one", { baseUrl: simulator.url, credential: CREDENTIAL });
      } else {
        expect((await gateway.cli(["account", "test", "one"])).code).toBe(0);
        await until(() => gateway.output().includes("The issuer of an upstream's certificate changed"));
        expect((await auditOf(gateway, "UPS001")).at(-1)).toMatchObject({
          before: { issuer: "ca" },
          after: { issuer: "elsewhere" },
        });
      }
      await gateway.stop();
      await simulator.stop();
    }
  });

  test("T-25.09 an enforced pin that does not match: no request, and an entry in the audit log", async () => {
    const pins = `127.0.0.1 enforce 2090-01-01 sha256/${"A".repeat(43)}= sha256/${"B".repeat(43)}=`;
    const args = ["--config", configFile(`[upstream]\npins = ["${pins}"]\n`)];
    const simulator = await startSimulator({ tls: fresh("upstream") });
    simulator.account(CREDENTIAL);
    const gateway = await startGateway({ args, env: over(fresh("gateway"), { RETRY_ATTEMPTS: "1" }) });
    const added = await gateway.cli(["account", "add", "one", "--base-url", simulator.url, "--key-stdin"], CREDENTIAL);
    expect(added.stderr + added.stdout).toContain("matches no pin");
    expect(simulator.requests).toEqual([]);
    expect((await auditOf(gateway, "UPS")).map(({ code }) => code)).toEqual(["UPS002E"]);
    await gateway.stop();
    await simulator.stop();
  });

  test("T-15.01 T-15.04 a client cannot say where its request goes, and nobody can move an account", async () => {
    await using world = await startWorld({ env: over(fresh("gateway")) });
    const { gateway, simulator } = world;
    const elsewhere = await startSimulator();
    const named = ["X-Base-Url", "X-Api-Base-Url", "X-Portkey-Custom-Host", "X-Upstream-Base-Url"];
    const words = named.flatMap((name) => ["-H", `${name}: ${elsewhere.url}`]);
    const fields = `"api_base":"${elsewhere.url}","base_url":"${elsewhere.url}","baseUrl":"${elsewhere.url}",`;
    const target = messageWords(gateway, MESSAGE.replace("{", `{${fields}`));
    expect((await curl(...words, ...target)).out).toContain('"type":"message"');
    const unix = join(gateway.dataDir, "control.sock");
    const headers = { "content-type": "application/json" };
    for (const method of ["PUT", "PATCH", "POST"]) {
      const body = JSON.stringify({ baseUrl: elsewhere.url, base_url: elsewhere.url });
      const answer = await fetch("http://localhost/api/accounts/one", { method, unix, headers, body });
      expect(answer.ok).toBe(false);
    }
    const moved = JSON.stringify({ name: "one", baseUrl: elsewhere.url });
    expect((await fetch("http://localhost/api/accounts", { method: "POST", unix, headers, body: moved })).ok).toBe(
      false,
    );
    expect((await curl(...messageWords(gateway))).out).toContain('"type":"message"');
    expect([simulator.requests.length >= 2, elsewhere.counters.connections]).toEqual([true, 0]);
    await elsewhere.stop();
  });

  test("T-15.01 T-15.08 an account that points inside is refused in the same words, whatever listens there", async () => {
    const listening = await startSimulator();
    const gateway = await startGateway({ env: { BETTER_CCFLARE_ALLOW_PRIVATE_UPSTREAMS: "0" } });
    const said: string[] = [];
    for (const url of [`https://127.0.0.1:${listening.port}`, "https://127.0.0.1:1", "https://10.0.0.1"]) {
      const added = await gateway.cli(["account", "add", "inside", "--base-url", url, "--key-stdin"], CREDENTIAL);
      expect(added.code).toBe(1);
      said.push(added.stderr);
    }
    expect(new Set(said).size).toBe(1);
    expect(said[0]).toContain("its host is not public");
    expect(listening.counters.connections).toBe(0);
    await gateway.stop();
    await listening.stop();
  });
});
