import { expect, test } from "bun:test";
import { addressText, type IpNetwork, parseIpNetwork } from "../domain/access/ip-address.ts";
import type { Call } from "../gateway/call.ts";
import { connect, type RawClient, start, text } from "./http1/raw-client.test.ts";

function networks(...texts: readonly string[]): readonly IpNetwork[] {
  return texts.map((each) => {
    const network = parseIpNetwork(each);
    if (!network.ok) throw new Error(`Cannot test with ${each}: ${network.error}`);
    return network.value;
  });
}

/** Answers with the address that the call comes from. */
async function whoCalls(call: Call) {
  return text(call.client.ok && call.client.value !== null ? addressText(call.client.value) : "nobody");
}

async function ask(client: RawClient, fields: string) {
  client.send(`GET /v1/models HTTP/1.1\r\nHost: a\r\n${fields}\r\n`);
  const [answer] = await client.answers(1);
  return { status: answer?.status, said: answer?.body.toString() ?? "" };
}

test.each([
  { id: "T-26.01", what: "no header", fields: "" },
  { id: "T-26.02", what: "one address", fields: "X-Forwarded-For: 1.2.3.4\r\n" },
  { id: "T-26.03", what: "a list", fields: "X-Forwarded-For: 1.2.3.4, 5.6.7.8\r\n" },
  { id: "T-26.04", what: "two lines", fields: "X-Forwarded-For: 1.2.3.4\r\nX-Forwarded-For: 5.6.7.8\r\n" },
  { id: "T-26.05", what: "X_Forwarded_For", fields: "X_Forwarded_For: 1.2.3.4\r\n" },
  { id: "T-26.06", what: "Forwarded", fields: "Forwarded: for=1.2.3.4\r\n" },
  { id: "T-26.07", what: "X-Real-IP", fields: "X-Real-IP: 1.2.3.4\r\n" },
  { id: "T-26.08", what: "CF-Connecting-IP", fields: "CF-Connecting-IP: 1.2.3.4\r\n" },
])("$id from a peer that is not trusted, $what: the socket's address counts", async ({ fields }) => {
  using started = start(whoCalls, { trustedProxies: networks("10.0.0.0/8", "::1") });
  using client = await connect(started.port);
  expect(await ask(client, fields)).toEqual({ status: 200, said: "127.0.0.1" });
});

const HOPS_17 = Array.from({ length: 17 }, (_, index) => `9.9.9.${index}`).join(", ");

test.each([
  { id: "T-26.09", what: "c", chain: "9.9.9.9", client: "9.9.9.9" },
  { id: "T-26.10", what: "c, p1", chain: "9.9.9.9, 10.0.0.1", client: "9.9.9.9" },
  { id: "T-26.11", what: "spoof, c, p1", chain: "1.1.1.1, 9.9.9.9,10.0.0.1", client: "9.9.9.9" },
  { id: "T-26.12", what: "17 hops", chain: HOPS_17, client: null },
  { id: "T-26.13", what: "an empty chain", chain: "", client: null },
  { id: "T-26.14", what: "spaces", chain: " \t9.9.9.9 \t,   10.0.0.1  ", client: "9.9.9.9" },
  { id: "T-26.15", what: "a port", chain: "1.1.1.1:1, 9.9.9.9:65535", client: "9.9.9.9" },
  { id: "T-26.16", what: "[v6]:port", chain: "[2001:DB8:0:0:0:0:0:1]:443", client: "2001:db8::1" },
  { id: "T-26.17", what: "a zone id", chain: "fe80::1%eth0", client: "fe80::1" },
  { id: "T-26.18", what: "IPv4-mapped", chain: "::ffff:9.9.9.9, ::ffff:10.0.0.1", client: "9.9.9.9" },
  { id: "T-26.19", what: "garbage", chain: "unknown, 9.9.9.9", client: null },
  { id: "T-26.20", what: "10 KiB", chain: `${" ".repeat(10_240)}9.9.9.9,9.9.9.9`, client: null },
])("$id from a trusted peer, $what: $client", async ({ what, chain, client: expected }) => {
  using started = start(whoCalls, { trustedProxies: networks("127.0.0.0/8", "10.0.0.0/8") });
  using client = await connect(started.port);
  // The blanks around a value are not part of it, so that a long one has its blanks inside.
  const value = what === "10 KiB" ? `9.9.9.9,${chain}` : chain;
  const { status, said } = await ask(client, `X-Forwarded-For: ${value}\r\n`);
  if (expected !== null) {
    expect({ status, said }).toEqual({ status: 200, said: expected });
    return;
  }
  expect(status).toBe(400);
  expect(said).toContain("GW_BAD_FORWARDED");
  expect(await client.closed()).toBe("fin");
  expect(started.calls).toHaveLength(0);
});

test.each([
  { fields: "", said: "127.0.0.1", status: 200 },
  { fields: "X-Forwarded-For: 9.9.9.9\r\nX-Forwarded-For: 9.9.9.9\r\n", said: "9.9.9.9", status: 200 },
  { fields: "X-Forwarded-For: 9.9.9.9\r\nX-Forwarded-For: 8.8.8.8\r\n", said: "GW_BAD_FORWARDED", status: 400 },
  { fields: "X-Forwarded-For: 127.0.0.9, 10.0.0.1\r\n", said: "127.0.0.9", status: 200 },
  { fields: "X-Forwarded-For: 9.9.9.9,\r\n", said: "GW_BAD_FORWARDED", status: 400 },
  { fields: 'X-Forwarded-For: "9.9.9.9"\r\n', said: "GW_BAD_FORWARDED", status: 400 },
  { fields: "X-Forwarded-For: 09.9.9.9\r\n", said: "GW_BAD_FORWARDED", status: 400 },
  { fields: "X-Real-IP: 9.9.9.9\r\nForwarded: for=9.9.9.9\r\n", said: "127.0.0.1", status: 200 },
])("a trusted peer with $fields: $said", async ({ fields, said, status }) => {
  using started = start(whoCalls, { trustedProxies: networks("127.0.0.1", "10.0.0.0/8", "127.0.0.9") });
  using client = await connect(started.port);
  const answer = await ask(client, fields);
  expect(answer.status).toBe(status);
  expect(answer.said).toContain(said);
});

