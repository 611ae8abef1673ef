import type { ThrottleState } from "../domain/access/login-throttle.ts";
import type { Role } from "../domain/access/role.ts";
import type { UserId } from "../domain/access/user-id.ts";
import type { Result } from "../kernel/result.ts";
import type { DurationMs, EpochMs } from "../kernel/time.ts";

// --- storage ----------------------------------------------------------------------------------------------------

export type StoredUser = {
  readonly id: UserId;
  /** As it is shown. */
  readonly name: string;
  /** As it is compared; no two users have the same. */
  readonly canonicalName: string;
  readonly role: Role;
  /** PHC string. */
  readonly passwordHash: string;
  /** A password that somebody else gave ends then; null: never. */
  readonly passwordUntilMs: EpochMs | null;
  /** It has fewer characters than a password without a second factor needs. */
  readonly isPasswordShort: boolean;
  readonly mustChangePassword: boolean;
  /** A confirmed seed, as an envelope; null without a second factor. */
  readonly totpSeed: Uint8Array | null;
  /** The step of the last code that was accepted: each counts once. */
  readonly totpLastStep: number | null;
  readonly disabledAtMs: EpochMs | null;
  /** 100 failures in a row: no login until somebody enables the user, or a recovery code does. */
  readonly lockedOutAtMs: EpochMs | null;
  readonly createdAtMs: EpochMs;
  readonly lastLoginAtMs: EpochMs | null;
};

export type UserChanges = Partial<Omit<StoredUser, "id" | "createdAtMs">>;

export interface UserStore {
  /** Every user by name, at most 10,000. */
  list(): Promise<readonly StoredUser[]>;
  count(): Promise<number>;
  read(id: UserId): Promise<StoredUser | null>;
  byName(canonicalName: string): Promise<StoredUser | null>;
  /** Owners who are not disabled. */
  ownerCount(): Promise<number>;
  insert(user: StoredUser): Promise<Result<void, "name_taken">>;
  /** False when there is no such user. */
  update(id: UserId, changes: UserChanges): Promise<boolean>;
  /** Only from `from`: a user whose password has changed meanwhile keeps the new one. */
  rehash(id: UserId, from: string, to: string): Promise<void>;
  /** False when this step, or a later one, was used before: of two equal codes one wins, whichever process it came to. */
  useTotpStep(id: UserId, step: number): Promise<boolean>;
  /** With all that belongs to the user. */
  remove(id: UserId): Promise<boolean>;
  /** Replaces those that are there; an empty list takes all away. */
  setRecoveryCodes(id: UserId, macs: readonly Uint8Array[]): Promise<void>;
  hasRecoveryCode(id: UserId, macs: readonly Uint8Array[]): Promise<boolean>;
  /** Takes the code away that has one of these MACs. False when there is none: of two uses one wins. */
  useRecoveryCode(id: UserId, macs: readonly Uint8Array[]): Promise<boolean>;
}

export type StoredSession = {
  /** Public. */
  readonly id: string;
  /** SHA-256 of the cookie. */
  readonly hash: Uint8Array;
  readonly userId: UserId;
  readonly deviceHash: Uint8Array;
  readonly ip: string | null;
  readonly createdAtMs: EpochMs;
  /** The last proof of password and second factor. */
  readonly factorAtMs: EpochMs;
  /** To the minute. */
  readonly lastUsedAtMs: EpochMs;
  readonly absoluteUntilMs: EpochMs;
};

/** All that end sessions give the public ids of those that ended. */
export interface UserSessionStore {
  /** Beyond `maxOpen` of one user the oldest end. */
  insert(session: StoredSession, maxOpen: number): Promise<readonly string[]>;
  byHash(hash: Uint8Array): Promise<StoredSession | null>;
  /** Newest first. */
  listOf(userId: UserId): Promise<readonly StoredSession[]>;
  touch(id: string, atMs: EpochMs): Promise<void>;
  end(userId: UserId, id: string): Promise<readonly string[]>;
  /** Those that prove a password alone end as well. */
  endAllOf(userId: UserId): Promise<readonly string[]>;
  endStale(nowMs: EpochMs, idleMs: DurationMs): Promise<readonly string[]>;
}

