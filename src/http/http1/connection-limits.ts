// What one client connection may cost (security.md D23). Spans are checked once a tick, so each may last one longer.

/** From the first byte of a head to its end; and for the first byte of a new connection. */
export const HEAD_MS = 10_000;
/** Between two requests. */
export const IDLE_MS = 15_000;
/** Without a byte taken by a client that has bytes waiting for it. */
export const WRITE_STALL_MS = 60_000;
/** How long, and for how many bytes, a closed connection is still read, so that the client sees the answer. */
export const LINGER_MS = 1_000;
/** Between the last event of a cut answer and the end of the connection. */
export const LAST_EVENT_MS = 50;
export const LINGER_BYTES = 64 * 1024;
/** An upload gets ten seconds, and then must have come at 1 KiB a second on average. */
export const UPLOAD_GRACE_MS = 10_000;
export const UPLOAD_BYTES_PER_MS = 1.024;
/** Input that nobody asked for yet: the next requests of a pipelining client. Beyond it the socket is not read. */
export const MAX_HELD_BYTES = 64 * 1024;
/** Requests of one client that are answered before all others get their turn. */
export const MAX_BURST = 16;
/** From the TCP connection to the end of the TLS handshake. */
export const HANDSHAKE_MS = 10_000;
/** Handshakes under way at one time. A stalled one holds about 13 KiB (2026-11-24). */
export const MAX_HANDSHAKES = 1024;
