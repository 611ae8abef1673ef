import { readFileSync, writeFileSync } from "node:fs";
import { type ConnectionOptions, connect as connectTls, type TLSSocket } from "node:tls";
import type { Pair } from "../../../sim/certificate-authority.ts";
import type { Answer, Call } from "../../gateway/call.ts";
import { epochMs } from "../../kernel/time.ts";
import { type DataListener, listenData } from "../data-listener.ts";
import { echo, type ManualClock, manualClock } from "../http1/raw-client.test.ts";
import type { TlsPaths, TlsProblem } from "./tls-files.ts";
import { openTls, type TlsKeeper, type TlsKeeperOptions } from "./tls-keeper.ts";
import type { TlsTerms } from "./tls-terms.ts";

// What the tests of this room share; it holds no test of its own.

/** The listener with TLS, its clock by hand, and what it told. */
export type TlsWorld = Disposable & {
  readonly listener: DataListener;
  readonly port: number;
  readonly clock: ManualClock;
  readonly keeper: TlsKeeper;
  readonly calls: Call[];
  readonly errors: unknown[];
  readonly refusedClients: string[];
  readonly swapped: TlsTerms[];
  readonly problems: TlsProblem[];
};

export type TlsWorldOptions = {
  readonly pair: Pair;
  readonly paths?: Partial<TlsPaths>;
  readonly minVersion?: TlsKeeperOptions["minVersion"];
  readonly clientNames?: readonly string[];
  readonly serve?: (call: Call) => Promise<Answer | null>;
};

/** Its time begins now, since certificates are judged by it. */
function clockFromNow(): ManualClock {
  const clock = manualClock();
  const shiftMs = Date.now() - clock.now();
  return { ...clock, now: () => epochMs(clock.now() + shiftMs) };
}

export function pathsOf({ certFile, keyFile }: Pair, more: Partial<TlsPaths> = {}): TlsPaths {
  return { certFile, keyFile, clientCaFile: null, crlFile: null, ...more };
}

export function startTls({
  pair,
  paths,
  minVersion = "1.2",
  clientNames = [],
  serve = echo,
}: TlsWorldOptions): TlsWorld {
  const clock = clockFromNow();
  const calls: Call[] = [];
  const errors: unknown[] = [];
  const refusedClients: string[] = [];
  const swapped: TlsTerms[] = [];
  const problems: TlsProblem[] = [];
  const opened = openTls({
    paths: pathsOf(pair, paths),
    minVersion,
    clock,
    onSwapped: (terms) => swapped.push(terms),
    onRefused: (problem) => problems.push(problem),
  });
  if (!opened.ok) throw new Error(`Cannot start: ${opened.error.file}: ${opened.error.fact}`);
  const keeper = opened.value;
  const listener = listenData({
    clock,
    host: "127.0.0.1",
    port: 0,
    pages: new Map(),
    onError: (cause) => errors.push(cause),
    tls: { terms: () => keeper.terms, clientNames, onRefusedClient: (reason) => refusedClients.push(reason) },
    serve(call) {
      calls.push(call);
      return serve(call);
    },
  });
  return {
    listener,
    port: listener.port,
    clock,
    keeper,
    calls,
    errors,
    refusedClients,
    swapped,
    problems,
    [Symbol.dispose]() {
      keeper.stop();
      void listener.stop();
    },
  };
}

export type Outcome =
  | {
      readonly kind: "answer";
      readonly status: number;
      readonly text: string;
      readonly version: string;
      readonly cipher: string;
      readonly wasReused: boolean;
      readonly shown: string;
      readonly session: Buffer | null;
    }
  | { readonly kind: "refused"; readonly code: string };

/** One GET by the runtime's own TLS client; a handshake or a connection that fails is an outcome, not an exception. */
export function ask(port: number, options: ConnectionOptions): Promise<Outcome> {
  return new Promise((resolve) => {
    let text = "";
    let session: Buffer | null = null;
    const socket: TLSSocket = connectTls({ host: "127.0.0.1", port, servername: "localhost", ...options });
    const end = (code: string) => {
      clearTimeout(timer);
      socket.destroy();
      const status = /^HTTP\/1\.1 ([0-9]{3}) /u.exec(text)?.[1];
      if (status === undefined) resolve({ kind: "refused", code });
      else resolve({ kind: "answer", status: Number(status), text, session, ...facts });
    };
    const facts = { version: "", cipher: "", wasReused: false, shown: "" };
    const timer = setTimeout(() => end("ETIMEDOUT"), 4_000);
    socket.on("session", (given: Buffer) => {
      session = given;
    });
    socket.once("secureConnect", () => {
      facts.version = socket.getProtocol() ?? "";
      facts.cipher = socket.getCipher().name;
      facts.wasReused = socket.isSessionReused();
      facts.shown = String(socket.getPeerCertificate().subject?.CN ?? "");
      socket.write("GET /v1/models HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    });
    socket.on("data", (bytes: Buffer) => {
      text += bytes.toString("latin1");
    });
    socket.once("error", (error) => end("code" in error ? String(error.code) : error.message));
    socket.once("close", () => end("closed"));
    socket.once("end", () => end("closed"));
  });
}

/** One GET by the machine's openssl, whose every protocol and cipher can be asked for; gives all that it prints. */
export async function askOpenssl(port: number, words: readonly string[], send = "Q"): Promise<string> {
  const child = Bun.spawn(
    ["openssl", "s_client", "-connect", `127.0.0.1:${port}`, "-servername", "localhost", ...words],
    {
      stdin: new Blob([send]),
      stdout: "pipe",
      stderr: "pipe",
      timeout: 5_000,
    },
  );
  const [out, problem] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()]);
  await child.exited;
  return out + problem;
}

/** Puts one pair where another is, as a renewal does: each file replaced by a rename. */
export function replacePair(at: Pair, by: Pair): void {
  writeFileSync(at.certFile, readFileSync(by.certFile));
  writeFileSync(at.keyFile, readFileSync(by.keyFile));
}
