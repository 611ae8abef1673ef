import type { AccountId } from "../domain/account/account.ts";
import type { Result } from "../kernel/result.ts";
import type { Secret } from "../kernel/secret.ts";
import type { DurationMs, EpochMs } from "../kernel/time.ts";
import type { StoredAccount } from "./ports.ts";

// --- storage ----------------------------------------------------------------------------------------------------

/** Where a login comes from. The operator gives all of it; the product ships no client id of its own. */
export type OauthClient = {
  readonly clientId: string;
  readonly authorizeUrl: string;
  /** The only address that the refresh token is ever sent to. Fixed when the account is added. */
  readonly tokenUrl: string;
  readonly scopes: readonly string[];
};

/** Sealed tokens of one generation. */
export type SealedTokens = {
  /** Envelope for `accounts.credential`. */
  readonly accessToken: Uint8Array;
  /** Envelope for `oauth_accounts.refresh_token`; null when the endpoint gave none. */
  readonly refreshToken: Uint8Array | null;
  readonly issuedAtMs: EpochMs;
  /** Null when the endpoint did not say. */
  readonly expiresAtMs: EpochMs | null;
};

export type StoredLogin = SealedTokens & {
  readonly accountId: AccountId;
  readonly client: OauthClient;
  /** That of `accounts`: both envelopes are bound to it. */
  readonly generation: number;
  readonly state: LoginState;
};

export type LoginState = "active" | "needs_reauth";

export type NewLogin = SealedTokens & { readonly client: OauthClient; readonly termsAcceptedAtMs: EpochMs };

export interface LoginStore {
  /** Every login, at most 10,000. */
  list(): Promise<readonly StoredLogin[]>;
  read(id: AccountId): Promise<StoredLogin | null>;
  /** Account and login in one durable transaction. */
  insert(account: StoredAccount, login: NewLogin): Promise<Result<void, "name_taken">>;
  /** True: nobody else may send this login's refresh token until `untilMs`. */
  takeLease(id: AccountId, lease: Lease): Promise<boolean>;
  /** Gives back what `owner` holds; nothing when it is another's by now. */
  releaseLease(id: AccountId, owner: string): Promise<void>;
  /**
   * Both tokens and `generation` + 1 in one durable transaction. False when the generation has moved, or the account is
   * gone: then nothing was changed, so that a loser never erases the winner's tokens.
   */
  rotate(id: AccountId, generation: number, tokens: SealedTokens): Promise<boolean>;
  /** Keeps the envelopes. False when the generation has moved, or the lease is not `owner`'s any more. */
  markNeedsReauth(id: AccountId, held: { readonly generation: number; readonly owner: string }): Promise<boolean>;
}

/** Times are of the machine's clock, which all processes that share a database file share too. */
export type Lease = { readonly owner: string; readonly nowMs: EpochMs; readonly untilMs: EpochMs };

/** A login under way, as it is kept until its answer comes. */
export type StoredSession = {
  /** 32 random bytes in base64url. */
  readonly id: string;
  /** Who began it: nobody else can finish it. */
  readonly owner: string;
  /** Envelope for `oauth_sessions.sealed`: the verifier, and what is to become of the login. */
  readonly sealed: Uint8Array;
  /** SHA-256 of the `state`. */
  readonly stateHash: Uint8Array;
  readonly createdAtMs: EpochMs;
  readonly expiresAtMs: EpochMs;
};

export type SessionClaim = Pick<StoredSession, "id" | "owner" | "stateHash"> & { readonly nowMs: EpochMs };

export interface SessionStore {
  /** Drops what has expired, and the oldest of this owner beyond `maxOpen`. */
  insert(session: StoredSession, maxOpen: number): Promise<void>;
  /** One atomic `delete ... returning`: of many that claim a session, one gets it. Null: not there, expired, or not theirs. */
  consume(claim: SessionClaim): Promise<StoredSession | null>;
}

// --- keyring ----------------------------------------------------------------------------------------------------

/** Where tokens of one generation belong. The refresh token is bound to its endpoint: it opens for no other. */
export type TokenPlace = { readonly id: AccountId; readonly generation: number; readonly tokenUrl: string };

export interface LoginVault {
  sealAccessToken(place: TokenPlace, token: Secret): Uint8Array;
  sealRefreshToken(place: TokenPlace, token: Secret): Uint8Array;
  openAccessToken(place: TokenPlace, envelope: Uint8Array): Result<Secret, string>;
  openRefreshToken(place: TokenPlace, envelope: Uint8Array): Result<Secret, string>;
  /** `plan` is sealed too: who can write to the database cannot send the code elsewhere. */
  sealSession(sessionId: string, session: OpenSession): Uint8Array;
  openSession(sessionId: string, envelope: Uint8Array): Result<OpenSession, string>;
}

export type OpenSession = { readonly verifier: Secret; readonly plan: string };

/** @see RFC 7636 */
export type LoginProof = {
  readonly sessionId: string;
  readonly verifier: Secret;
  /** BASE64URL(SHA-256(verifier)), method S256. */
  readonly challenge: string;
  readonly state: string;
};

export interface LoginProofs {
  create(): LoginProof;
  stateHash(state: string): Uint8Array;
}

// --- upstream ---------------------------------------------------------------------------------------------------

export type TokenGrant =
  | {
      readonly kind: "authorization_code";
      readonly code: Secret;
      readonly verifier: Secret;
      readonly redirectUri: string | null;
    }
  | { readonly kind: "refresh_token"; readonly refreshToken: Secret };

export type TokenRequest = { readonly tokenUrl: string; readonly clientId: string; readonly grant: TokenGrant };

export type IssuedTokens = {
  readonly accessToken: Secret;
  /** Null: the endpoint gave none, which in a refresh means that the old one stays good. */
  readonly refreshToken: Secret | null;
  /** Null when the endpoint did not say. At least 1 s, at most 365 days. */
  readonly expiresInMs: DurationMs | null;
};

/**
 * invalid_grant: the code or refresh token is used, revoked or expired. refused: the endpoint rejects the client or the
 * request; asking again soon brings the same. temporary: no usable answer; whether the token was rotated is unknown.
 */
export type TokenFailure = {
  readonly kind: "invalid_grant" | "refused" | "temporary";
  /** One line for a person, without anything that was sent or received. */
  readonly detail: string;
  readonly retryAfterMs: DurationMs | null;
};

export interface TokenEndpoint {
  /** One request, no redirect, at most 10 s and 64 KiB. Never rejects. */
  request(request: TokenRequest): Promise<Result<IssuedTokens, TokenFailure>>;
}

/** Decides whether an endpoint may be called, and gives its one spelling. */
export type EndpointRule = (text: string) => Result<string, string>;
