import type { Connection } from "./connection.ts";

export type PoolLimits = {
  /** Idle sockets kept for one origin. */
  readonly idlePerOrigin: number;
  /** Idle sockets kept in all. */
  readonly idleTotal: number;
  /** Idle sockets are closed after this, before the far end does it. */
  readonly idleMs: number;
};

/**
 * A socket must have been silent this long before another request may use it: a second, unasked response arrives in that
 * time and closes the socket, instead of answering somebody else's request (security.md D22).
 */
const QUIET_MS = 50;
/**
 * The silence shrinks when more than `sockets` wait for theirs, but never below `quietMs`; then it is better to dial.
 * An origin that kept its silence often enough earns the second row: cycling through many sockets costs 5 to 8 us of CPU
 * for each request at 15,000 requests per second (cold caches, measured 2026-11-23).
 */
const CAUTIOUS = { sockets: 128, quietMs: 5 };
const PROVEN = { sockets: 16, quietMs: 1 };
const PROOFS_NEEDED = 1_000;
/** One unasked byte costs as much as so many kept silences. */
const PENALTY_PROOFS = 1_000_000;

type OriginSockets = {
  /** Oldest first, from `restingFrom`: not silent for long enough yet. */
  resting: Connection[];
  restingFrom: number;
  /** Newest last. */
  ready: Connection[];
  /** Silences kept, a shorter one as its fraction of `QUIET_MS`, less the penalties. */
  proofs: number;
};

/** Idle connections. Never more than the limits; a connection in here has no user, so any byte closes it. */
export class Pool {
  readonly #limits: PoolLimits;
  readonly #origins = new Map<string, OriginSockets>();
  #idleSockets = 0;

  constructor(limits: PoolLimits) {
    this.#limits = limits;
  }

  get idleSockets(): number {
    return this.#idleSockets;
  }

  /** The connection that was ready last, so that the surplus ages and is closed. Null: dial. */
  // hot path
  take(originKey: string, nowMs: number): Connection | null {
    const sockets = this.#origins.get(originKey);
    if (sockets === undefined) return null;
    this.#promote(sockets, nowMs);
    for (;;) {
      // Proven: the few that are still warm first, so that the rest ages and is closed.
      const isProven = sockets.proofs >= PROOFS_NEEDED;
      const connection = isProven
        ? (this.#takeResting(sockets, PROVEN, nowMs) ?? sockets.ready.pop() ?? null)
        : (sockets.ready.pop() ?? this.#takeResting(sockets, CAUTIOUS, nowMs));
      if (connection === null) return null;
      const isFresh = connection.isUsable && nowMs - connection.idleSinceMs < this.#limits.idleMs;
      this.forget(connection);
      if (isFresh) return connection;
      connection.destroy();
    }
  }

  /** Takes over a connection whose response was read to its end, or closes it when there are enough. */
  // hot path
  put(connection: Connection, nowMs: number): void {
    const sockets = this.#socketsOf(connection.originKey);
    const idleHere = sockets.ready.length + sockets.resting.length - sockets.restingFrom;
    if (idleHere >= this.#limits.idlePerOrigin || this.#idleSockets >= this.#limits.idleTotal) {
      connection.close();
      return;
    }
    connection.user = null;
    connection.isIdle = true;
    connection.idleSinceMs = nowMs;
    this.#idleSockets += 1;
    sockets.resting.push(connection);
  }

  /** For a connection that was closed: the counts are right at once, the lists at the next sweep. Idempotent. */
  forget(connection: Connection): void {
    if (connection.spokeUnasked) this.#socketsOf(connection.originKey).proofs -= PENALTY_PROOFS;
    if (!connection.isIdle) return;
    connection.isIdle = false;
    this.#idleSockets -= 1;
  }

  /** Closes what has been idle for too long and forgets what was closed by the peer. */
  sweep(nowMs: number): void {
    for (const [originKey, sockets] of this.#origins) {
      this.#promote(sockets, nowMs);
      sockets.ready = sockets.ready.filter((connection) => this.#keeps(connection, nowMs));
      sockets.resting = sockets.resting
        .slice(sockets.restingFrom)
        .filter((connection) => this.#keeps(connection, nowMs));
      sockets.restingFrom = 0;
      // A bad record is kept for as long as the process lives; origins are as many as base URLs.
      const isEmpty = sockets.ready.length === 0 && sockets.resting.length === 0;
      if (isEmpty && sockets.proofs >= 0) this.#origins.delete(originKey);
    }
  }

  closeAll(): void {
    this.sweep(Number.POSITIVE_INFINITY);
  }

  #socketsOf(originKey: string): OriginSockets {
    let sockets = this.#origins.get(originKey);
    if (sockets === undefined) {
      sockets = { resting: [], restingFrom: 0, ready: [], proofs: 0 };
      this.#origins.set(originKey, sockets);
    }
    return sockets;
  }

  #keeps(connection: Connection, nowMs: number): boolean {
    const isKept = connection.isUsable && nowMs - connection.idleSinceMs < this.#limits.idleMs;
    if (!isKept) {
      this.forget(connection);
      connection.close();
    }
    return isKept;
  }

  #promote(sockets: OriginSockets, nowMs: number): void {
    for (;;) {
      const oldest = sockets.resting[sockets.restingFrom];
      if (oldest === undefined || nowMs - oldest.idleSinceMs < QUIET_MS) break;
      sockets.restingFrom += 1;
      if (!oldest.isIdle) continue;
      sockets.proofs += 1;
      sockets.ready.push(oldest);
    }
    // Cut off the used front in steps, so that each put and take costs the same.
    if (sockets.restingFrom > 64 && sockets.restingFrom * 2 > sockets.resting.length) {
      sockets.resting.splice(0, sockets.restingFrom);
      sockets.restingFrom = 0;
    }
  }

  #takeResting(sockets: OriginSockets, limit: Readonly<typeof CAUTIOUS>, nowMs: number): Connection | null {
    if (sockets.resting.length - sockets.restingFrom < limit.sockets) return null;
    const oldest = sockets.resting[sockets.restingFrom];
    if (oldest === undefined) return null;
    const silentMs = nowMs - oldest.idleSinceMs;
    if (silentMs < limit.quietMs) return null;
    sockets.restingFrom += 1;
    if (oldest.isIdle) sockets.proofs += silentMs / QUIET_MS;
    return oldest;
  }
}
