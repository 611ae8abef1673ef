import { afterAll, describe, expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { connect as connectTls } from "node:tls";
import { type CertificateOptions, createCertificateAuthority } from "../../../sim/certificate-authority.ts";
import { connect } from "../http1/raw-client.test.ts";
import { ask, askOpenssl, startTls } from "./tls-world.test.ts";

const authority = createCertificateAuthority();
const pair = authority.issue("localhost", { names: "DNS:localhost" });
afterAll(() => authority[Symbol.dispose]());

const trust = { ca: authority.root };
const CLIENT = ["extendedKeyUsage=clientAuth"];
const ALICE = "URI:spiffe://example/alice";
const BOB = "DNS:bob.example";
const mutual = { pair, paths: { clientCaFile: authority.rootFile } };
const named = { ...mutual, clientNames: [ALICE, BOB] };
const shown = ({ cert, key }: { cert: string; key: string }) => ({ ...trust, cert, key });
const issue = (name: string, options: CertificateOptions) =>
  authority.issue(name, { extensions: CLIENT, names: ALICE, ...options });

const alice = issue("alice", {});

describe("T-25.05 client certificates", () => {
  test.each([
    { name: "by its URI", names: ALICE },
    { name: "by its DNS name, beside one that is not listed", names: `DNS:other.example,${BOB}` },
  ])("T-25.05 a listed client comes in $name, and none other is asked for a name twice", async ({ names }) => {
    using world = startTls(named);
    expect(await ask(world.port, shown(issue("listed", { names })))).toMatchObject({ kind: "answer", status: 200 });
    expect(world.refusedClients).toEqual([]);
  });

  test("T-25.05 without a list every certificate of the authority comes in, over TLS 1.2 as over 1.3", async () => {
    using world = startTls(mutual);
    for (const maxVersion of ["TLSv1.2", "TLSv1.3"] as const) {
      const outcome = await ask(world.port, { ...shown(alice), maxVersion });
      expect(outcome).toMatchObject({ kind: "answer", status: 200, version: maxVersion });
    }
  });

  authority.otherRoot("stranger");
  const strangers = authority.issue("strangers", { issuer: "stranger", names: ALICE, extensions: CLIENT });
  const long = chainOf(16);
  test.each([
    { name: "none", own: {}, reason: "peer_did_not_return_a_certificate" },
    { name: "one of another authority", own: strangers, reason: "unable_to_verify_leaf_signature" },
    { name: "one that it signed itself", own: selfSigned(), reason: "depth_zero_self_signed_cert" },
    { name: "an expired one", own: issue("old", { endsAt: "20210101000000Z" }), reason: "cert_has_expired" },
    { name: "one not yet valid", own: issue("new", { startsAt: "20980101000000Z" }), reason: "cert_not_yet_valid" },
    {
      name: "one for servers alone",
      own: issue("server", { extensions: ["extendedKeyUsage=serverAuth"] }),
      reason: "invalid_purpose",
    },
    { name: "one at the end of a chain of 16", own: long, reason: "chain_too_long" },
  ])("T-25.05 $name is refused in the handshake, in TLS 1.2 and 1.3", async ({ own, reason }) => {
    using world = startTls(named);
    for (const maxVersion of ["TLSv1.2", "TLSv1.3"] as const) {
      const identity = "cert" in own ? { cert: own.cert, key: own.key } : {};
      const outcome = await ask(world.port, { ...trust, ...identity, maxVersion });
      expect(outcome).toMatchObject({ kind: "refused" });
    }
    expect(world.calls).toEqual([]);
    expect(world.listener.connections).toBe(0);
    expect(world.refusedClients).toEqual([reason, reason]);
  });

  test.each([
    { name: "another name", own: { names: "DNS:carol.example" }, reason: "not_listed" },
    { name: "a listed name in another case", own: { names: "DNS:BOB.example" }, reason: "not_listed" },
    { name: "two listed names", own: { names: `${ALICE},${BOB}` }, reason: "several_listed" },
    { name: "a listed name twice", own: { names: `${BOB},${BOB}` }, reason: "several_listed" },
    { name: "no name but the common one", own: { cn: "bob.example" }, reason: "no_name" },
    { name: "an address alone", own: { names: "IP:127.0.0.1" }, reason: "no_name" },
    { name: "a URI that holds a listed name", own: { uri: `http://x/, ${BOB}, DNS:y` }, reason: "no_name" },
  ])("T-25.05 a certificate with $name gets 403 and no request through", async ({ own, reason }) => {
    using world = startTls(named);
    const extensions =
      "uri" in own ? [...CLIENT, "subjectAltName=@n", "[n]", `URI.1=${own.uri?.replaceAll("$", "")}`] : CLIENT;
    const names = "names" in own ? { names: own.names ?? "" } : {};
    const presented = authority.issue("cn" in own ? (own.cn ?? "") : "presented", { extensions, ...names });
    const outcome = await ask(world.port, shown(presented));
    expect(outcome).toMatchObject({ kind: "answer", status: 403 });
    expect(outcome.kind === "answer" ? outcome.text : "").toContain("GW_CLIENT_CERTIFICATE");
    expect([world.calls, world.refusedClients]).toEqual([[], [reason]]);
  });

  test("T-25.05 a revoked certificate is refused, and without a list in force nobody comes in", async () => {
    const carol = issue("carol", {});
    const dave = issue("dave", {});
    authority.revoke("carol");
    const paths = { clientCaFile: authority.rootFile, crlFile: authority.crl("now") };
    using world = startTls({ pair, paths });
    expect(await ask(world.port, shown(carol))).toMatchObject({ kind: "refused" });
    expect(await ask(world.port, shown(dave))).toMatchObject({ status: 200 });
    const crlFile = authority.crl("old", { from: "20200101000000Z", until: "20200201000000Z" });
    using late = startTls({ pair, paths: { ...paths, crlFile } });
    expect(await ask(late.port, shown(dave))).toMatchObject({ kind: "refused" });
    expect([world.refusedClients, late.refusedClients]).toEqual([["cert_revoked"], ["crl_has_expired"]]);
  });

  test("T-25.05 a new list of revoked ones holds from the next connection on, resumed sessions included", async () => {
    const erin = issue("erin", {});
    const crlFile = authority.crl("list");
    using world = startTls({ pair, paths: { clientCaFile: authority.rootFile, crlFile } });
    const first = await ask(world.port, { ...shown(erin), maxVersion: "TLSv1.2" });
    const session = first.kind === "answer" ? first.session : null;
    if (session === null) throw new Error("Cannot go on: there was no session");
    const again = { ...shown(erin), maxVersion: "TLSv1.2" as const, session };
    expect(await ask(world.port, again)).toMatchObject({ status: 200, wasReused: true });
    authority.revoke("erin");
    authority.crl("list");
    world.clock.advance(750);
    expect(world.swapped).toHaveLength(1);
    expect(await ask(world.port, again)).toMatchObject({ kind: "refused" });
  });

  test("T-25.07 a resumed session is still its client's: the list of names is asked again", async () => {
    using world = startTls({ ...mutual, clientNames: [BOB] });
    const first = await ask(world.port, { ...shown(alice), maxVersion: "TLSv1.2" });
    const session = first.kind === "answer" ? first.session : null;
    if (session === null) throw new Error("Cannot go on: there was no session");
    const again = await ask(world.port, { ...trust, maxVersion: "TLSv1.2", session });
    expect(again).toMatchObject({ status: 403, wasReused: true });
    expect(world.calls).toEqual([]);
  });

  test("T-25.05 the second request of a connection is of the same client", async () => {
    using world = startTls(named);
    using client = await connect(world.port, { ...shown(alice), serverName: "localhost" });
    client.send("GET /v1/models HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(2));
    expect((await client.answers(2)).map((answer) => answer.status)).toEqual([200, 200]);
  });

  test("T-25.05 a client without a certificate gets no answer to early bytes either", async () => {
    using world = startTls(named);
    const socket = connectTls({ port: world.port, host: "127.0.0.1", servername: "localhost", ...trust });
    let seen = "";
    socket.on("data", (bytes: Buffer) => {
      seen += bytes.toString("latin1");
    });
    const ended = new Promise((settle) => {
      socket.on("close", settle);
      socket.on("error", settle);
    });
    // In TLS 1.3 a client may write before the server has judged it.
    socket.write("GET /v1/models HTTP/1.1\r\nHost: localhost\r\n\r\n");
    await ended;
    expect([seen, world.calls]).toEqual(["", []]);
  });

  test("T-25.22 a list of 300 certificates is refused, and the next client is served", async () => {
    using world = startTls(mutual);
    const file = join(authority.folder, "many.pem");
    writeFileSync(file, alice.cert + authority.root.repeat(300));
    const words = ["-cert", alice.certFile, "-key", alice.keyFile, "-cert_chain", file, "-ign_eof"];
    const seen = await askOpenssl(world.port, words, "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    expect(seen).not.toContain("HTTP/1.1");
    expect(world.refusedClients).toEqual(["excessive_message_size"]);
    expect(world.calls).toEqual([]);
    expect(await ask(world.port, shown(alice))).toMatchObject({ status: 200 });
  });
});

/** A leaf behind so many intermediates, all of which the client shows. */
function chainOf(count: number) {
  let issuer = "ca";
  let chain = "";
  for (let index = 0; index < count; index += 1) {
    const name = `intermediate${index}`;
    chain = authority.issue(name, { issuer, extensions: ["basicConstraints=critical,CA:TRUE"] }).cert + chain;
    issuer = name;
  }
  const leaf = authority.issue("far", { issuer, names: ALICE, extensions: CLIENT });
  return { ...leaf, cert: leaf.cert + chain };
}

function selfSigned() {
  const files = ["-keyout", "self.key", "-out", "self.pem", "-days", "2", "-subj", "/CN=self"];
  authority.openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", ...files, "-addext", `subjectAltName=${ALICE}`);
  const read = (file: string) => readFileSync(join(authority.folder, file), "utf8");
  return { cert: read("self.pem"), key: read("self.key") };
}
