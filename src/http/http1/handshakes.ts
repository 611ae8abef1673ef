import type { Socket, SocketHandler, TLSUpgradeOptions } from "bun";
import { listedName } from "../../domain/access/certificate-name.ts";
import { ok } from "../../kernel/result.ts";
import type { TlsTerms } from "../tls/tls-terms.ts";
import { HANDSHAKE_MS, MAX_HANDSHAKES } from "./connection-limits.ts";
import type { ConnectionRoom } from "./connection-room.ts";
import { UNKNOWN_CERTIFICATE } from "./own-refusals.ts";
import { answerText, EVENTS, type SocketOwner } from "./socket-events.ts";

export type TlsDoor = {
  /** Asked for each connection, so that a new certificate holds from the next one on. */
  readonly terms: () => TlsTerms;
  /** Names of client certificates, exactly. Empty: every certificate of the clients' authority may come in. */
  readonly clientNames: readonly string[];
  /** A client certificate was refused, by its authority, its dates, its revocation or its names. A stable word. */
  readonly onRefusedClient: (reason: string) => void;
};

export interface Handshakes {
  readonly size: number;
  begin(socket: Socket<SocketOwner | null>): void;
  checkDeadlines(): void;
  /** Resets all. */
  stop(): void;
}

export type HandshakesNeeds = {
  readonly door: TlsDoor;
  readonly room: ConnectionRoom;
  /** The handshake is done, and the client may send requests. */
  readonly admit: (socket: Socket<SocketOwner | null>) => void;
  readonly error: (socket: Socket<SocketOwner | null>, cause: unknown) => void;
};

type TlsSocket = Socket<SocketOwner | null>;
/** Bun's own `node:tls` asks with it to be the server's side; its types do not name it (1.4.5, 2026-11-24). */
type ServerUpgrade = TLSUpgradeOptions<SocketOwner | null> & { readonly isServer: true };

/** With the argument that the types leave out, as in Bun's own `node:tls`. */
type ChainSocket = { getPeerCertificate(isAbbreviated: boolean): ChainLink | undefined };
type ChainLink = { readonly fingerprint256?: string; readonly issuerCertificate?: ChainLink };

/**
 * The TLS handshakes of a listener. TCP is accepted without TLS and each socket upgraded with the terms of its moment:
 * so a new certificate or list of revoked ones needs no second listener, and what runs goes on (docs/adr/0022-tls-on-our-listener.md).
 * Each may last `HANDSHAKE_MS`. Of more than `MAX_HANDSHAKES` the oldest is reset: an honest one ends long before.
 */
export function createHandshakes({ door, room, admit, error }: HandshakesNeeds): Handshakes {
  /** In the order in which they began. */
  const running = new Set<Handshake>();
  const events: SocketHandler<SocketOwner | null> = {
    ...EVENTS,
    open: () => undefined,
    error,
    handshake(socket, isDone, cause) {
      const handshake = socket.data;
      if (!(handshake instanceof Handshake) || !running.delete(handshake)) return;
      // Without `requestCert` the runtime checks a certificate that is not there, and says so in `cause`.
      if (!isDone) refuse(socket, handshake.terms, codeOf(cause));
      else if (handshake.terms.asksCertificate) meet(socket, handshake.terms, cause);
      else admit(socket);
    },
  };

  function meet(socket: TlsSocket, terms: TlsTerms, cause: Error | null): void {
    if (cause !== null || !socket.authorized || isChainTooLong(socket)) {
      refuse(socket, terms, cause === null && socket.authorized ? "chain_too_long" : codeOf(cause));
      return;
    }
    const { clientNames } = door;
    const name = clientNames.length === 0 ? ok("") : listedName(certifiedNames(socket), clientNames);
    if (name.ok) {
      admit(socket);
      return;
    }
    door.onRefusedClient(name.error);
    socket.data = null;
    socket.end(answerText(UNKNOWN_CERTIFICATE, room.dateText));
  }

  function refuse(socket: TlsSocket, terms: TlsTerms, reason: string): void {
    if (terms.asksCertificate) door.onRefusedClient(reason);
    socket.data = null;
    socket.terminate();
  }

  return {
    get size() {
      return running.size;
    },
    begin(socket) {
      if (running.size >= MAX_HANDSHAKES) {
        for (const oldest of running) {
          oldest.destroy();
          break;
        }
      }
      const handshake = new Handshake(door.terms(), room.nowMs + HANDSHAKE_MS, running);
      running.add(handshake);
      const upgrade: ServerUpgrade = {
        data: handshake,
        tls: handshake.terms.options,
        socket: events,
        isServer: true,
      };
      // The first of the two is `socket` itself; what comes on it is TLS's own.
      const [, tls] = socket.upgradeTLS<SocketOwner | null>(upgrade);
      handshake.socket = tls;
    },
    checkDeadlines() {
      for (const handshake of running) {
        if (room.nowMs < handshake.deadlineMs) break;
        handshake.destroy();
      }
    },
    stop() {
      for (const handshake of running) handshake.destroy();
    },
  };
}

function certifiedNames(socket: TlsSocket): string | undefined {
  return socket.getPeerX509Certificate()?.subjectAltName;
}

/** The library itself follows a hundred. */
const MAX_CHAIN = 5;

function isChainTooLong(socket: ChainSocket): boolean {
  // The argument is called "abbreviated", and is true by default.
  let certificate = socket.getPeerCertificate(false);
  for (let length = 1; length <= MAX_CHAIN; length += 1) {
    const issuer = certificate?.issuerCertificate;
    if (issuer === undefined || issuer === certificate) return false;
    certificate = issuer;
  }
  return true;
}

/** One that is under way. */
class Handshake implements SocketOwner {
  readonly terms: TlsTerms;
  readonly deadlineMs: number;
  readonly #running: Set<Handshake>;
  socket: TlsSocket | null = null;

  constructor(terms: TlsTerms, deadlineMs: number, running: Set<Handshake>) {
    this.terms = terms;
    this.deadlineMs = deadlineMs;
    this.#running = running;
  }

  onData(): void {
    // Nothing is said before the handshake is done.
  }

  onDrain(): void {
    // Nothing of ours waits.
  }

  onGone(): void {
    this.#running.delete(this);
  }

  destroy(): void {
    this.#running.delete(this);
    this.socket?.terminate();
  }
}

/** The runtime's word for it; a failed handshake carries a sentence of the library behind two colons and spaces. */
function codeOf(cause: Error | null): string {
  const code = cause !== null && "code" in cause ? String(cause.code) : "unknown";
  const word = cause?.message.split(":").at(-1)?.trim() ?? "";
  return code === "EPROTO" && /^[A-Z0-9_]{1,64}$/u.test(word) ? word.toLowerCase() : code.toLowerCase();
}
