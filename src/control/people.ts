import type { Role } from "../domain/access/role.ts";
import type { UserId } from "../domain/access/user-id.ts";
import type { Result } from "../kernel/result.ts";
import type { DurationMs, EpochMs } from "../kernel/time.ts";
import type { Principal } from "./principal.ts";
import type { Refusal } from "./refusal.ts";

/** A cookie that has just been given; it is shown once and stored as a digest. */
export type OpenedSession = {
  readonly cookie: string;
  /** For the header `X-CSRF-Token`; belongs to this session alone. */
  readonly csrf: string;
  /** Tells this browser apart from strangers who guess passwords of the same user. */
  readonly deviceCookie: string;
  readonly principal: Principal;
  readonly idleMs: DurationMs;
  readonly absoluteUntilMs: EpochMs;
};

/** `preSession`: a cookie that proves the password for 5 minutes and opens nothing. */
export type SignInStep =
  | { readonly kind: "mfa"; readonly preSession: string }
  | { readonly kind: "session"; readonly session: OpenedSession };

export type LoginAttempt = {
  readonly name: string;
  readonly password: string;
  /** Null when no address is known (Unix socket). */
  readonly ip: string | null;
  readonly deviceCookie: string | null;
};

export type StepUpProof = { readonly password: string; readonly code: string | null };

/** Each refuses with one answer and in one span of time, whether the user is unknown, locked, disabled or wrong. */
export type SignInService = {
  login(attempt: LoginAttempt): Promise<Result<SignInStep, Refusal>>;
  proveTotp(preSession: string, code: string, ip: string | null): Promise<Result<OpenedSession, Refusal>>;
  proveRecovery(preSession: string, code: string, ip: string | null): Promise<Result<OpenedSession, Refusal>>;
  /** A new session id with a fresh proof; the one before is dead. */
  stepUp(principal: Principal, proof: StepUpProof, ip: string | null): Promise<Result<OpenedSession, Refusal>>;
};

export type SessionReport = {
  /** Public. */
  readonly id: string;
  readonly createdAtMs: EpochMs;
  readonly lastUsedAtMs: EpochMs;
  readonly absoluteUntilMs: EpochMs;
  readonly ip: string | null;
  /** The one that asks. */
  readonly isCurrent: boolean;
};

export type SessionService = {
  /** Null: no such session, or its time is over. Keeps the session from idling out. */
  principalOf(cookie: string): Promise<Principal | null>;
  csrfMatches(cookie: string, presented: string): boolean;
  /** Another CSRF token of the same session, for a page that was loaded anew. Null: not of the form of a session. */
  csrfFor(cookie: string): string | null;
  /** The caller's own, newest first. */
  list(principal: Principal): Promise<readonly SessionReport[]>;
  /** One of the caller's own; anybody else's is not found. Any but the current one needs a fresh proof. */
  end(principal: Principal, sessionId: string): Promise<Result<void, Refusal>>;
  endAllOf(userId: UserId): Promise<void>;
  /** Told of every session that ended, by its public id, so that open streams of the admin plane can be cut. */
  onEnded(listener: (sessionId: string) => void): void;
};

export type TokenReport = {
  readonly id: string;
  readonly name: string;
  readonly createdAtMs: EpochMs;
  readonly expiresAtMs: EpochMs;
  readonly lastUsedAtMs: EpochMs | null;
  readonly state: "active" | "expired" | "revoked";
};

/** `disclose` gives the token's text, for the one answer that shows it. */
export type CreatedToken = {
  readonly id: string;
  readonly name: string;
  readonly expiresAtMs: EpochMs;
  readonly disclose: () => string;
};

