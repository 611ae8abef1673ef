import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parseIpNetwork } from "../domain/access/ip-address.ts";
import { Secret } from "../kernel/secret.ts";
import { epochMs } from "../kernel/time.ts";
import { createAuditWebhook } from "./audit-webhook.ts";
import { parseBaseUrl } from "./base-url.ts";
import { parseEndpointUrl } from "./endpoint-url.ts";
import { createModelProbe } from "./model-probe.ts";
import type { Resolve } from "./resolver.ts";
import {
  answered,
  collect,
  failed,
  NEVER,
  request,
  respond,
  SECRET_TEXT,
  startServer,
} from "./scripted-server.test.ts";
import { createUpstream } from "./upstream.ts";

const CLOSED = { allowPrivate: false };

function network(text: string) {
  const parsed = parseIpNetwork(text);
  if (!parsed.ok) throw new Error(`Cannot read ${text}`);
  return parsed.value;
}

/** Hosts whose text alone says that they are private, or no host at all. */
const REFUSED_BY_TEXT = [
  "http://api.anthropic.com",
  ...[
    "127.0.0.1",
    "127.1",
    "0",
    "0.0.0.0",
    "2130706433",
    "0x7f.1",
    "0177.0.0.1",
    "localhost",
    "localhost.",
    "LOCALHOST",
    "[::1]",
    "[::]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[64:ff9b::7f00:1]",
    "[2002:7f00:1::]",
    "[fe80::1]",
    "[fc00::1]",
    "[fec0::1]",
    "169.254.169.254",
    "[fd00:ec2::254]",
    "metadata.google.internal",
    "100.100.100.200",
    "10.0.0.1",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.0.1",
    "100.64.0.1",
    "192.0.0.192",
    "198.18.0.1",
    "224.0.0.1",
    "255.255.255.255",
    "127。0。0。1",
    "①②⑦.⓪.⓪.①",
    "a@host.example",
    "host\\@evil.example",
    "evil.example#@host.example",
    "host.example:22",
  ].map((host) => `https://${host}`),
  "gopher://host.example",
  "file:///etc/passwd",
  "data:text/plain,x",
  "unix:/run/x.sock",
];

describe("T-15.01 a base URL that points inside", () => {
  test.each(REFUSED_BY_TEXT)("T-15.01 %s is refused when it is saved, and when it is dialled", async (url) => {
    expect(parseBaseUrl(url, CLOSED).ok).toBe(false);
    expect(parseEndpointUrl(url, CLOSED).ok).toBe(false);
    const looked: string[] = [];
    const upstream = createUpstream({
      ...CLOSED,
      resolve: async (name) => {
        looked.push(name);
        return ["127.0.0.1"];
      },
    });
    const failure = failed(await upstream.send(request(url), NEVER));
    expect(failure).toMatchObject({ kind: "address_refused", wasSent: false });
    expect([looked, upstream.stats().openSockets]).toEqual([[], 0]);
    await upstream.stop();
  });

  test.each([
    { name: "a name for a private address", addresses: ["169.254.169.254"] },
    { name: "a public address and a private one", addresses: ["93.184.216.34", "10.0.0.1"] },
    { name: "a name that leads to another, which is private", addresses: ["127.0.0.1"] },
    { name: "a mapped private address", addresses: ["::ffff:10.0.0.1"] },
    { name: "a NAT64 address of a private one", addresses: ["64:ff9b::a00:1"] },
  ])("T-15.01 $name is refused when it is dialled", async ({ addresses }) => {
    const upstream = createUpstream({ ...CLOSED, resolve: async () => addresses });
    const failure = failed(await upstream.send(request("https://169.254.169.254.nip.example"), NEVER));
    expect(failure).toMatchObject({ kind: "address_refused", wasSent: false });
    await upstream.stop();
  });

  test("T-15.01 a name that does not resolve is not dialled", async () => {
    const resolve: Resolve = () => Promise.reject(Object.assign(new Error("no such name"), { code: "ENOTFOUND" }));
    const upstream = createUpstream({ ...CLOSED, resolve });
    expect(failed(await upstream.send(request("https://nowhere.example"), NEVER)).wasSent).toBe(false);
    await upstream.stop();
  });
});

