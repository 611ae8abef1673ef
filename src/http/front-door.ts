import type { Answer, Call } from "../gateway/call.ts";
import { OWN_HEADERS } from "../gateway/own-headers.ts";
import { type Refusal, refusalAnswer } from "../gateway/refusal.ts";
import { isAdminPath } from "./routes/admin-path.ts";

export type FrontDoorOptions = {
  /** Where we listen; a Host of that name is always allowed, with this port or without any. */
  readonly host: string;
  readonly port: number;
  /** Further values of Host, exactly as clients send them, e.g. "gateway.example" or "gateway.example:8443". */
  readonly allowedHosts: readonly string[];
  /** Pages that may call, e.g. "https://app.example". */
  readonly allowedOrigins: readonly string[];
  /** The admin plane has a door of its own, which lets no page in but ours; whether it is served here. */
  readonly hasAdmin: boolean;
};

/** What every request must be, whatever its path and before anything else is looked at: asked for by our own name, not by a stranger's page. */
export interface FrontDoor {
  /** The answer to give instead, a pre-flight's included; null when the request may pass. */
  answerFor(call: Call): Answer | null;
  /** The answer as the page that asked may read it. */
  opened(call: Call, answer: Answer): Answer;
}

const LOOPBACK_NAMES = ["localhost", "127.0.0.1", "[::1]"];
const NO_HOST: Refusal = {
  code: "GW_BAD_REQUEST",
  message: "Cannot serve the request: it has no Host",
};

/** A page that makes a browser look its name up anew until it means this machine (DNS rebinding) still sends its own name. */
const OTHER_HOST: Refusal = {
  code: "GW_HOST",
  message:
    "Cannot serve the request: its Host is not a name of this gateway. Call it as localhost or 127.0.0.1 with the port, or add the name to server.allowedHosts",
};

const OTHER_ORIGIN: Refusal = {
  code: "GW_ORIGIN",
  message: "Cannot serve the request: it comes from a web page whose origin is not in ALLOWED_ORIGINS",
};

const PREFLIGHT_HEADERS = [
  ...OWN_HEADERS,
  ["access-control-allow-methods", "GET, HEAD, POST, PUT, PATCH, DELETE"],
  [
    "access-control-allow-headers",
    "authorization, x-api-key, content-type, anthropic-version, anthropic-beta, anthropic-dangerous-direct-browser-access",
  ],
  // What browsers keep at most of it anyway differs; 10 minutes are long enough.
  ["access-control-max-age", "600"],
] as const;

export function createFrontDoor(options: FrontDoorOptions): FrontDoor {
  const own = new Set(ownNames(options));
  const hosts = new Set([...own, ...options.allowedHosts, ...options.allowedHosts.map((name) => name.toLowerCase())]);
  const origins = new Set(options.allowedOrigins);
  const { hasAdmin } = options;
  return {
    // hot path
    answerFor(call) {
      const host = call.header("host");
      if (host === null) return refusalAnswer(NO_HOST, call.id);
      if (!hosts.has(host) && !isOwn(own, host.toLowerCase())) return refusalAnswer(OTHER_HOST, call.id);
      if (hasAdmin && isAdminPath(call.path)) return null;
      const origin = call.header("origin");
      if (origin === null) {
        const site = call.header("sec-fetch-site");
        const isForeign = site !== null && site !== "same-origin" && site !== "none";
        return isForeign ? refusalAnswer(OTHER_ORIGIN, call.id) : null;
      }
      if (!origins.has(origin)) return refusalAnswer(OTHER_ORIGIN, call.id);
      return call.method === "OPTIONS" ? { status: 204, headers: PREFLIGHT_HEADERS, body: null } : null;
    },
    // hot path
    opened(call, answer) {
      const origin = call.header("origin");
      return origin === null || !origins.has(origin) || (hasAdmin && isAdminPath(call.path))
        ? answer
        : { ...answer, headers: [...answer.headers, ["access-control-allow-origin", origin], ["vary", "Origin"]] };
    },
  };
}

/** A forwarded port is another one than ours; a page whose name was bound to this machine anew has another name. */
function isOwn(own: ReadonlySet<string>, host: string): boolean {
  return own.has(host.replace(/:\d{1,5}$/, ""));
}

function ownNames({ host }: FrontDoorOptions): readonly string[] {
  return [...LOOPBACK_NAMES, (host.includes(":") ? `[${host}]` : host).toLowerCase()];
}
