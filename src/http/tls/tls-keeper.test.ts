import { afterAll, describe, expect, test } from "bun:test";
import { chmodSync, mkdirSync, renameSync, rmSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createCertificateAuthority, type Pair } from "../../../sim/certificate-authority.ts";
import { epochMs } from "../../kernel/time.ts";
import { connect, manualClock, scriptedBody, text } from "../http1/raw-client.test.ts";
import { openTls } from "./tls-keeper.ts";
import { ask, pathsOf, replacePair, startTls } from "./tls-world.test.ts";

const authority = createCertificateAuthority();
const names = "DNS:localhost";
afterAll(() => authority[Symbol.dispose]());

const trust = { ca: authority.root };
let made = 0;

/** A pair of its own for each test, so that a test may change its files. */
function fresh(name: string, options = {}): Pair {
  made += 1;
  return authority.issue(`${name}${made}`, { names, ...options });
}

const shownBy = async (port: number) => {
  const outcome = await ask(port, trust);
  return outcome.kind === "answer" ? outcome.shown : outcome.code;
};

describe("T-25.04 new files while the gateway runs", () => {
  test("T-25.04 a good pair is shown from the next connection on, and a stream that runs goes on", async () => {
    const pair = fresh("first");
    const body = scriptedBody();
    using world = startTls({
      pair,
      serve: async () => (world.calls.length === 1 ? { status: 200, headers: [], body } : text("ok")),
    });
    using client = await connect(world.port, { ...trust, serverName: "localhost" });
    client.send("GET /v1/models HTTP/1.1\r\nHost: localhost\r\n\r\n");
    await client.until((received) => received.includes("\r\n\r\n"));
    body.push("one");
    const second = fresh("second");
    replacePair(pair, second);
    world.clock.advance(750);
    expect(world.swapped).toHaveLength(1);
    expect(await shownBy(world.port)).toBe(`second${made}`);
    body.push("two");
    body.end();
    const received = await client.until((bytes) => bytes.includes("0\r\n\r\n"));
    expect(received.toString("latin1")).toMatch(/one[\s\S]*two/);
  });

  test("T-25.04 a change of the link that leads to the files is one of the files", async () => {
    const [first, second] = [fresh("linked"), fresh("linked")];
    const [live, next] = [join(authority.folder, `live${made}`), join(authority.folder, `next${made}`)];
    for (const [index, pair] of [first, second].entries()) {
      const folder = join(authority.folder, `archive${made}-${index}`);
      mkdirSync(folder);
      writeFileSync(join(folder, "tls.crt"), pair.cert);
      writeFileSync(join(folder, "tls.key"), pair.key, { mode: 0o600 });
    }
    symlinkSync(join(authority.folder, `archive${made}-0`), live);
    symlinkSync(join(authority.folder, `archive${made}-1`), next);
    const linked = { ...first, certFile: join(live, "tls.crt"), keyFile: join(live, "tls.key") };
    using world = startTls({ pair: linked });
    expect(await shownBy(world.port)).toBe(`linked${made - 1}`);
    renameSync(next, live);
    world.clock.advance(750);
    expect(await shownBy(world.port)).toBe(`linked${made}`);
  });

  const bad: readonly { readonly name: string; readonly spoil: (pair: Pair) => void; readonly fact: RegExp }[] = [
    {
      name: "a certificate of another key",
      spoil: (pair) => writeFileSync(pair.certFile, fresh("stray").cert),
      fact: /is not the key of the certificate/,
    },
    {
      name: "an expired pair",
      spoil: (pair) => replacePair(pair, fresh("old", { endsAt: "20210101000000Z" })),
      fact: /expired at 2021-01-01T00:00:00.000Z/,
    },
    {
      name: "a pair that is not valid yet",
      spoil: (pair) => replacePair(pair, fresh("new", { startsAt: "20980101000000Z" })),
      fact: /is valid from 2098/,
    },
    { name: "no certificate file", spoil: (pair) => rmSync(pair.certFile), fact: /cannot be opened \(ENOENT\)/ },
    { name: "no key file", spoil: (pair) => rmSync(pair.keyFile), fact: /cannot be opened \(ENOENT\)/ },
    { name: "a key that others may read", spoil: (pair) => chmodSync(pair.keyFile, 0o644), fact: /its mode is 0644/ },
    { name: "a certificate half written", spoil: (pair) => truncateSync(pair.certFile, 300), fact: /no certificate/ },
    { name: "a key half written", spoil: (pair) => truncateSync(pair.keyFile, 100), fact: /no private key/ },
    { name: "an empty certificate", spoil: (pair) => truncateSync(pair.certFile, 0), fact: /holds no certificate/ },
    {
      name: "rubbish between the marks",
      spoil: (pair) => writeFileSync(pair.certFile, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"),
      fact: /a block that is no certificate/,
    },
    {
      name: "an RSA key of 1024 bits",
      spoil: (pair) => replacePair(pair, fresh("short", { key: ["rsa:1024"] })),
      fact: /fewer than 2048 bits/,
    },
  ];

  test.each(bad)("T-25.04 $name is refused once, and the old pair stays until a good one comes", async (row) => {
    const pair = fresh("kept");
    const name = `kept${made}`;
    using world = startTls({ pair });
    row.spoil(pair);
    world.clock.advance(3_000);
    expect(world.problems.map(({ fact }) => fact)).toEqual([expect.stringMatching(row.fact)]);
    expect(world.problems[0]?.fact).not.toContain("BEGIN");
    expect(await shownBy(world.port)).toBe(name);
    const good = fresh("good");
    replacePair(pair, good);
    chmodSync(pair.keyFile, 0o600);
    world.clock.advance(750);
    expect(await shownBy(world.port)).toBe(`good${made}`);
    expect([world.swapped.length, world.problems.length]).toEqual([1, 1]);
  });

  test.each(bad)("T-25.04 $name refuses the start", ({ spoil, fact }) => {
    const pair = fresh("start");
    spoil(pair);
    expect(open(pathsOf(pair))).toMatchObject({ ok: false, error: { fact: expect.stringMatching(fact) } });
  });

  test("T-25.04 files that are being written are left alone until they rest", async () => {
    const pair = fresh("writing");
    using world = startTls({ pair });
    const second = fresh("written");
    writeFileSync(pair.certFile, second.cert);
    world.clock.advance(250);
    writeFileSync(pair.keyFile, second.key);
    world.clock.advance(250);
    expect([world.swapped.length, world.problems.length]).toEqual([0, 0]);
    world.clock.advance(250);
    expect([world.swapped.length, world.problems.length]).toEqual([1, 0]);
  });
});

describe("the files of a start", () => {
  test.each([
    { name: "missing", text: null, fact: /cannot be opened \(ENOENT\)/ },
    { name: "empty", text: "", fact: /certificates of authorities/ },
    { name: "no certificate", text: "hello", fact: /certificates of authorities/ },
    { name: "a leaf", text: fresh("leaf").cert.replace(/$/, ""), fact: null },
  ])("T-25.05 a file of authorities that is $name refuses the start", ({ text, fact }) => {
    const pair = fresh("pair");
    const clientCaFile = join(authority.folder, `authorities${made}.pem`);
    // A certificate that may not sign must say so: without basicConstraints openssl takes it for an old authority.
    const leaf = () => authority.issue(`end${made}`, { names, extensions: ["basicConstraints=CA:FALSE"] }).cert;
    if (text !== null) writeFileSync(clientCaFile, fact === null ? leaf() : text);
    const opened = open(pathsOf(pair, { clientCaFile }));
    const expected = expect.stringMatching(fact ?? /certificates of authorities/);
    expect(opened).toMatchObject({ ok: false, error: { file: clientCaFile, fact: expected } });
  });

  test("T-25.05 a directory, a file too large and a list that is none are refused", () => {
    const pair = fresh("pair");
    const large = join(authority.folder, "large.pem");
    writeFileSync(large, "x".repeat(1_048_577));
    const clientCaFile = authority.rootFile;
    for (const [paths, fact] of [
      [pathsOf(pair, { clientCaFile: authority.folder }), /not a regular file|cannot be/],
      [pathsOf(pair, { clientCaFile: large }), /larger than 1 MiB/],
      [pathsOf(pair, { clientCaFile, crlFile: authority.rootFile }), /no list of revoked certificates/],
    ] as const) {
      expect(open(paths)).toMatchObject({ ok: false, error: { fact: expect.stringMatching(fact) } });
    }
  });

  test("an encrypted key is refused with the fix", () => {
    const pair = fresh("locked");
    const locked = authority.openssl("pkey", "-in", pair.keyFile, "-aes256", "-passout", "pass:secret");
    writeFileSync(pair.keyFile, locked);
    expect(open(pathsOf(pair))).toMatchObject({ ok: false, error: { fix: expect.stringContaining("openssl pkey") } });
  });

  test.skipIf(process.getuid?.() !== 0)("a key of another user is refused", () => {
    const pair = fresh("theirs");
    Bun.spawnSync(["chown", "65534", pair.keyFile]);
    expect(open(pathsOf(pair))).toMatchObject({ ok: false, error: { fact: expect.stringContaining("another user") } });
  });

  test("a key that its owner may only read is taken", () => {
    const pair = fresh("readonly");
    chmodSync(pair.keyFile, 0o400);
    expect(open(pathsOf(pair)).ok).toBe(true);
  });
});

function open(paths: Parameters<typeof openTls>[0]["paths"]) {
  const clock = { ...manualClock(), now: () => epochMs(Date.now()) };
  const opened = openTls({ paths, minVersion: "1.2", clock, onSwapped: fail, onRefused: fail });
  if (opened.ok) opened.value.stop();
  return opened;
}

function fail(): never {
  throw new Error("Cannot be: nothing was looked at again");
}
