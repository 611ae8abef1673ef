import { rootCertificates } from "node:tls";
import type { Socket, TLSOptions } from "bun";
import type { UpstreamFailureKind } from "../gateway/ports.ts";
import { err, ok, type Result } from "../kernel/result.ts";
import type { Origin } from "./base-url.ts";
import { Connection, type ConnectionOwner, SOCKET_EVENTS } from "./connection.ts";
import { certificateFault, signedChain } from "./peer-certificate.ts";
import type { PeerTrust } from "./peer-trust.ts";
import { type AddressPolicy, isSameAddress, mayDial } from "./public-address.ts";
import { codeOf, type Resolver } from "./resolver.ts";

export type DialProblem = {
  readonly kind: Extract<UpstreamFailureKind, "connect" | "address_refused">;
  readonly detail: string;
};

/** Called once, unless the dial is cancelled first. */
export type OnDialed = (result: Result<Connection, DialProblem>) => void;

export type DialerOptions = {
  readonly resolver: Resolver;
  readonly addresses: AddressPolicy;
  /** What is asked beyond a valid certificate; null when nothing is. */
  readonly trust: PeerTrust | null;
  /** PEM, trusted beside the public CAs that Bun bundles. */
  readonly caCertificates: readonly string[];
  /** A connection that once opened was closed, by whomever. */
  readonly onClosed: (connection: Connection) => void;
};

/** The next address is tried when the one before has not answered for so long. @see RFC 8305 section 5 */
const NEXT_ADDRESS_MS = 250;
/** RFC 7301: each name after its length. As plain text it goes out as no extension at all (Bun 1.4.5, 2026-11-24). */
const ALPN = Buffer.from("\u0008http/1.1", "latin1");
/**
 * Bun cannot take back a connect() that waits for an answer; the kernel gives up on it after two minutes. So a silent
 * host may hold this many descriptors for one origin, then dialling fails at once until some are given back.
 */
const MAX_ABANDONED_CONNECTS = 256;

/** Opens checked connections. It owns the sockets until they are ready; then whoever dialled owns them. */
export class Dialer {
  readonly options: DialerOptions;
  openSockets = 0;
  /** By origin key: connects that nobody waits for any more, and the kernel still does. */
  readonly abandoned = new Map<string, number>();
  readonly #trusted: string[] | undefined;

  constructor(options: DialerOptions) {
    this.options = options;
    // Giving `ca` replaces Bun's bundled CAs, hence both.
    this.#trusted = options.caCertificates.length === 0 ? undefined : [...rootCertificates, ...options.caCertificates];
  }

  /** Never calls back before it returns. */
  dial(origin: Origin, onDialed: OnDialed): Dial {
    const dial = new Dial(this, origin, onDialed);
    void dial.start();
    return dial;
  }

  /**
   * Verification cannot be turned off: `rejectUnauthorized` is explicit, because NODE_TLS_REJECT_UNAUTHORIZED=0 is only
   * the default of it, and `Dial` looks at the verdict again.
   */
  tlsFor(origin: Origin): TLSOptions {
    const base: TLSOptions = {
      serverName: origin.hostname,
      rejectUnauthorized: true,
      ALPNProtocols: ALPN,
    };
    return this.#trusted === undefined ? base : { ...base, ca: this.#trusted };
  }
}

/** One search for a connection: resolve, check, then the addresses one after the other, staggered. */
export class Dial implements ConnectionOwner {
  readonly #dialer: Dialer;
  readonly #origin: Origin;
  readonly #onDialed: OnDialed;
  readonly #addresses = new Map<Connection, string>();
  readonly #waiting: string[] = [];
  #isDone = false;
  #lastFact = "no address was tried";
  #stagger: Timer | undefined;

  constructor(dialer: Dialer, origin: Origin, onDialed: OnDialed) {
    this.#dialer = dialer;
    this.#origin = origin;
    this.#onDialed = onDialed;
  }

