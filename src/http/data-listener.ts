import type { IpNetwork } from "../domain/access/ip-address.ts";
import type { Answer, Call } from "../gateway/call.ts";
import { hasCredentialInQuery } from "../gateway/credential.ts";
import type { Clock } from "../gateway/ports.ts";
import { type Refusal, refusalAnswer } from "../gateway/refusal.ts";
import { createAddressGate } from "./address-gate.ts";
import type { AdminDoor } from "./admin/admin-door.ts";
import { doorAnswer } from "./admin/door-refusal.ts";
import { createFrontDoor, type FrontDoor } from "./front-door.ts";
import type { TlsDoor } from "./http1/handshakes.ts";
import { listenHttp1 } from "./http1/listener.ts";
import { isAdminPath } from "./routes/admin-path.ts";
import { type OwnPage, ownPageAnswer } from "./routes/own-pages.ts";

export type DataListenerOptions = {
  readonly clock: Clock;
  readonly host: string;
  /** 0 lets the system choose. */
  readonly port: number;
  /** Connections beyond it get a 503 and are closed. Default 20,000. */
  readonly maxConnections?: number;
  /** Default null: without TLS. */
  readonly tls?: TlsDoor | null;
  /** Beside the names of this machine's loopback and `host`, each with the port. Default: none. @see FrontDoorOptions */
  readonly allowedHosts?: readonly string[];
  /** Default: none, no page may call. @see FrontDoorOptions */
  readonly allowedOrigins?: readonly string[];
  /** Proxies whose X-Forwarded-For says who calls. Default: none. */
  readonly trustedProxies?: readonly IpNetwork[];
  /** Who may connect at all. Default: everybody. @see AddressRules */
  readonly allowFrom?: readonly IpNetwork[];
  /** Who may use the admin plane, beside `allowFrom`. Default: everybody. */
  readonly adminAllowFrom?: readonly IpNetwork[];
  /** Exact paths; `HEAD /` is the probe of Claude Code (protocol.md P3). */
  readonly pages: ReadonlyMap<string, OwnPage>;
  /** The admin plane; null where it is not served. */
  readonly admin?: AdminDoor | null;
  /** Told of each request that was refused for a credential in its query. */
  onQueryCredential?(call: Call): void;
  /** Null when the client left before there was an answer. */
  serve(call: Call): Promise<Answer | null>;
  onError(cause: unknown): void;
};

export interface DataListener {
  readonly url: string;
  readonly port: number;
  /** Requests accepted and not answered to the end. */
  readonly active: number;
  readonly connections: number;
  /** Closes the listener and every connection, now. Drain first. */
  stop(): Promise<void>;
}

const MAX_CONNECTIONS = 20_000;

/** The listener of the data plane, on our own HTTP/1.1 server (docs/adr/0002-listener.md). */
export function listenData(options: DataListenerOptions): DataListener {
  const { clock, host, pages, allowedHosts = [], allowedOrigins = [], tls = null, admin = null } = options;
  const refusedAddress = createAddressGate({
    allowFrom: options.allowFrom ?? [],
    adminAllowFrom: options.adminAllowFrom ?? [],
  });
  // hot path
  const served = (call: Call) => {
    if (hasCredentialInQuery(call.query)) return leaked(call, options);
    if (call.path.startsWith("/v1/")) return options.serve(call);
    if (admin !== null && isAdminPath(call.path)) return admin(call);
    return ownPageAnswer(pages, call) ?? options.serve(call);
  };
  let door: FrontDoor | null = null;
  const listener = listenHttp1({
    clock,
    host,
    port: options.port,
    maxConnections: options.maxConnections ?? MAX_CONNECTIONS,
    trustedProxies: options.trustedProxies ?? [],
    tls,
    serve: (call) => refusedAddress(call) ?? throughDoor(call, door, served),
    onError: (cause) => options.onError(cause),
  });
  door = createFrontDoor({ host, port: listener.port, allowedHosts, allowedOrigins, hasAdmin: admin !== null });
  return {
    url: `${tls === null ? "http" : "https"}://${host.includes(":") ? `[${host}]` : host}:${listener.port}`,
    port: listener.port,
    get active() {
      return listener.active;
    },
    get connections() {
      return listener.connections;
    },
    stop() {
      listener.stop();
      return Promise.resolve();
    },
  };
}

const QUERY_CREDENTIAL: Refusal = {
  code: "GW_QUERY_CREDENTIAL",
  message:
    "Cannot read the request: its query holds a credential. Send it in Authorization or x-api-key; the one in the query is no secret any more",
};

function leaked(call: Call, options: DataListenerOptions): Answer {
  options.onQueryCredential?.(call);
  const isAdmin = options.admin != null && isAdminPath(call.path);
  return isAdmin ? doorAnswer("credential_in_query") : refusalAnswer(QUERY_CREDENTIAL, call.id);
}

type Served = Promise<Answer | null> | Answer | null;

/** No request comes before the door is there: it is made in the turn that opens the listener. */
// hot path
function throughDoor(call: Call, door: FrontDoor | null, served: (call: Call) => Served): Served {
  if (door === null) throw new Error("Cannot serve: the listener is not open yet");
  const refused = door.answerFor(call);
  const answer = refused ?? served(call);
  if (call.header("origin") === null) return answer;
  const { opened } = door;
  return answer instanceof Promise
    ? answer.then((each) => (each === null ? null : opened(call, each)))
    : answer === null
      ? null
      : opened(call, answer);
}