describe("T-15.02 a name that is bound to another address later", () => {
  test("T-15.02 the address that was checked is the one that is dialled: the name is not looked up again", async () => {
    using server = startServer({ onRequest: (peer) => peer.write(respond("ok")) });
    let asked = 0;
    // Listed first, then a private one outside the list.
    const resolve: Resolve = async () => (asked++ === 0 ? ["127.0.0.1"] : ["127.0.0.2"]);
    const upstream = createUpstream({ ...CLOSED, resolve, privateNetworks: [network("127.0.0.1/32")] });
    const response = answered(await upstream.send(request(`http://rebind.test:${server.port}`), NEVER));
    await collect(response);
    expect([asked, server.peers[0]?.socket.localAddress]).toEqual([1, "127.0.0.1"]);
    await upstream.stop();
  });

  test("T-15.02 a second answer that is private is refused", async () => {
    let asked = 0;
    let nowMs = 0;
    const { createResolver } = await import("./resolver.ts");
    const resolver = createResolver({
      addresses: CLOSED,
      nowMs: () => nowMs,
      resolve: async () => (asked++ === 0 ? ["93.184.216.34"] : ["127.0.0.1"]),
    });
    expect(await resolver("rebind.example")).toEqual({ ok: true, value: ["93.184.216.34"] });
    nowMs = 31_000;
    expect(await resolver("rebind.example")).toMatchObject({ ok: false, error: { kind: "address_refused" } });
  });
});

test.each([301, 302, 303, 307, 308])("T-15.03 a redirect with %d is given back, and never followed", async (status) => {
  using inner = startServer({});
  using outer = startServer({
    onRequest: (peer) =>
      peer.write(`HTTP/1.1 ${status} Moved\r\nLocation: ${inner.url}/x\r\nContent-Length: 0\r\n\r\n`),
  });
  const upstream = createUpstream({ allowPrivate: true });
  const response = answered(await upstream.send(request(outer.url), NEVER));
  expect(response.status).toBe(status);
  await collect(response);
  await Bun.sleep(30);
  expect(inner.peers).toEqual([]);
  await upstream.stop();
});

