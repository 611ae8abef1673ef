import { afterEach, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { createHmac } from "node:crypto";
import { createSocket } from "node:dgram";
import { readFileSync } from "node:fs";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { join } from "node:path";
import { type AuditWorld, createAuditWorld, DAY_MS, DRAFT, until, verified } from "./audit-world.test.ts";
import { actingAs, OPERATOR, SYSTEM } from "./control/acting.ts";
import type { AuditRemote } from "./control/audit-port.ts";
import { Secret } from "./kernel/secret.ts";
import type { RunningAudit } from "./running-audit.ts";
import { createAuditWebhook } from "./upstream/audit-webhook.ts";
import { createSyslog, parseSyslogTarget } from "./upstream/syslog.ts";
import { createUpstream } from "./upstream/upstream.ts";

setDefaultTimeout(20_000);

// Real listeners: what arrives there is put together again and verified like an export.

let world: AuditWorld;
const cleanups: (() => unknown)[] = [];

beforeEach(() => {
  world = createAuditWorld();
});

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
  world.remove();
});

const publicKey = () => Buffer.from(readFileSync(join(world.dataDir, "audit.pub"), "utf8").trim(), "hex");
const MESSAGE =
  /^<(108|109)>1 (\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z) gw\.example better-ccflare 77 audit - (\{.*\})$/;

function partsOf(message: string): { readonly priority: string; readonly line: string } {
  const [, priority = "", , line = ""] = MESSAGE.exec(message) ?? [];
  return { priority, line };
}

const syslogTo = (text: string): AuditRemote => {
  const target = parseSyslogTarget(text);
  if (target === null) throw new Error("no target");
  return createSyslog({ target, hostname: "gw.example", processId: 77 });
};

/** A syslog server as RFC 6587 and RFC 5425 describe it: octet-counted, closes when its client has. */
async function startSyslog(port = 0) {
  const messages: string[] = [];
  const sockets = new Set<Socket>();
  const server: Server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.add(socket);
    const chunks: Buffer[] = [];
    socket.on("data", (chunk) => chunks.push(Buffer.from(chunk)));
    socket.on("error", () => undefined);
    socket.on("end", () => {
      messages.push(...unframed(Buffer.concat(chunks)));
      socket.end();
    });
  });
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  const stop = () => {
    for (const socket of sockets) socket.destroy();
    server.close();
  };
  cleanups.push(stop);
  return { messages, stop, port: (server.address() as AddressInfo).port };
}

function unframed(bytes: Buffer): readonly string[] {
  const messages: string[] = [];
  for (let at = 0; at < bytes.length; ) {
    const space = bytes.indexOf(0x20, at);
    const length = Number(bytes.subarray(at, space).toString());
    messages.push(bytes.subarray(space + 1, space + 1 + length).toString());
    at = space + 1 + length;
  }
  return messages;
}

const change = (audit: RunningAudit, value = "x") =>
  audit.changes.change({ ...DRAFT, after: { value } }, ({ settings }) => settings.set("a", value));

async function stateOf(audit: RunningAudit, name: string): Promise<string | undefined> {
  return (await audit.reader.sinks()).find((sink) => sink.name === name)?.state;
}

