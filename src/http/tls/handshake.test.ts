import { afterAll, describe, expect, test } from "bun:test";
import { connect as connectTcp, type Socket } from "node:net";
import { createCertificateAuthority } from "../../../sim/certificate-authority.ts";
import { HANDSHAKE_MS, MAX_HANDSHAKES } from "../http1/connection-limits.ts";
import { text } from "../http1/raw-client.test.ts";
import { ask, askOpenssl, startTls } from "./tls-world.test.ts";

const authority = createCertificateAuthority();
const pair = authority.issue("localhost", { names: "DNS:localhost,IP:127.0.0.1" });
const rsaPair = authority.issue("rsa", { names: "DNS:localhost", key: ["rsa:2048"] });
afterAll(() => authority[Symbol.dispose]());

const trust = { ca: authority.root };
const EC = ["ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-ECDSA-CHACHA20-POLY1305"];
const RSA = EC.map((name) => name.replace("ECDSA", "RSA"));
const GET_AND_CLOSE = "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
const ANY = "ALL:COMPLEMENTOFALL:@SECLEVEL=0";

describe("T-25.01 protocols and ciphers", () => {
  test.each([
    { version: "TLSv1.2" as const, cipher: /^ECDHE-ECDSA-/ },
    { version: "TLSv1.3" as const, cipher: /^TLS_(AES|CHACHA20)_/ },
  ])("T-25.01 $version is spoken, with a cipher that is authenticated and has forward secrecy", async (row) => {
    using world = startTls({ pair });
    const outcome = await ask(world.port, { ...trust, minVersion: row.version, maxVersion: row.version });
    expect(outcome).toMatchObject({ kind: "answer", status: 200, version: row.version });
    expect(outcome.kind === "answer" ? outcome.cipher : "").toMatch(row.cipher);
    expect(world.calls[0]?.isTls).toBe(true);
  });

  test.each(["-tls1", "-tls1_1"])("T-25.01 %s is refused", async (version) => {
    using world = startTls({ pair });
    const seen = await askOpenssl(world.port, [version, "-cipher", ANY]);
    expect(seen).toContain("alert protocol version");
    expect(world.calls).toEqual([]);
  });

  test("T-25.01 minVersion 1.3 refuses TLS 1.2", async () => {
    using world = startTls({ pair, minVersion: "1.3" });
    expect(await askOpenssl(world.port, ["-tls1_2"])).toContain("alert protocol version");
    expect(await ask(world.port, trust)).toMatchObject({ kind: "answer", version: "TLSv1.3" });
  });

  test.each([
    { name: "EC", own: pair, spoken: EC },
    { name: "RSA", own: rsaPair, spoken: RSA },
  ])("T-25.01 with an $name key TLS 1.2 takes three ciphers, each with ECDHE and AEAD, and no other", async (row) => {
    using world = startTls({ pair: row.own });
    for (const cipher of row.spoken) {
      expect(await askOpenssl(world.port, ["-tls1_2", "-cipher", cipher])).toContain(`Cipher is ${cipher}`);
    }
    const others = [ANY, ...row.spoken.map((cipher) => `-${cipher}`)].join(":");
    expect(await askOpenssl(world.port, ["-tls1_2", "-cipher", others])).toContain("alert handshake failure");
  });

  test("T-25.01 the order of ciphers is ours, whatever the client would like best", async () => {
    using world = startTls({ pair });
    for (const order of [EC, EC.toReversed()]) {
      expect(await askOpenssl(world.port, ["-tls1_2", "-cipher", order.join(":")])).toContain(`Cipher is ${EC[0]}`);
    }
  });

  test("T-25.01 T-25.21 a client cannot renegotiate, and compression is off", async () => {
    using world = startTls({ pair });
    const seen = await askOpenssl(world.port, ["-tls1_2"], "R\nGET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    expect(seen).toContain("RENEGOTIATING");
    expect(seen).toMatch(/no renegotiation|unexpected message|alert/i);
    expect(seen).toContain("Compression: NONE");
    expect(world.calls).toEqual([]);
  });
});

describe("T-25.02 what is no proper hello", () => {
  test.each([
    { name: "another name", servername: "other.example" },
    { name: "no name", servername: "" },
  ])("T-25.02 $name in SNI gets the one certificate", async ({ servername }) => {
    using world = startTls({ pair });
    const outcome = await ask(world.port, { ...trust, servername, checkServerIdentity: () => undefined });
    expect(outcome).toMatchObject({ kind: "answer", status: 200, shown: "localhost" });
  });

  test.each([
    { name: "NUL in its name", hello: helloFor(Buffer.from("local\0host")) },
    { name: "a name of 64 KiB", hello: helloFor(Buffer.alloc(65_000, 0x61)) },
    { name: "plain HTTP", hello: Buffer.from("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n") },
    { name: "rubbish", hello: Buffer.alloc(2_000, 0xff) },
  ])("T-25.02 $name closes the connection at once, and the next client is served", async ({ hello }) => {
    using world = startTls({ pair });
    const socket = await tcp(world.port);
    const ended = closed(socket);
    socket.write(hello);
    await ended;
    expect(world.calls).toEqual([]);
    expect(world.errors).toEqual([]);
    expect(await ask(world.port, trust)).toMatchObject({ status: 200 });
  });

  test("T-25.02 a hello in fragments of one byte is a hello", async () => {
    using world = startTls({ pair });
    // A relay that passes each byte of the client by itself.
    const relay = Bun.listen<{ up: Socket; queue: Buffer[] }>({
      hostname: "127.0.0.1",
      port: 0,
      socket: {
        open(client) {
          const up = connectTcp({ port: world.port, host: "127.0.0.1", noDelay: true });
          client.data = { up, queue: [] };
          up.on("data", (bytes) => void client.write(bytes));
          up.on("error", () => client.end());
          up.on("close", () => client.end());
        },
        async data(client, bytes) {
          client.data.queue.push(bytes);
          if (client.data.queue.length > 1) return;
          for (let piece = client.data.queue[0]; piece !== undefined; piece = client.data.queue[0]) {
            for (const byte of piece) {
              client.data.up.write(Uint8Array.of(byte));
              await new Promise((next) => setImmediate(next));
            }
            client.data.queue.shift();
          }
        },
        close: (client) => void client.data.up.destroy(),
      },
    });
    expect(await ask(relay.port, trust)).toMatchObject({ status: 200 });
    relay.stop(true);
  });
});

test("T-25.02 a request in the same segment as the end of the handshake is served", async () => {
  using world = startTls({ pair });
  // A relay that holds the client's bytes back until it has been quiet for a while.
  const relay = Bun.listen<{ up: Socket; held: Buffer[]; timer: Timer | undefined }>({
    hostname: "127.0.0.1",
    port: 0,
    socket: {
      open(client) {
        const up = connectTcp({ port: world.port, host: "127.0.0.1", noDelay: true });
        client.data = { up, held: [], timer: undefined };
        up.on("data", (bytes) => void client.write(bytes));
        up.on("error", () => client.end());
        up.on("close", () => client.end());
      },
      data({ data }, bytes) {
        data.held.push(Buffer.from(bytes));
        clearTimeout(data.timer);
        data.timer = setTimeout(() => data.up.write(Buffer.concat(data.held.splice(0))), 60);
      },
      close: (client) => void client.data.up.destroy(),
    },
  });
  for (const maxVersion of ["TLSv1.2", "TLSv1.3"] as const) {
    expect(await ask(relay.port, { ...trust, maxVersion })).toMatchObject({ status: 200 });
  }
  relay.stop(true);
});

describe("T-25.03 a handshake that stalls", () => {
  test.each([
    { name: "nothing", start: Buffer.alloc(0) },
    { name: "the beginning of a hello", start: helloFor(Buffer.from("localhost")).subarray(0, 20) },
  ])("T-25.03 a client that sends $name is cut after ten seconds, and not before", async ({ start }) => {
    using world = startTls({ pair });
    const socket = await tcp(world.port);
    let isClosed = false;
    const ended = closed(socket).then(() => {
      isClosed = true;
    });
    if (start.length > 0) socket.write(start);
    await Bun.sleep(50);
    world.clock.advance(HANDSHAKE_MS - 500);
    await Bun.sleep(50);
    expect(isClosed).toBe(false);
    world.clock.advance(750);
    await ended;
    expect(world.listener.connections).toBe(0);
  });

  test("T-25.03 of more handshakes than may be under way the oldest is cut, and an honest client is served", async () => {
    using world = startTls({ pair });
    const stalled: Socket[] = [];
    let cut = 0;
    for (let index = 0; index < MAX_HANDSHAKES + 20; index += 1) {
      const socket = await tcp(world.port);
      void closed(socket).then(() => {
        cut += 1;
      });
      stalled.push(socket);
    }
    expect(await ask(world.port, trust)).toMatchObject({ status: 200 });
    expect(cut).toBe(21);
    world.clock.advance(HANDSHAKE_MS + 250);
    while (cut < stalled.length) await Bun.sleep(5);
    expect(await ask(world.port, trust)).toMatchObject({ status: 200 });
  }, 20_000);
});

describe("T-25.07 resumption", () => {
  test("T-25.07 a session is taken up again, until its ticket keys are twelve hours old", async () => {
    using world = startTls({ pair });
    const first = await ask(world.port, { ...trust, maxVersion: "TLSv1.2" });
    const session = first.kind === "answer" ? first.session : null;
    if (session === null) throw new Error("Cannot go on: there was no session");
    const again = { ...trust, maxVersion: "TLSv1.2" as const, session };
    expect(await ask(world.port, again)).toMatchObject({ status: 200, wasReused: true });
    world.clock.advance(12 * 3_600_000 + 500);
    expect(await ask(world.port, again)).toMatchObject({ status: 200, wasReused: false });
  });
});

describe("T-25.13 to T-25.22 what is not offered", () => {
  test.each(["h2", "http/1.0", "spdy/3"])("T-25.18 T-25.20 %s alone in ALPN is refused", async (protocol) => {
    using world = startTls({ pair });
    expect(await askOpenssl(world.port, ["-alpn", protocol])).toContain("alert no application protocol");
    expect(await askOpenssl(world.port, ["-alpn", `${protocol},http/1.1`])).toContain("ALPN protocol: http/1.1");
  });

  test("T-25.16 T-25.17 T-25.19 no finite-field exchange, no stapled answer, no early data", async () => {
    using world = startTls({ pair });
    expect(await askOpenssl(world.port, ["-tls1_2", "-cipher", "DHE:@SECLEVEL=0"])).toContain(
      "alert handshake failure",
    );
    expect(await askOpenssl(world.port, ["-status", "-tls1_2"])).toContain("OCSP response: no response sent");
    const ticket = await askOpenssl(world.port, ["-tls1_3", "-ign_eof"], GET_AND_CLOSE);
    expect(ticket).toContain("Max Early Data: 0");
  });
});

test("T-25.12 without TLS a hello is answered in plain words and closed, and nothing is ever redirected", async () => {
  const { start } = await import("../http1/raw-client.test.ts");
  using plain = start(async () => text("ok"));
  const socket = await tcp(plain.port);
  let seen = "";
  socket.on("data", (bytes: Buffer) => {
    seen += bytes.toString("latin1");
  });
  const ended = closed(socket);
  socket.write(helloFor(Buffer.from("localhost")));
  await ended;
  expect(seen).toStartWith("HTTP/1.1 400 ");
  expect(seen.toLowerCase()).not.toContain("\r\nlocation:");
});

async function tcp(port: number): Promise<Socket> {
  const socket = connectTcp({ port, host: "127.0.0.1" });
  await new Promise((settle) => socket.once("connect", settle));
  return socket;
}

function closed(socket: Socket): Promise<void> {
  return new Promise((settle) => {
    socket.on("error", () => settle());
    socket.on("close", () => settle());
    socket.on("end", () => settle());
    socket.resume();
  });
}

/** A ClientHello of TLS 1.2 with one cipher and this server name, in as many records as it needs. */
function helloFor(name: Buffer): Buffer {
  const u16 = (value: number) => Buffer.from([(value >> 8) & 0xff, value & 0xff]);
  const sized = (bytes: Buffer) => Buffer.concat([u16(bytes.length), bytes]);
  const entry = Buffer.concat([Buffer.of(0), sized(name)]);
  const extension = Buffer.concat([u16(0), sized(sized(entry))]);
  const fields = [Buffer.of(3, 3), Buffer.alloc(32, 7), Buffer.of(0), sized(u16(0xc02b)), Buffer.of(1, 0)];
  const body = Buffer.concat([...fields, sized(extension)]);
  const message = Buffer.concat([Buffer.of(1, body.length >> 16), u16(body.length & 0xffff), body]);
  const records: Buffer[] = [];
  for (let at = 0; at < message.length; at += 16_384) {
    const part = message.subarray(at, at + 16_384);
    records.push(Buffer.concat([Buffer.of(22, 3, 1), sized(part)]));
  }
  return Buffer.concat(records);
}