export type TokenService = {
  /** Null: unknown, revoked, expired, or its owner is disabled or lacks a second factor. The role is the owner's of now. */
  principalOf(text: string): Promise<Principal | null>;
  /** `expiresInMs` null: 90 days; at most 365 days. Needs a fresh proof. */
  create(principal: Principal, name: string, expiresInMs: DurationMs | null): Promise<Result<CreatedToken, Refusal>>;
  /** The caller's own, newest first. */
  list(principal: Principal): Promise<readonly TokenReport[]>;
  revoke(principal: Principal, nameOrId: string): Promise<Result<void, Refusal>>;
};

export type UserReport = {
  readonly id: UserId;
  readonly name: string;
  readonly role: Role;
  /** disabled: by somebody. locked_out: by 100 failures in a row. */
  readonly state: "active" | "disabled" | "locked_out";
  readonly hasTotp: boolean;
  readonly mustChangePassword: boolean;
  readonly createdAtMs: EpochMs;
  readonly lastLoginAtMs: EpochMs | null;
};

export type NewUser = { readonly name: string; readonly role: Role; readonly password: string };

/** Names are compared as they are canonical: "Bob" and "bob" are one user. */
export type UserService = {
  list(principal: Principal): Promise<Result<readonly UserReport[], Refusal>>;
  /** The password is for the first login within 24 h, which must change it. */
  create(principal: Principal, draft: NewUser): Promise<Result<UserReport, Refusal>>;
  setRole(principal: Principal, nameOrId: string, role: Role): Promise<Result<UserReport, Refusal>>;
  disable(principal: Principal, nameOrId: string): Promise<Result<UserReport, Refusal>>;
  /** Also lifts what 100 failures in a row did. */
  enable(principal: Principal, nameOrId: string): Promise<Result<UserReport, Refusal>>;
  /** For somebody else, for one login within 24 h. */
  setPassword(principal: Principal, nameOrId: string, password: string): Promise<Result<UserReport, Refusal>>;
  /** By oneself, with the current one. All sessions end; the answer is a new one. */
  changeOwnPassword(
    principal: Principal,
    passwords: { readonly current: string; readonly next: string },
    ip: string | null,
  ): Promise<Result<OpenedSession, Refusal>>;
  /** Owners alone. All sessions end. */
  resetMfa(principal: Principal, nameOrId: string): Promise<Result<UserReport, Refusal>>;
  /** Logs the user out everywhere, and changes nothing else. */
  endSessions(principal: Principal, nameOrId: string): Promise<Result<UserReport, Refusal>>;
  remove(principal: Principal, nameOrId: string): Promise<Result<void, Refusal>>;
};

export type ConfirmedTotp = { readonly recoveryCodes: readonly string[]; readonly session: OpenedSession };

export type FactorService = {
  /** The seed, for the one answer that shows it. Kept for 10 minutes; nothing changes until it is confirmed. */
  beginTotp(principal: Principal): Promise<Result<{ readonly uri: string; readonly secret: string }, Refusal>>;
  /** All sessions end; the answer is a new one, and the recovery codes, once. */
  confirmTotp(principal: Principal, code: string, ip: string | null): Promise<Result<ConfirmedTotp, Refusal>>;
  removeTotp(principal: Principal, ip: string | null): Promise<Result<OpenedSession, Refusal>>;
  newRecoveryCodes(principal: Principal): Promise<Result<readonly string[], Refusal>>;
};

export type MintedSetup = { readonly expiresAtMs: EpochMs; readonly disclose: () => string };

export type SetupService = {
  /** Whether there is an owner. */
  isDone(): boolean;
  /** The secret that is valid, or a new one; null when setup is done, or the valid one cannot be shown again. */
  mint(): Promise<MintedSetup | null>;
  /** Makes the first owner. */
  complete(
    secret: string,
    owner: { readonly name: string; readonly password: string },
    ip: string | null,
  ): Promise<Result<OpenedSession, Refusal>>;
};

export type People = {
  readonly users: UserService;
  readonly signIn: SignInService;
  readonly sessions: SessionService;
  readonly tokens: TokenService;
  readonly factors: FactorService;
  readonly setup: SetupService;
};