describe("T-22.05 syslog", () => {
  test("gets every line as a message of RFC 5424 over TCP, and what arrives is a log that verifies", async () => {
    const server = await startSyslog();
    await world.run({ remotes: [syslogTo(`tcp://127.0.0.1:${server.port}`)] }, async (audit) => {
      await audit.start();
      for (let at = 0; at < 5; at += 1) await change(audit, `caf\u00e9 ${at}`);
      await audit.changes.note({ ...DRAFT, code: "CFG001E", reason: "refused" });
    });
    const parts = server.messages.map(partsOf);
    expect(parts.map(({ priority }) => priority).filter((each) => each === "108")).toHaveLength(1);
    expect(
      verified(
        parts.map(({ line }) => line),
        publicKey(),
      ),
    ).toBe(8);
  });

  test("gets the same over UDP, one datagram each", async () => {
    const messages: string[] = [];
    const server = createSocket("udp4", (message) => messages.push(message.toString()));
    await new Promise<void>((resolve) => server.bind(0, "127.0.0.1", resolve));
    cleanups.push(() => server.close());
    await world.run({ remotes: [syslogTo(`udp://127.0.0.1:${server.address().port}`)] }, async (audit) => {
      for (let at = 0; at < 5; at += 1) await change(audit);
    });
    await until(() => messages.length === 8);
    expect(
      verified(
        messages.map((each) => partsOf(each).line),
        publicKey(),
      ),
    ).toBe(6);
  });

  test("gets the same over a Unix socket", async () => {
    const messages: string[] = [];
    const path = join(world.parent, "log.sock");
    const server = createServer({ allowHalfOpen: true }, (socket) => {
      const chunks: Buffer[] = [];
      socket.on("data", (chunk) => chunks.push(Buffer.from(chunk)));
      socket.on("end", () => {
        messages.push(...unframed(Buffer.concat(chunks)));
        socket.end();
      });
    });
    await new Promise<void>((resolve) => server.listen(path, resolve));
    cleanups.push(() => server.close());
    await world.run({ remotes: [syslogTo(`unix://${path}`)] }, (audit) => change(audit));
    expect(
      verified(
        messages.map((each) => partsOf(each).line),
        publicKey(),
      ),
    ).toBe(2);
  });

  test("that is away for a while holds up nothing, and gets everything once, in order, when it is back", async () => {
    const first = await startSyslog();
    const { port } = first;
    first.stop();
    let back: Awaited<ReturnType<typeof startSyslog>> | null = null;
    await world.run({ remotes: [syslogTo(`tcp://127.0.0.1:${port}`)] }, async (audit) => {
      for (let at = 0; at < 20; at += 1) await change(audit);
      await until(() => world.logged.includes("takes no entries"));
      expect(await stateOf(audit, "syslog")).toBe("behind");
      expect(await stateOf(audit, "file")).toBe("ok");
      back = await startSyslog(port);
      await until(() => (back?.messages.length ?? 0) >= 20);
      await until(() => world.logged.includes("takes entries again"));
      expect(await stateOf(audit, "syslog")).toBe("ok");
    });
    const lines = (back as { messages: string[] } | null)?.messages.map((each) => partsOf(each).line) ?? [];
    expect(verified(lines, publicKey())).toBe(21);
    // Said once, not with each try.
    expect(world.logged.split("takes no entries")).toHaveLength(2);
  });

  test("goes on after a restart where it was, and never from the start", async () => {
    const server = await startSyslog();
    const remotes = () => [syslogTo(`tcp://127.0.0.1:${server.port}`)];
    for (let run = 0; run < 3; run += 1) await world.run({ remotes: remotes() }, (audit) => change(audit));
    const lines = server.messages.map((each) => partsOf(each).line);
    expect(new Set(lines).size).toBe(lines.length);
    expect(verified(lines, publicKey())).toBe(6);
  });

  test("a TLS server whose certificate nobody vouches for gets nothing", async () => {
    const [key, cert] = [join(world.parent, "k"), join(world.parent, "c")];
    const subject = ["-subj", "/CN=localhost", "-days", "1", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"];
    Bun.spawnSync(["openssl", "req", "-x509", "-nodes", "-keyout", key, "-out", cert, ...subject]);
    let received = 0;
    const server = Bun.listen({
      hostname: "127.0.0.1",
      port: 0,
      tls: { key: readFileSync(key, "utf8"), cert: readFileSync(cert, "utf8") },
      socket: {
        data: (_, chunk) => {
          received += chunk.length;
        },
      },
    });
    cleanups.push(() => server.stop(true));
    await world.run({ remotes: [syslogTo(`tls://localhost:${server.port}`)] }, async (audit) => {
      await change(audit);
      await until(() => world.logged.includes("takes no entries"));
    });
    expect(world.logged).toContain("the connection failed");
    expect(received).toBe(0);
  });
});

const SECRET = "0123456789abcdef0123456789abcdef";

type Post = { readonly signature: string; readonly body: string; readonly path: string };

function startWebhook(statusOf: (post: number) => number) {
  const posts: Post[] = [];
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    async fetch(request) {
      const body = await request.text();
      const signature = request.headers.get("x-bccf-signature") ?? "";
      posts.push({ signature, body, path: new URL(request.url).pathname });
      const status = statusOf(posts.length);
      return new Response("", { status, headers: status === 302 ? { location: "/elsewhere" } : {} });
    },
  });
  cleanups.push(() => server.stop(true));
  return { posts, url: `http://127.0.0.1:${server.port}/audit/in` };
}

function webhookTo(url: string, allowPrivate = true): AuditRemote {
  const upstream = createUpstream({ allowPrivate });
  cleanups.push(() => upstream.stop());
  return createAuditWebhook({ upstream, url, secret: new Secret("webhook", SECRET), nowMs: () => world.nowMs });
}

