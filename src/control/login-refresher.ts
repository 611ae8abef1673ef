import type { AccountId } from "../domain/account/account.ts";
import { err, ok, type Result } from "../kernel/result.ts";
import type { Secret } from "../kernel/secret.ts";
import { after, type DurationMs, durationMs, type EpochMs } from "../kernel/time.ts";
import { SYSTEM } from "./acting.ts";
import type { AuditDraft, AuditedChanges } from "./audit-port.ts";
import type {
  IssuedTokens,
  LoginStore,
  LoginVault,
  SealedTokens,
  StoredLogin,
  TokenEndpoint,
  TokenFailure,
  TokenPlace,
} from "./oauth-ports.ts";
import type { ControlClock } from "./ports.ts";
import { StoreUnavailable } from "./store-unavailable.ts";

/**
 * renewed: by us, by another process or by the operator; the token is stored. needs_reauth: the endpoint refuses the
 * refresh token for good. later: no answer to be had just now. gone: the account was removed.
 */
export type Refreshed =
  | { readonly kind: "renewed"; readonly login: StoredLogin; readonly accessToken: Secret }
  | { readonly kind: "needs_reauth"; readonly detail: string }
  | { readonly kind: "later"; readonly failure: TokenFailure }
  | { readonly kind: "gone" };

export type LoginRefresherNeeds = {
  readonly logins: LoginStore;
  readonly changes: AuditedChanges;
  readonly vault: LoginVault;
  readonly endpoint: TokenEndpoint;
  readonly clock: ControlClock;
  readonly sleep: (span: DurationMs) => Promise<void>;
  /** 0..1 */
  readonly random: () => number;
  /** Of this process (or refresher): two that share it would not keep each other out. */
  readonly owner: string;
  readonly nameOf: (id: AccountId) => string | null;
  /** New tokens are in memory alone, because the store refuses them; told at each try. */
  readonly onUnstored: (id: AccountId, cause: unknown) => void;
};

export type LoginRefresher = {
  /** A token newer than `staleGeneration`. One call to the endpoint for all who ask at the same time. */
  refresh(id: AccountId, staleGeneration: number): Promise<Refreshed>;
  /** Waits for what is under way; tokens that cannot be stored get one more try. */
  stop(): Promise<void>;
};

/** Longer than the endpoint may take (10 s) and the store may be locked (5 s). */
const LEASE_MS = durationMs(20_000);
/** A process that was stopped for so long that less is left does not send: another may be sending by now. */
const LEAST_LEASE_MS = 15_000;
/** A lease that its owner left behind has ended by then. */
const LEASE_WAIT_MS = 25_000;
const LEASE_POLL_MS = 50;
const FIRST_STORE_PAUSE_MS = 100;
const LONGEST_STORE_PAUSE_MS = 5_000;

/** security.md D5: lease, re-read, one call, both tokens stored before the new one is used. */
export function createLoginRefresher(needs: LoginRefresherNeeds): LoginRefresher {
  const running = new Map<AccountId, Promise<Refreshed>>();
  const state: Stopping = { isStopping: false };
  return {
    refresh(id, staleGeneration) {
      const known = running.get(id);
      if (known !== undefined) return known;
      const refreshing = refreshSafely({ needs, state }, { id, staleGeneration }).finally(() => running.delete(id));
      running.set(id, refreshing);
      return refreshing;
    },
    async stop() {
      state.isStopping = true;
      await Promise.all(running.values());
    },
  };
}

type Stopping = { isStopping: boolean };
type Inside = { readonly needs: LoginRefresherNeeds; readonly state: Stopping };
type Wanted = { readonly id: AccountId; readonly staleGeneration: number };

async function refreshSafely(inside: Inside, wanted: Wanted): Promise<Refreshed> {
  try {
    return await refresh(inside, wanted);
  } catch (cause) {
    // The lease is left to end by itself: what could not be stored just now cannot be given back either.
    if (!(cause instanceof StoreUnavailable)) throw cause;
    return later(cause.message);
  }
}

async function refresh(inside: Inside, { id, staleGeneration }: Wanted): Promise<Refreshed> {
  const { needs, state } = inside;
  const giveUpAtMs = needs.clock.now() + LEASE_WAIT_MS;
  for (;;) {
    const login = await needs.logins.read(id);
    const settled = login === null ? ({ kind: "gone" } as const) : settledBy(needs, login, staleGeneration);
    if (settled !== null) return settled;
    const nowMs = needs.clock.now();
    const lease = { owner: needs.owner, nowMs, untilMs: after(nowMs, LEASE_MS) };
    if (await needs.logins.takeLease(id, lease)) {
      const held = await underLease(inside, { id, staleGeneration, untilMs: lease.untilMs });
      if (held !== "again") return held;
    }
    if (needs.clock.now() >= giveUpAtMs || state.isStopping) return later("Another process renews this login");
    await needs.sleep(durationMs(LEASE_POLL_MS * (1 + needs.random())));
  }
}

/** Null when there is something to do: the login still is the one that was found stale. */
function settledBy({ vault }: LoginRefresherNeeds, login: StoredLogin, staleGeneration: number): Refreshed | null {
  if (login.generation > staleGeneration) {
    const opened = vault.openAccessToken(placeOf(login), login.accessToken);
    return opened.ok ? { kind: "renewed", login, accessToken: opened.value } : unopened("access", opened.error);
  }
  return login.state === "needs_reauth" ? overAlready() : null;
}

type Held = Wanted & { readonly untilMs: EpochMs };

