import { createHash, randomBytes } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** How one request goes wrong. `after`: the tokens were issued, and the answer is lost on the way. */
export type TokenFault =
  | {
      readonly kind: "status";
      readonly status: number;
      readonly body?: string;
      readonly headers?: Record<string, string>;
    }
  | { readonly kind: "body"; readonly body: string }
  | { readonly kind: "hang" }
  | { readonly kind: "reset" }
  | { readonly kind: "half_body" }
  | { readonly kind: "reset_after" };

export type TokenEndpointOptions = {
  readonly clientId: string;
  /** Lifetime of an access token in seconds. Default 3600. */
  readonly lifetimeSeconds?: number;
  /** Wait before each answer. Default none. */
  readonly latencyMs?: () => number;
  /** False: the refresh token stays the same for ever. Default true. */
  readonly rotates?: boolean;
  /** Told of every new access token, and of every one that ended, so that a simulated API can accept it. */
  readonly onIssued?: (accessToken: string, expiresAtMs: number) => void;
  readonly onRevoked?: (accessToken: string) => void;
  readonly nowMs?: () => number;
};

export type TokenCounters = {
  requests: number;
  codeExchanges: number;
  rotations: number;
  /** A refresh token that was used before: the whole family is revoked (RFC 9700, 4.14.2). */
  reuses: number;
  refused: number;
};

export interface SimulatedTokenEndpoint {
  readonly url: string;
  readonly authorizeUrl: string;
  readonly counters: Readonly<TokenCounters>;
  /** Form bodies in order of arrival, at most the newest 10,000. */
  readonly bodies: readonly string[];
  /** What the person's browser does: approves, and is sent back with a code and the same state. */
  approve(authorizeUrl: string): { readonly code: string; readonly state: string; readonly redirectUri: string | null };
  /** A family of tokens without a login, for tests of the refresh alone. */
  issue(): { readonly accessToken: string; readonly refreshToken: string };
  /** The next requests fail so, one each. */
  fail(...faults: TokenFault[]): void;
  /** Would this refresh token be taken just now? */
  isCurrent(refreshToken: string): boolean;
  /** Revokes every family. */
  revokeAll(): void;
  stop(): Promise<void>;
}

type Family = { isRevoked: boolean; current: string; readonly used: Set<string>; accessToken: string };
type Approval = { readonly challenge: string; readonly redirectUri: string | null; isUsed: boolean };
type Outcome = { readonly status: number; readonly body: string; readonly fault?: TokenFault | undefined };

const DEFAULT_LIFETIME_SECONDS = 3600;
const MAX_BODIES = 10_000;
const MAX_REQUEST_BYTES = 65_536;

/**
 * A strict OAuth 2.0 token endpoint: authorization code with PKCE S256, refresh tokens that are good once, and a family
 * that is revoked when one of them comes a second time.
 */