  async start(): Promise<void> {
    const { resolver, addresses } = this.#dialer.options;
    const { hostname, isIpLiteral, isTls, key } = this.#origin;
    const resolved = isIpLiteral ? await Promise.resolve(ok([hostname])) : await resolver(hostname);
    if (this.#isDone) return;
    if (!resolved.ok) return this.#finish(err(resolved.error));
    if (!resolved.value.every((address) => mayDial(address, isTls, addresses))) {
      return this.#finish(err({ kind: "address_refused", detail: "the address is not public" }));
    }
    if ((this.#dialer.abandoned.get(key) ?? 0) >= MAX_ABANDONED_CONNECTS) {
      const detail = `${MAX_ABANDONED_CONNECTS} earlier connects are still unanswered`;
      return this.#finish(err({ kind: "connect", detail }));
    }
    this.#waiting.push(...resolved.value);
    this.#tryNext();
  }

  /** No call back follows. What is half open is closed. Idempotent. */
  cancel(): void {
    this.#end(null);
  }

  onOpen(connection: Connection): void {
    this.#dialer.openSockets += 1;
    const address = this.#addresses.get(connection) ?? "";
    if (!isSameAddress(connection.remoteAddress, address)) {
      this.#finish(err({ kind: "address_refused", detail: "the socket is connected to another address" }));
    } else if (!this.#origin.isTls) {
      this.#finish(ok(connection));
    }
  }

  onLateOpen(): void {
    this.#countAbandoned(-1);
  }

  onHandshake(connection: Connection, isAuthorized: boolean, error: Error | null): void {
    const version = connection.tlsVersion;
    if (!isAuthorized) {
      this.#fail(connection, `the certificate is not accepted (${codeOf(error)})`);
    } else if (version !== "TLSv1.3" && version !== "TLSv1.2") {
      this.#fail(connection, "the server speaks an old version of TLS");
    } else {
      const leaf = connection.peerCertificate;
      const chain = signedChain(leaf);
      const fact = certificateFault(chain) ?? this.#dialer.options.trust?.(this.#origin.hostname, leaf, chain) ?? null;
      if (fact === null) this.#finish(ok(connection));
      else this.#fail(connection, fact);
    }
  }

  onClosed(connection: Connection): void {
    this.#dialer.openSockets -= 1;
    this.#dialer.options.onClosed(connection);
  }

  #tryNext(): void {
    clearTimeout(this.#stagger);
    const address = this.#waiting.shift();
    if (address === undefined) {
      if (this.#addresses.size === 0) this.#finish(err({ kind: "connect", detail: this.#lastFact }));
      return;
    }
    const connection = new Connection(this.#origin.key, this);
    connection.user = {
      // A server that speaks first does not speak HTTP.
      onBytes: () => this.#fail(connection, "the server sent bytes before any request"),
      onProgress: () => undefined,
      onClosed: () => this.#fail(connection, "the connection was closed before it was ready"),
    };
    this.#addresses.set(connection, address);
    if (this.#waiting.length > 0) this.#stagger = setTimeout(() => this.#tryNext(), NEXT_ADDRESS_MS);
    this.#connect(connection, address);
  }

  #connect(connection: Connection, address: string): void {
    let isRefused = false;
    const onRefused = (error: unknown) => {
      if (isRefused || connection.isOpened) return;
      isRefused = true;
      if (connection.isClosed) return this.#countAbandoned(-1);
      this.#addresses.delete(connection);
      connection.destroy();
      this.#lastFact = `the connection is not accepted (${codeOf(error)})`;
      this.#tryNext();
    };
    const tls = this.#origin.isTls ? { tls: this.#dialer.tlsFor(this.#origin) } : {};
    const handshake = {
      handshake: (socket: Socket<Connection>, isAccepted: boolean, error: Error | null) =>
        connection.onHandshake(isAccepted && socket.authorized && error === null, error),
    };
    const connectError = (_socket: unknown, error: unknown) => onRefused(error);
    // Without a `handshake` handler Bun would call `open` only after the handshake, and an abort could not end it.
    const socket = { ...SOCKET_EVENTS, connectError, ...(this.#origin.isTls ? handshake : {}) };
    try {
      const { port } = this.#origin;
      Bun.connect({ hostname: address, port, data: connection, socket, ...tls }).catch(onRefused);
    } catch (error) {
      onRefused(error);
    }
  }

  #fail(connection: Connection, fact: string): void {
    if (this.#isDone) return;
    this.#lastFact = fact;
    this.#drop(connection);
    this.#tryNext();
  }

  #drop(connection: Connection): void {
    this.#addresses.delete(connection);
    if (!connection.isOpened) this.#countAbandoned(1);
    connection.destroy();
  }

  #finish(result: Result<Connection, DialProblem>): void {
    if (this.#isDone) return;
    this.#end(result.ok ? result.value : null);
    this.#onDialed(result);
  }

  #end(winner: Connection | null): void {
    this.#isDone = true;
    clearTimeout(this.#stagger);
    this.#waiting.length = 0;
    for (const connection of [...this.#addresses.keys()]) {
      if (connection !== winner) this.#drop(connection);
    }
    this.#addresses.clear();
    if (winner !== null) winner.user = null;
  }

  #countAbandoned(change: 1 | -1): void {
    const { abandoned } = this.#dialer;
    const count = (abandoned.get(this.#origin.key) ?? 0) + change;
    if (count > 0) abandoned.set(this.#origin.key, count);
    else abandoned.delete(this.#origin.key);
  }
}
