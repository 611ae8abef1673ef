import type { IpNetwork } from "../domain/access/ip-address.ts";
import type {
  GoneSignal,
  Upstream,
  UpstreamFailure,
  UpstreamFailureKind,
  UpstreamRequest,
  UpstreamResponse,
} from "../gateway/ports.ts";
import { err, ok, type Result } from "../kernel/result.ts";
import { type DurationMs, durationMs } from "../kernel/time.ts";
import { describeBaseUrlProblem, type Origin, originOf, parseBaseUrl } from "./base-url.ts";
import { Deadlines } from "./deadlines.ts";
import { Dialer } from "./dialer.ts";
import { Exchange, type ExchangeRoom } from "./exchange.ts";
import { createPeerTrust, type PeerTrustOptions } from "./peer-trust.ts";
import { Pool } from "./pool.ts";
import type { AddressPolicy } from "./public-address.ts";
import { requestHead } from "./request-head.ts";
import { createResolver, type Resolve, resolveBySystem } from "./resolver.ts";

export type UpstreamOptions = {
  /** Permits http, private addresses and any port. BETTER_CCFLARE_ALLOW_PRIVATE_UPSTREAMS=1 */
  readonly allowPrivate: boolean;
  /** Private networks that may be dialled, over http too. Default: none. */
  readonly privateNetworks?: readonly IpNetwork[];
  /** Pins, issuers. Default: a valid certificate is enough. */
  readonly trust?: PeerTrustOptions;
  /** Default: the system's resolver. All its answers are checked. */
  readonly resolve?: Resolve;
  /** PEM certificates, trusted beside the bundled public CAs. Default: none. */
  readonly caCertificates?: readonly string[];
  /** Idle sockets kept for one origin. Default 256. */
  readonly maxIdlePerOrigin?: number;
  /** Idle sockets kept in all. Default 1024. */
  readonly maxIdleTotal?: number;
  /** Idle sockets are closed after this. Default 55 s: before the usual 60 s of the far end. */
  readonly idleSocketMs?: DurationMs;
  /** Longest response head. Default 128 KiB. */
  readonly maxResponseHeaderBytes?: number;
  /** How long `stop` waits for running requests. Default 5 s. */
  readonly drainMs?: DurationMs;
};

export type UpstreamStats = {
  readonly openSockets: number;
  readonly idleSockets: number;
  /** From send() to the last byte of the body, or to the failure. */
  readonly inFlight: number;
};

export type UpstreamClient = Upstream & {
  /** Refuses new requests, waits for the running ones up to `drainMs`, aborts the rest and closes every socket. */
  stop(): Promise<void>;
  stats(): UpstreamStats;
};

const DEFAULT_MAX_IDLE_PER_ORIGIN = 256;
const DEFAULT_MAX_IDLE_TOTAL = 1_024;
const DEFAULT_IDLE_SOCKET_MS = durationMs(55_000);
const DEFAULT_MAX_RESPONSE_HEADER_BYTES = 131_072;
const DEFAULT_DRAIN_MS = durationMs(5_000);
const SCRATCH_BYTES = 65_536;
const MAX_KNOWN_ORIGINS = 1_024;
const SWEEP_MS = 1_000;

/**
 * The one HTTP client: strict HTTP/1.1 on raw sockets, no redirect, no retry, no decompression, no proxy (CONNECT is not
 * supported, and HTTP_PROXY is not read). It adds Host, Content-Length and the credential, and no other header.
 */
export function createUpstream(options: UpstreamOptions): UpstreamClient {
  const running = new Set<Exchange>();
  let isStopped = false;
  let onDrained: (() => void) | null = null;
  const findOrigin = createOriginFinder(policyOf(options));
  const room = createRoom(options, (exchange) => {
    running.delete(exchange);
    if (running.size === 0) onDrained?.();
  });

  // hot path
  function send(request: UpstreamRequest, signal: GoneSignal): Promise<Result<UpstreamResponse, UpstreamFailure>> {
    if (isStopped) return refusal("aborted", "the upstream client is stopped");
    if (signal.aborted) return refusal("aborted", "the caller aborted");
    const origin = findOrigin(request.baseUrl);
    if (!origin.ok) return refusal("address_refused", origin.error);
    const head = requestHead(request, origin.value);
    if (!head.ok) return refusal("protocol", head.error);
    return new Promise((settle) => {
      const exchange = new Exchange({ room, request, origin: origin.value, head: head.value, signal, settle });
      running.add(exchange);
      exchange.start();
    });
  }

  async function stop(): Promise<void> {
    isStopped = true;
    room.pool.closeAll();
    if (running.size > 0) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, options.drainMs ?? DEFAULT_DRAIN_MS);
        onDrained = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    for (const exchange of [...running]) exchange.fail("aborted", "the upstream client is stopped");
    room.pool.closeAll();
    room.deadlines.stop();
  }

  return {
    send,
    stop,
    stats: () => ({
      openSockets: room.dialer.openSockets,
      idleSockets: room.pool.idleSockets,
      inFlight: running.size,
    }),
  };
}

function createRoom(options: UpstreamOptions, onDone: (exchange: Exchange) => void): ExchangeRoom {
  const pool = new Pool({
    idlePerOrigin: options.maxIdlePerOrigin ?? DEFAULT_MAX_IDLE_PER_ORIGIN,
    idleTotal: options.maxIdleTotal ?? DEFAULT_MAX_IDLE_TOTAL,
    idleMs: options.idleSocketMs ?? DEFAULT_IDLE_SOCKET_MS,
  });
  const dialer = new Dialer({
    resolver: createResolver({
      resolve: options.resolve ?? resolveBySystem,
      addresses: policyOf(options),
      nowMs: () => performance.now(),
    }),
    addresses: policyOf(options),
    trust: options.trust === undefined ? null : createPeerTrust(options.trust),
    caCertificates: options.caCertificates ?? [],
    onClosed: (connection) => pool.forget(connection),
  });
  let nextSweepMs = 0;
  const deadlines = new Deadlines((nowMs) => {
    if (nowMs >= nextSweepMs) {
      nextSweepMs = nowMs + SWEEP_MS;
      pool.sweep(performance.now());
    }
    return pool.idleSockets > 0;
  });
  const maxResponseHeaderBytes = options.maxResponseHeaderBytes ?? DEFAULT_MAX_RESPONSE_HEADER_BYTES;
  return { pool, dialer, deadlines, maxResponseHeaderBytes, scratch: Buffer.allocUnsafe(SCRATCH_BYTES), onDone };
}

function policyOf({ allowPrivate, privateNetworks = [] }: UpstreamOptions): AddressPolicy {
  return { allowPrivate, privateNetworks };
}

/** Base URLs are checked here once more: a row in the database is not a proof that it was checked when it was saved. */
function createOriginFinder(policy: AddressPolicy): (baseUrl: string) => Result<Origin, string> {
  const known = new Map<string, Result<Origin, string>>();
  return (baseUrl) => {
    const found = known.get(baseUrl);
    if (found !== undefined) return found;
    const parsed = parseBaseUrl(baseUrl, policy);
    const origin = parsed.ok ? ok(originOf(parsed.value)) : err(describeBaseUrlProblem(parsed.error));
    if (known.size >= MAX_KNOWN_ORIGINS) known.clear();
    known.set(baseUrl, origin);
    return origin;
  };
}

function refusal(kind: UpstreamFailureKind, fact: string): Promise<Result<never, UpstreamFailure>> {
  const detail = fact.startsWith("Cannot ") ? fact : `Cannot send the request: ${fact}`;
  return Promise.resolve(err({ kind, detail, wasSent: false }));
}
