import type { Socket, SocketHandler } from "bun";
import type { PeerCertificate } from "./peer-certificate.ts";

/** Who uses a connection at the moment. Every call is synchronous, from the socket's events. */
export interface ConnectionUser {
  onBytes(chunk: Buffer): void;
  /** More of the request was accepted by the socket. `isComplete`: all of it. */
  onProgress(isComplete: boolean): void;
  /** The socket is gone. `isClean`: the peer closed it in order. Last call. */
  onClosed(isClean: boolean): void;
}

/** Who made a connection: hears of its life, whoever uses it. */
export interface ConnectionOwner {
  /** TCP is connected. */
  onOpen(connection: Connection): void;
  /** TCP was connected after the connection had been destroyed; it is closed again. */
  onLateOpen(): void;
  onHandshake(connection: Connection, isAuthorized: boolean, error: Error | null): void;
  /** Once for each `onOpen`, before the user hears of it. */
  onClosed(connection: Connection): void;
}

type Unsent = { readonly bytes: Uint8Array; offset: number };

/** One TCP or TLS socket. It belongs to one user or to the pool; without either it is closed. */
export class Connection {
  readonly originKey: string;
  /** Null while nobody uses it: then any byte that arrives closes it. */
  user: ConnectionUser | null = null;
  isClosed = false;
  isOpened = false;
  /** Bytes came that belong to no request. */
  spokeUnasked = false;
  /** Both belong to the pool. */
  isIdle = false;
  idleSinceMs = 0;
  #socket: Socket<Connection> | null = null;
  readonly #owner: ConnectionOwner;
  #isPaused = false;
  #sawEnd = false;
  readonly #unsent: Unsent[] = [];

  constructor(originKey: string, owner: ConnectionOwner) {
    this.originKey = originKey;
    this.#owner = owner;
  }

  get isUsable(): boolean {
    return !this.isClosed && !this.#sawEnd && this.#unsent.length === 0 && this.#socket?.readyState === 1;
  }

  get isWriting(): boolean {
    return this.#unsent.length > 0;
  }

  get remoteAddress(): string {
    return this.#socket?.remoteAddress ?? "";
  }

  /** With its issuers. The types leave out the argument, "abbreviated", which is true by default. */
  get peerCertificate(): PeerCertificate | undefined {
    const socket: { getPeerCertificate(isAbbreviated: boolean): PeerCertificate } | null = this.#socket;
    return socket?.getPeerCertificate(false);
  }

  get tlsVersion(): string {
    return this.#socket?.getTLSVersion() ?? "";
  }

  /**
   * Writes what the socket takes now and the rest as it drains. Gives the bytes taken now, -1 when the socket is closed.
   * `bytes` may be reused after the call, `body` must not change until it is sent.
   */
  // hot path
  write(bytes: Uint8Array, lengthBytes: number, body: Uint8Array | null): number {
    const socket = this.#socket;
    if (socket === null || this.isClosed) return -1;
    const writtenBytes = socket.write(bytes, 0, lengthBytes);
    if (writtenBytes < 0) return -1;
    if (writtenBytes < lengthBytes) {
      // A copy, which Buffer.slice would not be: the caller writes the next request into these bytes.
      this.#unsent.push({ bytes: new Uint8Array(bytes.subarray(writtenBytes, lengthBytes)), offset: 0 });
      if (body !== null) this.#unsent.push({ bytes: body, offset: 0 });
      return writtenBytes;
    }
    if (body === null) return writtenBytes;
    const bodyBytes = Math.max(0, socket.write(body));
    if (bodyBytes < body.length) this.#unsent.push({ bytes: body, offset: bodyBytes });
    return writtenBytes + bodyBytes;
  }

  /** The answer came first: the rest of the request is of no use. The connection cannot be used again. */
  dropUnsent(): void {
    this.#unsent.length = 0;
  }

  pause(): void {
    if (this.#isPaused || this.isClosed) return;
    this.#isPaused = true;
    this.#socket?.pause();
  }

  resume(): void {
    if (!this.#isPaused || this.isClosed) return;
    this.#isPaused = false;
    this.#socket?.resume();
  }

  /** Closes with a reset, now: what is in flight in either direction is lost. Idempotent. */
  destroy(): void {
    this.user = null;
    this.#unsent.length = 0;
    if (this.isClosed) return;
    this.isClosed = true;
    this.#socket?.terminate();
    if (this.isOpened) this.#owner.onClosed(this);
  }

  /** Destroys, and marks the origin as one that speaks unasked. */
  destroyUnasked(): void {
    this.spokeUnasked = true;
    this.destroy();
  }

  /** Closes an idle connection in order (FIN, and close_notify for TLS). Idempotent. */
  close(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.#socket?.end();
    if (this.isOpened) this.#owner.onClosed(this);
  }

  // --- the socket's events -------------------------------------------------------------------------------------

  onOpen(socket: Socket<Connection>): void {
    if (this.isClosed) {
      socket.terminate();
      this.#owner.onLateOpen();
      return;
    }
    this.isOpened = true;
    this.#socket = socket;
    this.#owner.onOpen(this);
  }

  onHandshake(isAuthorized: boolean, error: Error | null): void {
    if (!this.isClosed) this.#owner.onHandshake(this, isAuthorized, error);
  }

  // hot path
  onData(chunk: Buffer): void {
    if (this.isClosed) return;
    if (this.user === null) this.destroyUnasked();
    else this.user.onBytes(chunk);
  }

  onDrain(): void {
    const socket = this.#socket;
    let hasProgress = false;
    while (socket !== null && !this.isClosed) {
      const unsent = this.#unsent[0];
      if (unsent === undefined) break;
      const lengthBytes = unsent.bytes.length - unsent.offset;
      const writtenBytes = socket.write(unsent.bytes, unsent.offset, lengthBytes);
      if (writtenBytes > 0) {
        hasProgress = true;
        unsent.offset += writtenBytes;
      }
      if (writtenBytes < lengthBytes) break;
      this.#unsent.shift();
    }
    if (hasProgress) this.user?.onProgress(this.#unsent.length === 0);
  }

  onEnd(): void {
    this.#sawEnd = true;
  }

  onClose(error: Error | undefined): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.#owner.onClosed(this);
    const user = this.user;
    this.user = null;
    user?.onClosed(this.#sawEnd && error === undefined);
  }
}

/** The handlers of every socket; `socket.data` says which connection it is. */
export const SOCKET_EVENTS: SocketHandler<Connection> = {
  binaryType: "buffer",
  open: (socket) => socket.data.onOpen(socket),
  data: (socket, chunk) => socket.data.onData(chunk),
  drain: (socket) => socket.data.onDrain(),
  end: (socket) => socket.data.onEnd(),
  close: (socket, error) => socket.data.onClose(error),
  // A TLS failure, or a handler that threw: nothing on this socket can be trusted any more. `close` follows.
  error: (socket) => socket.terminate(),
};
