import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Resolve } from "./resolver.ts";
import {
  answered,
  collect,
  failed,
  NEVER,
  type Peer,
  request,
  respond,
  SECRET_TEXT,
  startServer,
  until,
} from "./scripted-server.test.ts";
import { createUpstream } from "./upstream.ts";

const folder = mkdtempSync(join(tmpdir(), "upstream-tls-"));
const resolve: Resolve = async () => ["127.0.0.1"];

function openssl(...words: string[]): void {
  const done = Bun.spawnSync(["openssl", ...words], { cwd: folder, stderr: "pipe" });
  if (done.exitCode !== 0) throw new Error(`Cannot run openssl ${words[0]}: ${done.stderr.toString()}`);
}

function makeAuthority(name: string): void {
  const constraints = ["-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign"];
  openssl(
    "req",
    "-x509",
    ...KEY,
    "-keyout",
    `${name}.key`,
    "-out",
    `${name}.pem`,
    "-days",
    "2",
    "-subj",
    `/CN=${name}`,
    ...constraints,
  );
}

const KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];

/** `openssl ca` is the only sub-command of OpenSSL 3.0 that takes dates, so that it can make an expired certificate. */
function makeCertificate(name: string, names: string, startsAt = "20200101000000Z", endsAt = "20990101000000Z"): void {
  openssl("req", ...KEY, "-keyout", `${name}.key`, "-out", `${name}.csr`, "-subj", `/CN=${name}`);
  const config =
    `[ca]\ndefault_ca=d\n[d]\nnew_certs_dir=.\ndatabase=index.txt\nserial=serial\ndefault_md=sha256\npolicy=p\n` +
    `unique_subject=no\nx509_extensions=x\n[p]\ncommonName=supplied\n[x]\nsubjectAltName=${names}\n`;
  writeFileSync(join(folder, "ca.cnf"), config);
  openssl(
    "ca",
    "-batch",
    "-config",
    "ca.cnf",
    "-cert",
    "ca.pem",
    "-keyfile",
    "ca.key",
    "-in",
    `${name}.csr`,
    "-out",
    `${name}.pem`,
    "-notext",
    "-startdate",
    startsAt,
    "-enddate",
    endsAt,
  );
}

const read = (file: string) => readFileSync(join(folder, file), "utf8");
const tlsOf = (name: string) => ({ cert: read(`${name}.pem`), key: read(`${name}.key`) });

beforeAll(() => {
  writeFileSync(join(folder, "index.txt"), "");
  writeFileSync(join(folder, "serial"), "01\n");
  makeAuthority("ca");
  makeAuthority("stranger");
  makeCertificate("good", "DNS:up.example.com");
  makeCertificate("wildcard", "DNS:*.example.com");
  makeCertificate("address", "IP:127.0.0.1");
  makeCertificate("other", "DNS:other.example.com");
  makeCertificate("expired", "DNS:up.example.com", "20200101000000Z", "20200201000000Z");
  makeCertificate("future", "DNS:up.example.com", "20980101000000Z", "20990101000000Z");
});

afterAll(() => rmSync(folder, { recursive: true }));

test.each(["good", "wildcard"])(
  "speaks TLS to a server with a %s certificate, with the name in SNI and Host, and reuses it",
  async (name) => {
    const upstream = createUpstream({ allowPrivate: true, resolve, caCertificates: [read("ca.pem")] });
    const seen: string[] = [];
    using server = startServer(
      {
        onRequest(peer, text) {
          seen.push(
            `${peer.socket.getServername()} ${peer.socket.alpnProtocol || "none"} ${/^Host: (.*)\r$/m.exec(text)?.[1]}`,
          );
          peer.write(respond("secret answer"));
        },
      },
      tlsOf(name),
    );
    const host = `up.example.com:${server.port}`;
    for (const _again of [1, 2]) {
      const response = answered(await upstream.send(request(`https://${host}`), NEVER));
      expect((await collect(response)).body.toString()).toBe("secret answer");
      await Bun.sleep(60);
    }
    expect(seen).toEqual([`up.example.com none ${host}`, `up.example.com none ${host}`]);
    expect(server.peers).toHaveLength(1);
    await upstream.stop();
  },
);

