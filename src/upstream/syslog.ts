import { createSocket } from "node:dgram";
import { connect as connectTcp, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import type { AuditRemote, RemoteLine } from "../control/audit-port.ts";
import { err, ok, type Result } from "../kernel/result.ts";
import { codeOf } from "./resolver.ts";

export type SyslogTarget =
  | { readonly transport: "udp" | "tcp" | "tls"; readonly host: string; readonly port: number }
  | { readonly transport: "unix"; readonly path: string };

/** Facility 13, log audit; severities 4 (warning) for what failed, 5 (notice) for the rest. @see RFC 5424 section 6.2.1 */
const FACILITY = 13;
const WARNING = 4;
const NOTICE = 5;
const SEND_MS = 15_000;
/** The largest payload that fits an IPv4 datagram. */
const MAX_DATAGRAM_BYTES = 65_507;

/** `udp://host[:514]`, `tcp://host[:601]`, `tls://host[:6514]` or `unix:///path`; null for anything else. */
export function parseSyslogTarget(text: string): SyslogTarget | null {
  const found = /^(udp|tcp|tls):\/\/(\[[0-9A-Fa-f:.]{2,45}\]|[0-9A-Za-z._-]{1,253})(?::([0-9]{1,5}))?$/.exec(text);
  const [, transport, host = "", port] = found ?? [];
  if (transport === "udp" || transport === "tcp" || transport === "tls") {
    const number = port === undefined ? { udp: 514, tcp: 601, tls: 6514 }[transport] : Number(port);
    if (number < 1 || number > 65_535) return null;
    return { transport, host: host.replaceAll(/^\[|\]$/g, ""), port: number };
  }
  const path = /^unix:\/\/(\/[^\0\r\n]{1,100})$/.exec(text)?.[1];
  return path === undefined ? null : { transport: "unix", path };
}

export type SyslogOptions = {
  readonly target: SyslogTarget;
  /** HOSTNAME of the messages. */
  readonly hostname: string;
  readonly processId: number;
  /** PEM, for `tls`, instead of the public CAs. */
  readonly caCertificates?: readonly string[];
};

/** Sends each line as one message: octet-counted over streams (RFC 6587, RFC 5425), one datagram each over UDP (RFC 5426). */
export function createSyslog({ target, hostname, processId, caCertificates }: SyslogOptions): AuditRemote {
  const format = (line: RemoteLine) => Buffer.from(syslogMessage(line, { hostname, processId }), "utf8");
  const name =
    target.transport === "unix" ? `unix ${target.path}` : `${target.transport} ${target.host}:${target.port}`;
  if (target.transport === "udp") return { name: "syslog", target: name, ...overUdp(target, format) };
  const open = () => openStream(target, caCertificates);
  return { name: "syslog", target: name, ...overStream(open, format) };
}

type Origin = { readonly hostname: string; readonly processId: number };

/** RFC 5424. The message is the line of the export, so that what arrives can be verified like an export. */
export function syslogMessage({ text, atMs }: RemoteLine, { hostname, processId }: Origin): string {
  const hasFailed = text.includes('\\"outcome\\":\\"failed\\"');
  const priority = FACILITY * 8 + (hasFailed ? WARNING : NOTICE);
  const at = new Date(atMs).toISOString();
  return `<${priority}>1 ${at} ${printableName(hostname)} better-ccflare ${processId} audit - ${text}`;
}

/** PRINTUSASCII without spaces, at most 255. */
function printableName(text: string): string {
  const name = text.replaceAll(/[^\x21-\x7e]/g, "").slice(0, 255);
  return name === "" ? "-" : name;
}

type Format = (line: RemoteLine) => Buffer;
type Transport = Pick<AuditRemote, "send" | "close">;

function overUdp({ host, port }: { readonly host: string; readonly port: number }, format: Format): Transport {
  return {
    async send(lines) {
      const socket = createSocket(host.includes(":") ? "udp6" : "udp4");
      const broken = Promise.withResolvers<never>();
      broken.promise.catch(() => undefined);
      // A port that nobody listens on answers with an ICMP message, after the fact.
      socket.on("error", broken.reject);
      try {
        await Promise.race([broken.promise, connected(socket, port, host)]);
        for (const line of lines) {
          const datagram = format(line);
          if (datagram.length > MAX_DATAGRAM_BYTES) return err(`entry ${line.seq} is too large for UDP; use tcp://`);
          await Promise.race([broken.promise, sentDatagram(socket, datagram)]);
        }
        return ok(undefined);
      } catch (cause) {
        return err(`the datagram was not taken (${codeOf(cause)})`);
      } finally {
        socket.close();
      }
    },
    close: () => undefined,
  };
}

type UdpSocket = ReturnType<typeof createSocket>;

function connected(socket: UdpSocket, port: number, host: string): Promise<void> {
  return new Promise((resolve) => socket.connect(port, host, () => resolve()));
}

function sentDatagram(socket: UdpSocket, datagram: Buffer): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.send(datagram, (error) => (error === null || error === undefined ? resolve() : reject(error)));
  });
}

function openStream(target: Exclude<SyslogTarget, { transport: "udp" }>, ca: readonly string[] | undefined): Socket {
  if (target.transport === "unix") return connectTcp(target.path);
  const { host, port } = target;
  if (target.transport === "tcp") return connectTcp({ host, port });
  const trusted = ca === undefined ? {} : { ca: [...ca] };
  return connectTls({ host, port, servername: host, rejectUnauthorized: true, minVersion: "TLSv1.2", ...trusted });
}

/**
 * Syslog over a stream says nothing back, so what was sent last may be lost with its connection. A batch counts as taken
 * once it was written and the far end has closed its side in answer to ours.
 */
function overStream(open: () => Socket, format: Format): Transport {
  let current: Socket | null = null;
  return {
    send(lines) {
      const { promise, resolve } = Promise.withResolvers<Result<void, string>>();
      const socket = open();
      current = socket;
      const finish = (result: Result<void, string>): void => {
        clearTimeout(timer);
        socket.destroy();
        resolve(result);
      };
      const timer = setTimeout(() => finish(err(`no answer within ${SEND_MS} ms`)), SEND_MS);
      socket.on("error", (cause) => finish(err(`the connection failed (${codeOf(cause)})`)));
      socket.on("close", () => finish(err("the connection was closed too early")));
      socket.on("end", () =>
        finish(socket.writableFinished ? ok(undefined) : err("the connection was closed too early")),
      );
      // Whatever is said to us must be read, or the end is never seen.
      socket.resume();
      const framed = lines.map((line) => {
        const message = format(line);
        return Buffer.concat([Buffer.from(`${message.length} `), message]);
      });
      socket.end(Buffer.concat(framed));
      return promise;
    },
    close: () => current?.destroy(),
  };
}
