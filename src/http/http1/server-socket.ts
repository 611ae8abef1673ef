import type { Sending } from "./outbox.ts";

/** The part of Bun's TCP and TLS sockets that a connection needs. */
export interface ServerSocket extends Sending {
  /** Text of the peer's address, while the socket is open. */
  readonly remoteAddress?: string;
  pause(): void;
  resume(): void;
  /** Sends FIN and goes on reading. */
  shutdown(): void;
  /** Resets the connection, now. */
  terminate(): void;
}