test.each([
  { name: "other", authority: "ca", environment: "unset" },
  { name: "expired", authority: "ca", environment: "unset" },
  { name: "future", authority: "ca", environment: "unset" },
  { name: "good", authority: "stranger", environment: "unset" },
  { name: "good", authority: "none", environment: "unset" },
  { name: "other", authority: "ca", environment: "0" },
  { name: "expired", authority: "ca", environment: "0" },
  { name: "good", authority: "none", environment: "0" },
])(
  "refuses the certificate $name checked against $authority (reject switch $environment); no credential leaves",
  async (row) => {
    const caCertificates = row.authority === "none" ? [] : [read(`${row.authority}.pem`)];
    let plaintext = "";
    using server = startServer({ onData: (_peer, data) => (plaintext += data.toString("latin1")) }, tlsOf(row.name));
    const before = process.env["NODE_TLS_REJECT_UNAUTHORIZED"];
    if (row.environment !== "unset") process.env["NODE_TLS_REJECT_UNAUTHORIZED"] = row.environment;
    try {
      const upstream = createUpstream({ allowPrivate: true, resolve, caCertificates });
      const failure = failed(await upstream.send(request(`https://up.example.com:${server.port}`), NEVER));
      expect(failure).toMatchObject({ kind: "connect", wasSent: false });
      expect(upstream.stats().openSockets).toBe(0);
    } finally {
      if (before === undefined) delete process.env["NODE_TLS_REJECT_UNAUTHORIZED"];
      else process.env["NODE_TLS_REJECT_UNAUTHORIZED"] = before;
    }
    await until(() => server.peers.every((peer) => peer.isClosed));
    expect(plaintext).toBe("");
  },
);

test("checks an IP literal against the addresses in the certificate", async () => {
  const upstream = createUpstream({ allowPrivate: true, caCertificates: [read("ca.pem")] });
  using right = startServer({ onRequest: (peer) => peer.write(respond("ok")) }, tlsOf("address"));
  expect((await collect(answered(await upstream.send(request(right.url), NEVER)))).failure).toBeNull();
  using wrong = startServer({ onRequest: (peer) => peer.write(respond("ok")) }, tlsOf("good"));
  expect(failed(await upstream.send(request(wrong.url), NEVER)).kind).toBe("connect");
  await upstream.stop();
});

test("refuses plain HTTP on a TLS port without sending the credential", async () => {
  const seen: Buffer[] = [];
  using server = startServer({
    onData(peer, data) {
      seen.push(data);
      peer.write("HTTP/1.1 400 Bad Request\r\n\r\n");
    },
  });
  const upstream = createUpstream({ allowPrivate: true });
  const failure = failed(await upstream.send(request(server.url.replace("http:", "https:")), NEVER));
  expect(failure).toMatchObject({ kind: "connect", wasSent: false });
  expect(Buffer.concat(seen).toString("latin1")).not.toContain(SECRET_TEXT);
});

test("refuses a server that speaks TLS 1.1 only", async () => {
  const port = await freePort();
  const legacy = ["-tls1_1", "-cipher", "DEFAULT@SECLEVEL=0"];
  const server = Bun.spawn(
    ["openssl", "s_server", "-accept", `127.0.0.1:${port}`, "-cert", "good.pem", "-key", "good.key", ...legacy],
    {
      cwd: folder,
      stdin: "pipe",
      stdout: "pipe",
      stderr: "ignore",
    },
  );
  try {
    for await (const line of server.stdout) if (Buffer.from(line).includes("ACCEPT")) break;
    const upstream = createUpstream({ allowPrivate: true, resolve, caCertificates: [read("ca.pem")] });
    const failure = failed(await upstream.send(request(`https://up.example.com:${port}`), NEVER));
    expect(failure).toMatchObject({ kind: "connect", wasSent: false });
  } finally {
    server.kill();
    await server.exited;
  }
});

test("a reader that pauses stops the upstream over TLS too", async () => {
  const upstream = createUpstream({ allowPrivate: true, resolve, caCertificates: [read("ca.pem")] });
  const totalBytes = 32 * 1_024 * 1_024;
  const piece = Buffer.alloc(65_536, 7);
  let pushedBytes = 0;
  const push = (peer: Peer) => {
    while (pushedBytes < totalBytes) {
      const written = peer.socket.write(piece, 0, Math.min(piece.length, totalBytes - pushedBytes));
      if (written <= 0) return;
      pushedBytes += written;
    }
  };
  using server = startServer(
    {
      onRequest(peer) {
        peer.write(`HTTP/1.1 200 OK\r\nContent-Length: ${totalBytes}\r\n\r\n`);
        push(peer);
      },
      onDrain: push,
    },
    tlsOf("good"),
  );
  const { body } = answered(await upstream.send(request(`https://up.example.com:${server.port}`), NEVER));
  let gotBytes = 0;
  let isPaused = false;
  let chunksWhilePaused = 0;
  const ended = new Promise<boolean>((settle) => {
    body.subscribe({
      onChunk(chunk) {
        gotBytes += chunk.length;
        if (isPaused) chunksWhilePaused += 1;
        if (!isPaused && gotBytes < 1_000_000) {
          isPaused = true;
          body.pause();
        }
      },
      onEnd: () => settle(true),
      onFailure: () => settle(false),
    });
  });
  await until(() => isPaused);
  await Bun.sleep(200);
  expect(chunksWhilePaused).toBe(0);
  expect(pushedBytes).toBeLessThan(20_000_000);
  isPaused = false;
  gotBytes += 1_000_000;
  body.resume();
  expect([await ended, gotBytes]).toEqual([true, totalBytes + 1_000_000]);
  await upstream.stop();
});

async function freePort(): Promise<number> {
  using server = startServer({});
  return server.port;
}
