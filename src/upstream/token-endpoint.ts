import { parseCredential } from "../control/credential.ts";
import type { IssuedTokens, TokenEndpoint, TokenFailure, TokenRequest } from "../control/oauth-ports.ts";
import type { HeaderField, Upstream, UpstreamResponse } from "../gateway/ports.ts";
import { err, ok, type Result } from "../kernel/result.ts";
import { type DurationMs, durationMs } from "../kernel/time.ts";
import { readWhole } from "./read-whole.ts";

const ENDPOINT_MS = durationMs(10_000);
const MAX_BODY_BYTES = 64 * 1024;
const MAX_LIFETIME_SECONDS = 365 * 86_400;
const MAX_RETRY_AFTER_SECONDS = 3_600;

/**
 * Asks a token endpoint as RFC 6749 describes, as a public client: no client secret, no other product's headers.
 * `limitMs` is for the whole exchange, at most 10 s.
 */
export function createTokenEndpoint(upstream: Upstream, limitMs: DurationMs = ENDPOINT_MS): TokenEndpoint {
  return {
    async request(request) {
      const sent = await upstream.send(httpRequest(request), AbortSignal.timeout(limitMs));
      if (!sent.ok) return temporary(sent.error.detail);
      const body = await readWhole(sent.value.body, MAX_BODY_BYTES);
      if (body === null) return temporary("The token endpoint's answer broke off, or is larger than 64 KiB");
      return readAnswer(sent.value, parseJson(body), request.grant.kind);
    },
  };
}

function httpRequest(request: TokenRequest) {
  const url = new URL(request.tokenUrl);
  return {
    baseUrl: url.origin,
    method: "POST",
    target: url.pathname,
    headers: [
      ["content-type", "application/x-www-form-urlencoded"],
      ["accept", "application/json"],
      ["accept-encoding", "identity"],
      ["user-agent", "better-ccflare"],
    ] as const,
    credentialKind: "bearer" as const,
    credential: null,
    body: formOf(request),
    deadlines: { connectMs: ENDPOINT_MS, headersMs: ENDPOINT_MS, idleMs: ENDPOINT_MS, totalMs: ENDPOINT_MS },
  };
}

function formOf({ clientId, grant }: TokenRequest): Uint8Array {
  const form = new URLSearchParams({ grant_type: grant.kind, client_id: clientId });
  if (grant.kind === "refresh_token") {
    form.set("refresh_token", grant.refreshToken.reveal());
  } else {
    form.set("code", grant.code.reveal());
    form.set("code_verifier", grant.verifier.reveal());
    if (grant.redirectUri !== null) form.set("redirect_uri", grant.redirectUri);
  }
  return new TextEncoder().encode(form.toString());
}

type Fields = Readonly<Record<string, unknown>>;
type Kind = TokenRequest["grant"]["kind"];

function readAnswer({ status, headers }: UpstreamResponse, fields: Fields | null, kind: Kind) {
  if (status === 200) return readTokens(fields, kind);
  const retryAfterMs = retryAfterOf(headers);
  if (status >= 400 && status < 500 && status !== 408 && status !== 429) {
    const error = fields?.["error"];
    if (error === "invalid_grant") return failure("invalid_grant", "The token endpoint answered invalid_grant", null);
    const word = typeof error === "string" && /^[a-z_]{1,40}$/.test(error) ? ` ${error}` : "";
    return failure("refused", `The token endpoint answered with status ${status}${word}`, retryAfterMs);
  }
  return failure("temporary", `The token endpoint answered with status ${status}`, retryAfterMs);
}

function readTokens(fields: Fields | null, kind: Kind): Result<IssuedTokens, TokenFailure> {
  const type = fields?.["token_type"];
  if (fields === null || typeof fields["access_token"] !== "string") {
    return temporary("The token endpoint's answer holds no access token");
  }
  if (type !== undefined && !(typeof type === "string" && type.toLowerCase() === "bearer")) {
    return failure("refused", "The token endpoint's token is not a bearer token", null);
  }
  const accessToken = parseCredential(fields["access_token"]);
  // A personal claude.ai login gets in by no door (design.md, section 8).
  if (!accessToken.ok) return failure("refused", accessToken.error.message, null);
  const refresh = fields["refresh_token"];
  if (refresh === undefined || refresh === null || refresh === "") {
    const isKept = kind === "refresh_token";
    if (!isKept)
      return failure("refused", "The token endpoint gave no refresh token; ask for the scope it needs", null);
    return ok({ accessToken: accessToken.value, refreshToken: null, expiresInMs: lifetimeOf(fields) });
  }
  const refreshToken = typeof refresh === "string" ? parseCredential(refresh) : null;
  if (refreshToken === null) return temporary("The token endpoint's refresh token is not text");
  if (!refreshToken.ok) return failure("refused", refreshToken.error.message, null);
  return ok({ accessToken: accessToken.value, refreshToken: refreshToken.value, expiresInMs: lifetimeOf(fields) });
}

/** Null for what cannot be a lifetime: then the token is used until upstream refuses it. */
function lifetimeOf(fields: Fields): DurationMs | null {
  const seconds = fields["expires_in"];
  if (typeof seconds !== "number" || !(seconds >= 1)) return null;
  return durationMs(Math.min(seconds, MAX_LIFETIME_SECONDS) * 1000);
}

/** Seconds alone: token endpoints send no date. */
function retryAfterOf(headers: readonly HeaderField[]): DurationMs | null {
  const text = headers.find(([name]) => name.toLowerCase() === "retry-after")?.[1] ?? "";
  return /^[0-9]{1,9}$/.test(text) ? durationMs(Math.min(Number(text), MAX_RETRY_AFTER_SECONDS) * 1000) : null;
}

function parseJson(body: Uint8Array): Fields | null {
  try {
    const value: unknown = JSON.parse(new TextDecoder().decode(body));
    return typeof value === "object" && value !== null ? { ...value } : null;
  } catch {
    return null;
  }
}

function temporary(detail: string): Result<never, TokenFailure> {
  return failure("temporary", detail, null);
}

function failure(kind: TokenFailure["kind"], detail: string, retryAfterMs: DurationMs | null) {
  return err({ kind, detail, retryAfterMs });
}
