import type { IpNetwork } from "../../domain/access/ip-address.ts";
import type { Answer, Call } from "../../gateway/call.ts";
import type { Clock } from "../../gateway/ports.ts";
import type { Connection } from "./connection.ts";
import type { RequestHead } from "./request-head.ts";

/** What all connections of one listener share. Only the listener and its connections write to it. */
export type ConnectionRoom = {
  readonly clock: Clock;
  /** Its connections are over TLS. */
  readonly isTls: boolean;
  /** Proxies whose X-Forwarded-For counts. */
  readonly trustedProxies: readonly IpNetwork[];
  readonly serve: (call: Call) => Promise<Answer | null> | Answer | null;
  readonly onError: (cause: unknown) => void;
  readonly onClosed: (connection: Connection) => void;
  /** Output is put together here and copied by the socket; nothing is kept in it between two writes. */
  readonly scratch: Buffer;
  readonly head: RequestHead;
  /** The listener's own time, which goes on by ticks and never backwards. */
  nowMs: number;
  dateText: string;
  /** Requests accepted and not answered to the end. */
  active: number;
};

/** How coarse the deadlines of connections are. */
export const TICK_MS = 250;