/** A proof of the password that waits for the second factor. */
export type StoredPreSession = {
  readonly hash: Uint8Array;
  readonly userId: UserId;
  /** The device that the login came with, when it was known: later failures count where the first did. */
  readonly deviceHash: Uint8Array | null;
  readonly expiresAtMs: EpochMs;
};

/** Where failures are counted, and which browsers have logged in before. */
export interface SignInStore {
  /** Expired ones go; of one user the newest `maxOpen` stay. */
  addPreSession(
    preSession: StoredPreSession,
    limits: { readonly nowMs: EpochMs; readonly maxOpen: number },
  ): Promise<void>;
  preSession(hash: Uint8Array, nowMs: EpochMs): Promise<StoredPreSession | null>;
  /** False when it is gone: of two uses one wins. */
  takePreSession(hash: Uint8Array): Promise<boolean>;
  /** The user that logged in with this device; null when nobody did. */
  deviceUser(hash: Uint8Array): Promise<UserId | null>;
  /** New, or used again. Of one user the newest `maxKept` stay. */
  keepDevice(
    device: { readonly hash: Uint8Array; readonly userId: UserId; readonly atMs: EpochMs },
    maxKept: number,
  ): Promise<void>;
  forgetDevice(hash: Uint8Array): Promise<void>;
  forgetDevicesOf(userId: UserId): Promise<void>;
  throttle(subject: ThrottleSubject): Promise<ThrottleState | null>;
  setThrottle(subject: ThrottleSubject, state: ThrottleState): Promise<void>;
  clearThrottlesOf(userId: UserId): Promise<void>;
}

/** What failures are counted on: a user, or a user on a device that has logged in before (null: any other). */
export type ThrottleSubject = { readonly userId: UserId; readonly deviceHash: Uint8Array | null };

export type StoredToken = {
  readonly id: string;
  readonly ownerId: UserId;
  readonly name: string;
  readonly mac: Uint8Array;
  /** Which pepper made `mac`. */
  readonly pepperVersion: number;
  readonly createdAtMs: EpochMs;
  readonly expiresAtMs: EpochMs;
  readonly revokedAtMs: EpochMs | null;
  /** To the minute. */
  readonly lastUsedAtMs: EpochMs | null;
};

export interface TokenStore {
  /** Of one owner, revoked ones included, newest first, at most 1,000. */
  listOf(ownerId: UserId): Promise<readonly StoredToken[]>;
  /** The token of this id whose MAC is one of these. */
  find(id: string, macs: readonly Uint8Array[]): Promise<StoredToken | null>;
  /** `name_taken` when a token of this owner that is not revoked has this name. */
  insert(token: StoredToken): Promise<Result<void, "name_taken">>;
  /** False when there is no such token, or it was revoked before. */
  revoke(id: string, atMs: EpochMs): Promise<boolean>;
  touch(id: string, atMs: EpochMs): Promise<void>;
}

/** The secret that makes the first owner. At most one is there. */
export type StoredSetup = {
  readonly id: string;
  readonly mac: Uint8Array;
  readonly pepperVersion: number;
  readonly expiresAtMs: EpochMs;
};

export interface SetupStore {
  read(): Promise<StoredSetup | null>;
  /** In place of the one before. */
  put(setup: StoredSetup): Promise<void>;
  /** Takes it away when it is this one and still valid. False: of two uses one wins. */
  take(secret: {
    readonly id: string;
    readonly macs: readonly Uint8Array[];
    readonly nowMs: EpochMs;
  }): Promise<boolean>;
  remove(): Promise<void>;
}

export type PeopleStores = {
  readonly users: UserStore;
  readonly sessions: UserSessionStore;
  readonly signIns: SignInStore;
  readonly tokens: TokenStore;
  readonly setup: SetupStore;
};

// --- the process ------------------------------------------------------------------------------------------------

/** The file from which the operator may read the setup secret while it is valid; its mode is 0600. */
export interface SetupFile {
  /** Null when there is none. */
  read(): string | null;
  write(text: string): void;
  remove(): void;
}

/** Waiting, so that tests own the time. */
export interface Pace {
  /** Milliseconds of a clock that never goes back. */
  monotonicMs(): number;
  sleep(span: DurationMs): Promise<void>;
  /** 0 inclusive to 1 exclusive. */
  random(): number;
}

/** What others must learn of a user at once. */
export type OnUserChanged = (userId: UserId, now: { readonly mayUseProxy: boolean }) => void | Promise<void>;
