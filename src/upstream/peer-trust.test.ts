import { afterAll, describe, expect, test } from "bun:test";
import { X509Certificate } from "node:crypto";
import { type CertificateOptions, createCertificateAuthority, type Pair } from "../../sim/certificate-authority.ts";
import type { PinSet } from "../domain/trust/pin-set.ts";
import { epochMs } from "../kernel/time.ts";
import type { PeerTrustOptions, TrustEvent } from "./peer-trust.ts";
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
  until,
} from "./scripted-server.test.ts";
import { createUpstream } from "./upstream.ts";

const authority = createCertificateAuthority();
afterAll(() => authority[Symbol.dispose]());

const resolve: Resolve = async () => ["127.0.0.1"];
const HOST = "up.example.com";
const names = `DNS:${HOST}`;
const CA = ["basicConstraints=critical,CA:TRUE"];
const issue = (name: string, options: CertificateOptions = {}) => authority.issue(name, { names, ...options });

function trusting(options: Partial<PeerTrustOptions> = {}) {
  const events: TrustEvent[] = [];
  const trust = { pins: [], allowedIssuers: [], nowMs: () => epochMs(Date.now()), ...options };
  const onEvent = (event: TrustEvent) => void events.push(event);
  const upstream = createUpstream({
    allowPrivate: true,
    resolve,
    caCertificates: [authority.root],
    trust: { ...trust, onEvent },
  });
  return { upstream, events };
}

/** One request to a server with these certificates; what it decrypted, and what came back. */
async function sendTo(pair: Pick<Pair, "cert" | "key">, options: Partial<PeerTrustOptions> = {}) {
  const { upstream, events } = trusting(options);
  let plaintext = "";
  using server = startServer(
    {
      onData(_peer, data) {
        plaintext += data.toString("latin1");
      },
      onRequest: (peer) => peer.write(respond("ok")),
    },
    { cert: pair.cert, key: pair.key },
  );
  const result = await upstream.send(request(`https://${HOST}:${server.port}`), NEVER);
  if (result.ok) await collect(result.value);
  else await until(() => server.peers.every((peer) => peer.isClosed));
  await upstream.stop();
  return { result, plaintext, events };
}

function behind(leaf: Pair, ...issuers: readonly Pair[]): Pick<Pair, "cert" | "key"> {
  return { cert: [leaf, ...issuers].map((pair) => pair.cert).join(""), key: leaf.key };
}

const middle = issue("middle", { extensions: CA });
const good = issue("good", { issuer: "middle" });

describe("T-25.08 T-17.03 a bad certificate sends no byte of the request", () => {
  authority.otherRoot("stranger");
  const noCa = issue("noca", { extensions: ["basicConstraints=critical,CA:FALSE"] });
  const oldMiddle = issue("oldmiddle", { extensions: CA, endsAt: "20210101000000Z" });
  const shortMiddle = issue("shortmiddle", { extensions: ["basicConstraints=critical,CA:TRUE,pathlen:0"] });
  const underShort = issue("undershort", { issuer: "shortmiddle", extensions: CA });
  const constrained = issue("constrained", {
    extensions: [...CA, "nameConstraints=critical,permitted;DNS:other.example"],
  });
  const self = () => {
    const files = ["-keyout", "self.key", "-out", "self.pem", "-days", "2", "-subj", `/CN=${HOST}`];
    authority.openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", ...files, "-addext", `subjectAltName=${names}`);
    const read = (file: string) =>
      authority.openssl(...(file === "key" ? ["pkey", "-in", "self.key"] : ["x509", "-in", "self.pem"]));
    return { cert: read("cert"), key: read("key") };
  };
  const rows: readonly { readonly name: string; readonly pair: Pick<Pair, "cert" | "key"> }[] = [
    { name: "expired", pair: issue("expired", { endsAt: "20210101000000Z" }) },
    { name: "not yet valid", pair: issue("future", { startsAt: "20980101000000Z" }) },
    { name: "of another host", pair: issue("other", { names: "DNS:other.example.com" }) },
    { name: "of a wildcard one level too high", pair: issue("wild", { names: "DNS:*.com" }) },
    { name: "of a wildcard one level too low", pair: issue("low", { names: "DNS:*.up.example.com" }) },
    { name: "with the name in its common name alone", pair: authority.issue(HOST) },
    { name: "self-signed", pair: self() },
    { name: "of an unknown authority", pair: issue("strange", { issuer: "stranger" }) },
    { name: "without its intermediate", pair: good },
    { name: "behind an expired intermediate", pair: behind(issue("l1", { issuer: "oldmiddle" }), oldMiddle) },
    { name: "behind one that is no authority", pair: behind(issue("l2", { issuer: "noca" }), noCa) },
    { name: "behind too long a path", pair: behind(issue("l3", { issuer: "undershort" }), underShort, shortMiddle) },
    { name: "outside its authority's names", pair: behind(issue("l4", { issuer: "constrained" }), constrained) },
    { name: "for clients alone", pair: issue("client", { extensions: ["extendedKeyUsage=clientAuth"] }) },
    { name: "with an RSA key of 1024 bits", pair: issue("short", { key: ["rsa:1024"] }) },
    { name: "signed with SHA-1", pair: issue("sha1", { digest: "sha1" }) },
    {
      name: "with a critical extension that nobody knows",
      pair: issue("critical", { extensions: ["1.2.3.4.5=critical,ASN1:UTF8String:x"] }),
    },
  ];

  test.each(rows)("T-25.08 T-17.03 $name", async ({ pair }) => {
    const { result, plaintext } = await sendTo(pair);
    expect(failed(result)).toMatchObject({ kind: "connect", wasSent: false });
    expect(plaintext).toBe("");
    expect(failed(result).detail).not.toContain(SECRET_TEXT);
  });

  test("T-25.08 the same host with a good certificate is served", async () => {
    expect(answered((await sendTo(behind(good, middle))).result).status).toBe(200);
  });
});