test("two requests of one connection may come from two clients", async () => {
  using started = start(whoCalls, { trustedProxies: networks("127.0.0.1") });
  using client = await connect(started.port);
  expect((await ask(client, "X-Forwarded-For: 9.9.9.1\r\n")).said).toBe("9.9.9.1");
  expect((await ask(client, "X-Forwarded-For: 9.9.9.2\r\n")).said).toBe("9.9.9.2");
});

test("T-26.22 a mapped address is inside an IPv4 rule, on a listener of both families", async () => {
  using started = start(whoCalls, { host: "::", allowFrom: networks("127.0.0.0/8") });
  using client = await connect(started.port);
  expect(await ask(client, "")).toEqual({ status: 200, said: "127.0.0.1" });
});

test.each([
  { from: "2001:db8:0:1::5", status: 200 },
  { from: "2001:db8:0:1:ffff:ffff:ffff:ffff", status: 200 },
  { from: "2001:db8:0:2::5", status: 403 },
  { from: "2001:db8::5", status: 403 },
])("T-26.23 a rule of a /64 lets $from in: $status", async ({ from, status }) => {
  using started = start(whoCalls, { trustedProxies: networks("127.0.0.1"), allowFrom: networks("2001:db8:0:1::/64") });
  using client = await connect(started.port);
  expect((await ask(client, `X-Forwarded-For: ${from}\r\n`)).status).toBe(status);
});

test("T-26.25 who may not call is sent away before a byte of the body is read, and the connection is closed", async () => {
  using started = start(whoCalls, { allowFrom: networks("10.0.0.0/8", "::1") });
  using client = await connect(started.port);
  client.send("POST /v1/messages HTTP/1.1\r\nHost: a\r\nContent-Length: 1073741824\r\n\r\n");
  const [answer] = await client.answers(1);
  expect(answer?.status).toBe(403);
  expect(answer?.body.toString()).toContain("GW_ADDRESS");
  expect(await client.closed()).toBe("fin");
  expect(started.calls).toHaveLength(0);
});

test("the connection of a refused address ends, whatever it asked for", async () => {
  const pages = new Map([["/healthz", () => text("ok")]]);
  using started = start(whoCalls, { allowFrom: networks("10.0.0.0/8"), pages });
  using client = await connect(started.port);
  client.send("GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n");
  const [answer] = await client.answers(1);
  expect(answer?.status).toBe(403);
  expect(answer?.headers.get("connection")).toBe("close");
  expect(await client.closed()).toBe("fin");
});

test.each([
  { path: "/api", status: 403 },
  { path: "/api/keys", status: 403 },
  { path: "/auth/login", status: 403 },
  { path: "/apis", status: 200 },
  { path: "/v1/models", status: 200 },
])("the list of the admin plane is asked for $path: $status", async ({ path, status }) => {
  using started = start(whoCalls, { adminAllowFrom: networks("10.0.0.0/8") });
  using client = await connect(started.port);
  client.send(`GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`);
  const [answer] = await client.answers(1);
  expect(answer?.status).toBe(status);
});

test("the list of the admin plane lets in who is in it", async () => {
  using started = start(whoCalls, { adminAllowFrom: networks("127.0.0.1") });
  using client = await connect(started.port);
  client.send("GET /api/keys HTTP/1.1\r\nHost: a\r\n\r\n");
  const [answer] = await client.answers(1);
  expect(answer?.status).toBe(200);
});

const PROXY_V2 = Buffer.concat([
  Buffer.from("\r\n\r\n\0\r\nQUIT\n", "latin1"),
  // Version 2, PROXY, TCP over IPv4, 12 bytes: 9.9.9.9:1 to 127.0.0.1:80.
  Buffer.from([0x21, 0x11, 0, 12, 9, 9, 9, 9, 127, 0, 0, 1, 0, 1, 0, 80]),
]);
const PROXY_V1 = Buffer.from("PROXY TCP4 9.9.9.9 127.0.0.1 1 80\r\n");

test.each([
  { version: "v2", prefix: PROXY_V2, trusted: "10.0.0.0/8" },
  { version: "v2", prefix: PROXY_V2, trusted: "127.0.0.1" },
  { version: "v1", prefix: PROXY_V1, trusted: "127.0.0.1" },
])("T-26.28 a PROXY $version line is no request, trusted $trusted", async ({ prefix, trusted }) => {
  using started = start(whoCalls, { trustedProxies: networks(trusted) });
  using client = await connect(started.port);
  client.send(Buffer.concat([prefix, Buffer.from("GET /v1/models HTTP/1.1\r\nHost: a\r\n\r\n")]));
  const [answer] = await client.answers(1);
  expect(answer?.status).toBe(400);
  expect(await client.closed()).toBe("fin");
  expect(started.calls).toHaveLength(0);
});