describe("T-22.05 a webhook", () => {
  test("gets signed posts, again after a failure, and what it took is a log that verifies", async () => {
    const { posts, url } = startWebhook((post) => [503, 302, 200][post - 1] ?? 204);
    await world.run({ remotes: [webhookTo(url)] }, async (audit) => {
      for (let at = 0; at < 5; at += 1) await change(audit);
      await until(() => posts.length >= 3);
    });
    for (const { signature, body, path } of posts) {
      const seconds = Math.floor(world.nowMs / 1000);
      const mac = createHmac("sha256", SECRET).update(`${seconds}.${body}`).digest("hex");
      expect({ signature, path }).toEqual({ signature: `t=${seconds},v1=${mac}`, path: "/audit/in" });
    }
    const taken = posts.slice(2).flatMap(({ body }) => body.split("\n").slice(0, -1));
    expect(verified(taken, publicKey())).toBe(6);
  });

  test("at a private address is not reached unless private upstreams are allowed", async () => {
    const { posts, url } = startWebhook(() => 200);
    await world.run({ remotes: [webhookTo(url, false)] }, async (audit) => {
      await change(audit);
      await until(() => world.logged.includes("takes no entries"));
    });
    expect(posts).toEqual([]);
  });
});

const NOBODY: AuditRemote = {
  name: "webhook",
  target: "nobody.example",
  send: async () => ({ ok: false, error: "nobody is there" }),
  close: () => undefined,
};

describe("T-22.05 a sink that is blocked for a day", () => {
  test("refuses changes and says so; what the gateway does by itself, and notes, go on", async () => {
    await world.run({ remotes: [NOBODY] }, async (audit) => {
      await change(audit);
      await until(() => world.logged.includes("nobody is there"));
      world.nowMs += DAY_MS - 1;
      await change(audit);
      expect(await stateOf(audit, "webhook")).toBe("behind");
      world.nowMs += 1;
      await expect(actingAs(OPERATOR, () => change(audit))).rejects.toThrow(/webhook.*nobody\.example.*24 h/);
      expect(await stateOf(audit, "webhook")).toBe("blocked");
      expect(audit.lags()).toContainEqual({ name: "webhook", lagMs: DAY_MS, isBlocked: true });
      await audit.changes.change({ ...DRAFT, actor: SYSTEM }, ({ settings }) => settings.set("a", "renewed"));
      await audit.changes.note(DRAFT);
    });
    expect(world.logged).toContain("nobody is there");
  });

  test("refuses nothing when the configuration says continue", async () => {
    await world.run({ remotes: [NOBODY], whenSinkBlocked: "continue" }, async (audit) => {
      await change(audit);
      await until(() => world.logged.includes("nobody is there"));
      world.nowMs += 2 * DAY_MS;
      await change(audit);
      expect(await stateOf(audit, "webhook")).toBe("blocked");
    });
  });

  test("or for which more waits than may wait, refuses changes too", async () => {
    await world.run({ remotes: [NOBODY], maxPendingBytes: 10_000 }, async (audit) => {
      const fill = async () => {
        for (let at = 0; at < 200; at += 1) {
          await change(audit, "y".repeat(200));
          // The sink tries again in the meantime, and looks at what waits.
          await Bun.sleep(1);
        }
      };
      await expect(fill()).rejects.toThrow("1 GiB");
    });
  });

  test("a sink that is new owes nothing from before it was", async () => {
    await world.run({}, (audit) => change(audit));
    world.nowMs += 300 * DAY_MS;
    await world.run({ remotes: [NOBODY] }, async (audit) => {
      await until(() => world.logged.includes("nobody is there"));
      await change(audit);
      expect(await stateOf(audit, "webhook")).toBe("behind");
    });
  });
});

test.each([
  ["udp://log.example", { transport: "udp", host: "log.example", port: 514 }],
  ["tcp://10.0.0.1:1514", { transport: "tcp", host: "10.0.0.1", port: 1514 }],
  ["tls://[2001:db8::1]", { transport: "tls", host: "2001:db8::1", port: 6514 }],
  ["unix:///run/log", { transport: "unix", path: "/run/log" }],
  ["tcp://host:0", null],
  ["tcp://host:70000", null],
  ["http://host", null],
  ["tcp://user@host", null],
  ["unix://run/log", null],
])("the syslog target %s is %p", (text, target) => expect(parseSyslogTarget(text)).toEqual(target as never));