/** We alone may send the refresh token. */
async function underLease(inside: Inside, held: Held): Promise<Refreshed | "again"> {
  const { needs } = inside;
  let mustRelease = true;
  try {
    const login = await needs.logins.read(held.id);
    if (login === null) return { kind: "gone" };
    const settled = settledBy(needs, login, held.staleGeneration);
    if (settled !== null) return settled;
    if (login.refreshToken === null) return await giveUp(inside, login, "The login has no refresh token");
    const refreshToken = needs.vault.openRefreshToken(placeOf(login), login.refreshToken);
    if (!refreshToken.ok) return unopened("refresh", refreshToken.error);
    if (held.untilMs - needs.clock.now() < LEAST_LEASE_MS) return "again";
    const { clientId, tokenUrl } = login.client;
    const grant = { kind: "refresh_token", refreshToken: refreshToken.value } as const;
    const answer = await needs.endpoint.request({ tokenUrl, clientId, grant });
    if (answer.ok) {
      const kept = await keep(inside, login, answer.value);
      mustRelease = kept === "again";
      return kept;
    }
    if (answer.error.kind !== "invalid_grant") return { kind: "later", failure: answer.error };
    return await giveUp(inside, login, answer.error.detail);
  } finally {
    if (mustRelease) await needs.logins.releaseLease(held.id, needs.owner);
  }
}

/** New tokens are used once they are stored, and are tried to be stored until they are: nobody can give them again. */
async function keep(inside: Inside, login: StoredLogin, issued: IssuedTokens): Promise<Refreshed | "again"> {
  const { needs, state } = inside;
  const issuedAtMs = needs.clock.now();
  let pauseMs = FIRST_STORE_PAUSE_MS;
  for (;;) {
    const isLast = state.isStopping;
    try {
      const kept = await store(needs, login, { issued, issuedAtMs });
      return kept ?? "again";
    } catch (cause) {
      if (!(cause instanceof StoreUnavailable) || isLast) throw cause;
      needs.onUnstored(login.accountId, cause);
    }
    await needs.sleep(durationMs(pauseMs));
    pauseMs = Math.min(LONGEST_STORE_PAUSE_MS, pauseMs * 2);
  }
}

type Fresh = { readonly issued: IssuedTokens; readonly issuedAtMs: EpochMs };

/** Null when the operator logged in again in the meantime: those tokens are the newer ones. */
async function store(needs: LoginRefresherNeeds, login: StoredLogin, fresh: Fresh): Promise<Refreshed | null> {
  const { vault } = needs;
  const next: StoredLogin = { ...login, generation: login.generation + 1 };
  const place = placeOf(next);
  const kept = fresh.issued.refreshToken ?? oldRefreshToken(needs, login);
  const tokens: SealedTokens = {
    accessToken: vault.sealAccessToken(place, fresh.issued.accessToken),
    refreshToken: kept === null ? null : vault.sealRefreshToken(place, kept),
    issuedAtMs: fresh.issuedAtMs,
    expiresAtMs: expiryOf(fresh.issuedAtMs, fresh.issued.expiresInMs),
  };
  const draft = { ...draftOf(needs, "OAU004I", login), before: { generation: login.generation } };
  const rotated = await needs.changes.change({ ...draft, after: { generation: next.generation } }, ({ logins }) =>
    rotation(logins, login, tokens),
  );
  if (!rotated.ok) return null;
  return { kind: "renewed", login: { ...next, ...tokens, state: "active" }, accessToken: fresh.issued.accessToken };
}

async function rotation(logins: LoginStore, { accountId, generation }: StoredLogin, tokens: SealedTokens) {
  return (await logins.rotate(accountId, generation, tokens)) ? ok(undefined) : err("newer_login");
}

function oldRefreshToken({ vault }: LoginRefresherNeeds, login: StoredLogin): Secret | null {
  const opened = login.refreshToken === null ? null : vault.openRefreshToken(placeOf(login), login.refreshToken);
  return opened?.ok === true ? opened.value : null;
}

/** Unless the generation has moved: then the refusal was about a token that is no longer ours. */
async function giveUp({ needs }: Inside, login: StoredLogin, detail: string): Promise<Refreshed | "again"> {
  const { accountId: id, generation } = login;
  const held = { generation, owner: needs.owner };
  const marked: Result<void, string> = await needs.changes.change(
    { ...draftOf(needs, "OAU005I", login), after: { state: "needs_reauth" }, reason: detail },
    async ({ logins }) => ((await logins.markNeedsReauth(id, held)) ? ok(undefined) : err("newer_login")),
  );
  return marked.ok ? { kind: "needs_reauth", detail } : "again";
}

export function expiryOf(issuedAtMs: EpochMs, expiresInMs: DurationMs | null): EpochMs | null {
  return expiresInMs === null ? null : after(issuedAtMs, expiresInMs);
}

function placeOf({ accountId: id, generation, client }: StoredLogin): TokenPlace {
  return { id, generation, tokenUrl: client.tokenUrl };
}

function draftOf({ nameOf }: LoginRefresherNeeds, code: "OAU004I" | "OAU005I", login: StoredLogin): AuditDraft {
  const { accountId: id } = login;
  return { code, actor: SYSTEM, object: { type: "account", id, name: nameOf(id) } };
}

function overAlready(): Refreshed {
  return { kind: "needs_reauth", detail: "Its owner must log in again" };
}

function unopened(which: string, why: string): Refreshed {
  const failure = { kind: "refused", detail: `Cannot open its ${which} token: ${why}`, retryAfterMs: null } as const;
  return { kind: "later", failure };
}

function later(detail: string): Refreshed {
  return { kind: "later", failure: { kind: "temporary", detail, retryAfterMs: null } };
}