describe("T-25.09 pins", () => {
  const chain = behind(good, middle);
  const leafPin = pinOf(good);
  const middlePin = pinOf(middle);
  const strayPins = [pinOf(issue("stray1")), pinOf(issue("stray2"))];
  const set = (changes: Partial<PinSet>): PinSet => ({
    host: HOST,
    mode: "enforce",
    untilMs: epochMs(Date.now() + 86_400_000),
    pins: strayPins,
    ...changes,
  });

  test.each([
    { name: "the leaf", pins: [leafPin, strayPins[0] ?? ""] },
    { name: "the intermediate", pins: [strayPins[0] ?? "", middlePin] },
    { name: "the root", pins: [strayPins[0] ?? "", pinOf({ cert: authority.root })] },
  ])("T-25.09 a pin of $name lets the request pass", async ({ pins }) => {
    const { result, events } = await sendTo(chain, { pins: [set({ pins })] });
    expect(answered(result).status).toBe(200);
    expect(events).toEqual([{ type: "issuer", host: HOST, issuer: expect.any(String) }]);
  });

  test("T-25.09 enforced without a match: not a byte of the request is sent", async () => {
    const { result, plaintext, events } = await sendTo(chain, { pins: [set({})] });
    expect(failed(result)).toMatchObject({ kind: "connect", wasSent: false });
    expect(failed(result).detail).toContain("matches no pin");
    expect([plaintext, events]).toEqual(["", [{ type: "no_pin", host: HOST, isRefused: true }]]);
  });

  test.each([
    { name: "report alone", changes: { mode: "report" as const } },
    { name: "enforced, and past its day", changes: { untilMs: epochMs(Date.now() - 1) } },
  ])("T-25.09 $name: the request goes out, and the mismatch is told", async ({ changes }) => {
    const { result, events } = await sendTo(chain, { pins: [set(changes)] });
    expect(answered(result).status).toBe(200);
    expect(events[0]).toEqual({ type: "no_pin", host: HOST, isRefused: false });
  });

  test("T-25.09 pins of another host do not matter", async () => {
    const { result, events } = await sendTo(chain, { pins: [set({ host: "other.example.com" })] });
    expect([result.ok, events.map(({ type }) => type)]).toEqual([true, ["issuer"]]);
  });

  test("T-25.09 a pinned certificate that is only sent along, and signed nothing, matches nothing", async () => {
    // Same name and, so far as names tell, the issuer of the leaf; another key.
    const twin = createCertificateAuthority();
    const liar = twin.issue("middle", { extensions: CA });
    const leaf = issue("lone");
    const sent = { cert: leaf.cert + liar.cert + twin.root, key: leaf.key };
    for (const pinned of [liar, { cert: twin.root }]) {
      const { result, plaintext } = await sendTo(sent, { pins: [set({ pins: [pinOf(pinned), strayPins[0] ?? ""] })] });
      expect([failed(result).kind, plaintext]).toEqual(["connect", ""]);
    }
    twin[Symbol.dispose]();
  });
});

describe("T-25.10 issuers", () => {
  const direct = issue("direct");

  test("T-25.10 every new connection tells the issuer, a kept one does not", async () => {
    const { upstream, events } = trusting();
    using server = startServer(
      { onRequest: (peer) => peer.write(respond("ok")) },
      { cert: direct.cert, key: direct.key },
    );
    for (const _again of [1, 2]) {
      await collect(answered(await upstream.send(request(`https://${HOST}:${server.port}`), NEVER)));
      await Bun.sleep(60);
    }
    expect(events).toEqual([{ type: "issuer", host: HOST, issuer: "ca" }]);
    await upstream.stop();
  });

  test("T-25.10 an issuer that is allowed passes; another one is refused before a byte", async () => {
    expect((await sendTo(direct, { allowedIssuers: ["Other", "ca"] })).result.ok).toBe(true);
    const { result, plaintext, events } = await sendTo(direct, { allowedIssuers: ["Other"] });
    expect(failed(result)).toMatchObject({ kind: "connect", wasSent: false });
    expect([plaintext, events]).toEqual(["", [{ type: "issuer_not_allowed", host: HOST, issuer: "ca" }]]);
  });
});

function pinOf({ cert }: { readonly cert: string }): string {
  const key = new X509Certificate(cert).publicKey.export({ type: "spki", format: "der" });
  return new Bun.CryptoHasher("sha256").update(key).digest("base64");
}