describe("T-15.05 every way out", () => {
  test("T-15.05 the probe of an account is refused a private target like any request", async () => {
    using server = startServer({});
    const upstream = createUpstream(CLOSED);
    const probe = createModelProbe(upstream);
    const account = { baseUrl: `https://127.0.0.1:${server.port}`, credentialKind: "api_key" };
    const listed = await probe.listModels(account as never, new Secret("test", SECRET_TEXT));
    expect(listed).toMatchObject({ ok: false, error: { status: null } });
    expect(server.peers).toEqual([]);
    await upstream.stop();
  });

  test("T-15.05 the audit log's webhook is refused a private target like any request", async () => {
    using server = startServer({});
    const upstream = createUpstream({ ...CLOSED, resolve: async () => ["127.0.0.1"] });
    for (const url of [`https://127.0.0.1:${server.port}/in`, "https://hook.example/in"]) {
      expect(await webhookTo(upstream, url).send([LINE])).toMatchObject({ ok: false });
    }
    expect(server.peers).toEqual([]);
    await upstream.stop();
  });

  test("T-15.05 nothing dials but the one client, and the CLI to the gateway's own socket", () => {
    const root = join(import.meta.dir, "..");
    const dialling =
      /\bfetch\(|Bun\.connect\(|\b(?:http|https|http2|net|tls)\.(?:request|get|connect)\(|from "node:(?:http|https|http2|net|tls|dgram)"|new WebSocket/;
    const found = [...new Bun.Glob("**/*.ts").scanSync(root)]
      .filter((path) => !path.endsWith(".test.ts") && dialling.test(codeOf(readFileSync(join(root, path), "utf8"))))
      .toSorted();
    const known = [
      "cli/admin-client.ts", // the Unix socket
      "cli/redirect-listener.ts", // listens for the browser of a login
      "http/tls/tls-terms.ts", // makes a context, dials nothing
      "upstream/dialer.ts",
      "upstream/syslog.ts", // a collector inside is what it is for; its place stands in the configuration file alone
    ];
    expect(found.filter((path) => !known.includes(path) && !path.startsWith("http/admin/"))).toEqual([]);
  });
});

test("T-15.06 HTTP_PROXY and its kin are not followed", async () => {
  using proxy = startServer({});
  using server = startServer({ onRequest: (peer) => peer.write(respond("direct")) });
  const program = `
    import { createUpstream } from ${JSON.stringify(join(import.meta.dir, "upstream.ts"))};
    import { NEVER, request, answered, collect } from ${JSON.stringify(join(import.meta.dir, "scripted-server.test.ts"))};
    const upstream = createUpstream({ allowPrivate: true });
    process.stdout.write((await collect(answered(await upstream.send(request(${JSON.stringify(server.url)}), NEVER)))).body);
    await upstream.stop();`;
  const names = ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"].flatMap((name) => [name, name.toLowerCase()]);
  const env = { PATH: process.env["PATH"] ?? "", ...Object.fromEntries(names.map((name) => [name, proxy.url])) };
  const child = Bun.spawn([process.execPath, "-e", program], { env, stdout: "pipe", stderr: "inherit" });
  expect(await new Response(child.stdout).text()).toBe("direct");
  expect(proxy.peers).toEqual([]);
});

describe("T-15.07 networks that the operator opened", () => {
  const open = {
    ...CLOSED,
    privateNetworks: [network("10.1.0.0/16"), network("127.0.0.1/32"), network("fd00:1::/32")],
  };

  test.each([
    "http://10.1.2.3",
    "https://10.1.2.3:9000/prefix",
    "http://[fd00:1::7]:8080",
    "http://[::ffff:10.1.2.3]",
    "http://gateway.internal",
    "http://ollama:11434",
    "https://api.anthropic.com",
  ])("T-15.07 %s is accepted", (url) => expect(parseBaseUrl(url, open).ok).toBe(true));

  test.each([
    "http://10.2.0.1",
    "https://10.2.0.1",
    "http://127.0.0.2",
    "https://169.254.169.254",
    "http://[fd00:2::7]",
    "http://api.anthropic.com",
    "https://api.anthropic.com:22",
    "http://93.184.216.34",
  ])("T-15.07 %s is refused all the same", (url) => expect(parseBaseUrl(url, open).ok).toBe(false));

  test.each([
    { addresses: ["127.0.0.1"], isDialled: true },
    { addresses: ["127.0.0.1", "127.0.0.2"], isDialled: false },
    { addresses: ["10.2.0.1"], isDialled: false },
    // Without TLS even a public address is out of reach.
    { addresses: ["93.184.216.34"], isDialled: false },
  ])("T-15.07 a private name over http that resolves to $addresses is dialled: $isDialled", async (row) => {
    using server = startServer({ onRequest: (peer) => peer.write(respond("ok")) });
    const upstream = createUpstream({ ...open, resolve: async () => row.addresses });
    const sent = await upstream.send(request(`http://inner.internal:${server.port}`), NEVER);
    expect(sent.ok).toBe(row.isDialled);
    if (sent.ok) await collect(sent.value);
    else expect(sent.error.kind).toBe("address_refused");
    expect(server.peers).toHaveLength(row.isDialled ? 1 : 0);
    await upstream.stop();
  });
});

test("T-15.08 a refusal is the same for an open port and a closed one, in words and in time", async () => {
  using server = startServer({});
  const upstream = createUpstream({ ...CLOSED, resolve: async () => ["127.0.0.1"] });
  const outcomes: { text: string; ms: number }[] = [];
  // Port 8443 is closed here; that of the server is open, and no port of a public URL.
  for (const url of ["https://inner.example:8443", "https://inner.example", `https://127.0.0.1:${server.port}`]) {
    const startedMs = performance.now();
    const failure = failed(await upstream.send(request(url), NEVER));
    outcomes.push({ text: failure.detail.replace(/:8443/, ""), ms: performance.now() - startedMs });
  }
  expect(outcomes[0]?.text).toBe(outcomes[1]?.text ?? "");
  expect(Math.max(...outcomes.map(({ ms }) => ms))).toBeLessThan(50);
  expect(outcomes.map(({ text }) => text).join()).not.toMatch(/ECONN|refused by|open|closed/);
  expect(server.peers).toEqual([]);
  await upstream.stop();
});

test("T-15.10 what a webhook's target answers is not shown, only its status", async () => {
  using server = startServer({
    onRequest: (peer) =>
      peer.write("HTTP/1.1 403 inner-words\r\nX-Inner: inner-words\r\nContent-Length: 11\r\n\r\ninner-words"),
  });
  const upstream = createUpstream({ allowPrivate: true });
  const sent = await webhookTo(upstream, `${server.url}/in`).send([LINE]);
  expect(sent).toEqual({ ok: false, error: "it answered with status 403" });
  await upstream.stop();
});

const LINE = { seq: 1, text: "{}", atMs: epochMs(0) };

function webhookTo(upstream: ReturnType<typeof createUpstream>, url: string) {
  return createAuditWebhook({ upstream, url, secret: new Secret("test", "0123456789abcdef"), nowMs: () => 0 });
}

function codeOf(source: string): string {
  return source.replace(/\/\*[\s\S]*?\*\//g, "").replace(/^\s*\/\/.*$/gm, "");
}