export async function startTokenEndpoint(options: TokenEndpointOptions): Promise<SimulatedTokenEndpoint> {
  const counters: TokenCounters = { requests: 0, codeExchanges: 0, rotations: 0, reuses: 0, refused: 0 };
  const book = createTokenBook(options, counters);
  const bodies: string[] = [];
  const faults: TokenFault[] = [];

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    counters.requests += 1;
    const form = await readForm(request);
    if (bodies.length >= MAX_BODIES) bodies.shift();
    bodies.push(form);
    await Bun.sleep(options.latencyMs?.() ?? 0);
    const fault = faults.shift();
    if (fault !== undefined && fault.kind !== "reset_after" && fault.kind !== "half_body") {
      misbehave(fault, request, response);
      return;
    }
    send(response, { ...decide(book, request, form), fault });
  }

  const server = createServer((request, response) => {
    answer(request, response).catch(() => response.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/oauth/token`,
    authorizeUrl: `http://127.0.0.1:${port}/oauth/authorize`,
    counters,
    bodies,
    approve: (url) => book.approve(new URL(url).searchParams),
    issue: book.issue,
    fail: (...more) => void faults.push(...more),
    isCurrent: book.isCurrent,
    revokeAll: book.revokeAll,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function decide(book: TokenBook, request: IncomingMessage, form: string): Outcome {
  const type = request.headers["content-type"] ?? "";
  if (request.method !== "POST" || !type.startsWith("application/x-www-form-urlencoded")) {
    return refusal("invalid_request");
  }
  return book.grant(new URLSearchParams(form));
}

type TokenBook = ReturnType<typeof createTokenBook>;

/** Long, because its functions share one book of codes and families. */
function createTokenBook(options: TokenEndpointOptions, counters: TokenCounters) {
  const { clientId, lifetimeSeconds = DEFAULT_LIFETIME_SECONDS, nowMs = Date.now } = options;
  const approvals = new Map<string, Approval>();
  const families: Family[] = [];
  const familyOf = new Map<string, Family>();

  const newAccessToken = () => {
    const token = `sim-at-${randomBytes(16).toString("hex")}`;
    options.onIssued?.(token, nowMs() + lifetimeSeconds * 1000);
    return token;
  };
  const newRefreshToken = (family: Family) => {
    const token = `sim-rt-${randomBytes(16).toString("hex")}`;
    family.current = token;
    familyOf.set(token, family);
    return token;
  };
  const newFamily = (): Family => {
    const family: Family = { isRevoked: false, current: "", used: new Set(), accessToken: newAccessToken() };
    newRefreshToken(family);
    families.push(family);
    return family;
  };
  const revoke = (family: Family) => {
    family.isRevoked = true;
    options.onRevoked?.(family.accessToken);
  };
  const tokens = (family: Family): Outcome => {
    const body = {
      access_token: family.accessToken,
      token_type: "Bearer",
      expires_in: lifetimeSeconds,
      refresh_token: family.current,
    };
    return { status: 200, body: JSON.stringify(body) };
  };

  function exchange(form: URLSearchParams): Outcome {
    const approval = approvals.get(form.get("code") ?? "");
    const challenge = createHash("sha256")
      .update(form.get("code_verifier") ?? "")
      .digest("base64url");
    const isGood =
      approval !== undefined &&
      !approval.isUsed &&
      challenge === approval.challenge &&
      form.get("redirect_uri") === approval.redirectUri;
    if (!isGood) return refused("invalid_grant");
    approval.isUsed = true;
    counters.codeExchanges += 1;
    return tokens(newFamily());
  }

  function refresh(form: URLSearchParams): Outcome {
    const token = form.get("refresh_token") ?? "";
    const family = familyOf.get(token);
    if (family === undefined || family.isRevoked) return refused("invalid_grant");
    if (family.used.has(token)) {
      counters.reuses += 1;
      revoke(family);
      return refused("invalid_grant");
    }
    counters.rotations += 1;
    family.accessToken = newAccessToken();
    if (options.rotates !== false) {
      family.used.add(token);
      newRefreshToken(family);
    }
    return tokens(family);
  }

  function refused(error: string): Outcome {
    counters.refused += 1;
    return refusal(error);
  }

  return {
    approve(query: URLSearchParams) {
      const code = `sim-code-${randomBytes(16).toString("hex")}`;
      const isKnown = query.get("client_id") === clientId && query.get("response_type") === "code";
      const challenge = query.get("code_challenge");
      const state = query.get("state");
      if (!isKnown || challenge === null || state === null || query.get("code_challenge_method") !== "S256") {
        throw new Error("Cannot approve: the client, the response type, the state or the PKCE challenge is wrong");
      }
      const redirectUri = query.get("redirect_uri");
      approvals.set(code, { challenge, redirectUri, isUsed: false });
      return { code, state, redirectUri };
    },
    issue() {
      const family = newFamily();
      return { accessToken: family.accessToken, refreshToken: family.current };
    },
    isCurrent(token: string) {
      const family = familyOf.get(token);
      return family !== undefined && !family.isRevoked && family.current === token;
    },
    revokeAll: () => families.forEach(revoke),
    grant(form: URLSearchParams): Outcome {
      if (form.get("client_id") !== clientId) {
        counters.refused += 1;
        return { ...refusal("invalid_client"), status: 401 };
      }
      if (form.get("grant_type") === "authorization_code") return exchange(form);
      return form.get("grant_type") === "refresh_token" ? refresh(form) : refused("unsupported_grant_type");
    },
  };
}

function refusal(error: string): Outcome {
  return { status: 400, body: JSON.stringify({ error }) };
}

function misbehave(fault: TokenFault, request: IncomingMessage, response: ServerResponse): void {
  if (fault.kind === "hang") return;
  if (fault.kind === "reset") {
    request.socket.destroy();
  } else if (fault.kind === "status") {
    response.writeHead(fault.status, { "content-type": "application/json", ...fault.headers });
    response.end(fault.body ?? "{}");
  } else if (fault.kind === "body") {
    response.writeHead(200, { "content-type": "application/json" });
    response.end(fault.body);
  }
}

function send(response: ServerResponse, { status, body, fault }: Outcome): void {
  if (fault?.kind === "reset_after") {
    response.destroy();
    return;
  }
  const length = Buffer.byteLength(body);
  response.writeHead(status, { "content-type": "application/json", "content-length": length });
  if (fault?.kind === "half_body") {
    response.write(body.slice(0, Math.floor(body.length / 2)), () => response.destroy());
    return;
  }
  response.end(body);
}

async function readForm(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request) {
    bytes += chunk.length;
    if (bytes > MAX_REQUEST_BYTES) throw new Error("Cannot read the form: it is too large");
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}
