import type { Account, AccountId } from "../domain/account/account.ts";
import { renewalDueAt, renewalPause } from "../domain/account/token-life.ts";
import type { Renewal } from "../domain/failover/judge.ts";
import type { Secret } from "../kernel/secret.ts";
import { after, type DurationMs, durationMs, type EpochMs, epochMs } from "../kernel/time.ts";
import type { LoginRefresher, Refreshed } from "./login-refresher.ts";
import type { LoginStore, StoredLogin, TokenFailure } from "./oauth-ports.ts";
import type { ControlClock } from "./ports.ts";

export type LoginKeeperNeeds = {
  readonly logins: Pick<LoginStore, "list">;
  readonly refresher: LoginRefresher;
  readonly clock: ControlClock & { every(span: DurationMs, callback: () => void): () => void };
  /** 0..1 */
  readonly random: () => number;
  /** Share of a token's life after which it is renewed, 0.5..0.95. */
  readonly renewAtShare: number;
  /** The token that the data plane sends just now. */
  readonly credential: (id: AccountId) => Secret | null;
  readonly onRenewed: (id: AccountId, accessToken: Secret) => void;
  readonly onNeedsReauth: (id: AccountId, detail: string) => void;
  readonly onFailed: (id: AccountId, failure: TokenFailure) => void;
  /** A bug; nothing that upstream or the store does. */
  readonly onBug: (cause: unknown) => void;
};

/** Keeps the tokens of all logins fresh. */
export type LoginKeeper = {
  /** Reads the store once and starts to watch. */
  start(): Promise<void>;
  /** A login that is new, or was made anew by its owner. */
  watch(login: StoredLogin): void;
  /** For the gateway's port `Accounts`. */
  renew(account: Account, refused: Secret): Promise<Renewal | null>;
  stop(): Promise<void>;
};

const LOOK_MS = durationMs(1_000);
/** security.md T-12.19: a thousand logins that end together are no storm. */
const MAX_PARALLEL = 10;
/** What an endpoint's Retry-After may ask for at most. */
const LONGEST_PAUSE_MS = 3_600_000;

type Watched = {
  generation: number;
  /** Null: not by the clock; upstream's 401 says when. */
  dueAtMs: EpochMs | null;
  failures: number;
  /** The endpoint is not asked again before, whoever wants it. */
  notBeforeMs: EpochMs;
  isRunning: boolean;
};

export function createLoginKeeper(needs: LoginKeeperNeeds): LoginKeeper {
  const { clock, refresher } = needs;
  const watched = new Map<AccountId, Watched>();
  let running = 0;
  let stopLooking: (() => void) | null = null;
  let isStopped = false;

  const watch = (login: StoredLogin) => {
    watched.set(login.accountId, watchedOf(login, needs));
  };

  async function renewNow(id: AccountId, entry: Watched): Promise<Renewal | null> {
    const refreshed = await refresher.refresh(id, entry.generation);
    // Another login took its place while the endpoint was asked.
    if (watched.get(id) !== entry) return needs.credential(id) === null ? null : "renewed";
    if (refreshed.kind === "gone") watched.delete(id);
    if (refreshed.kind === "renewed") {
      watch(refreshed.login);
      needs.onRenewed(id, refreshed.accessToken);
    }
    if (refreshed.kind === "needs_reauth") {
      entry.dueAtMs = null;
      needs.onNeedsReauth(id, refreshed.detail);
    }
    if (refreshed.kind === "later") {
      postpone(entry, refreshed.failure, needs);
      needs.onFailed(id, refreshed.failure);
    }
    return RENEWAL_OF[refreshed.kind];
  }

  /** Ten at most at a time; the next one starts when one ends. */
  function look(): void {
    const nowMs = clock.now();
    for (const [id, entry] of watched) {
      if (running >= MAX_PARALLEL || isStopped) return;
      if (entry.isRunning || entry.dueAtMs === null || nowMs < entry.dueAtMs || isTooSoon(entry, nowMs)) continue;
      entry.isRunning = true;
      running += 1;
      void renewNow(id, entry)
        .catch(needs.onBug)
        .finally(() => {
          entry.isRunning = false;
          running -= 1;
          look();
        });
    }
  }

  return {
    watch,
    async start() {
      for (const login of await needs.logins.list()) watch(login);
      look();
      stopLooking = clock.every(LOOK_MS, look);
    },
    async renew({ id }, refused) {
      const entry = watched.get(id);
      if (entry === undefined) return null;
      // Others were refused before us: the token they waited for is there.
      if (needs.credential(id) !== refused) return "renewed";
      if (isTooSoon(entry, clock.now())) return "later";
      return renewNow(id, entry).catch((cause: unknown) => {
        needs.onBug(cause);
        return "later";
      });
    },
    async stop() {
      isStopped = true;
      stopLooking?.();
      await refresher.stop();
    },
  };
}

const RENEWAL_OF = {
  renewed: "renewed",
  needs_reauth: "over",
  later: "later",
  gone: null,
} as const satisfies Record<Refreshed["kind"], Renewal | null>;

/** A pause that is longer than any comes of a clock that was set back, and counts for nothing. */
function isTooSoon({ notBeforeMs }: Watched, nowMs: EpochMs): boolean {
  return nowMs < notBeforeMs && notBeforeMs - nowMs <= LONGEST_PAUSE_MS;
}

function watchedOf(login: StoredLogin, { random, renewAtShare }: LoginKeeperNeeds): Watched {
  return {
    generation: login.generation,
    dueAtMs: login.state === "active" ? renewalDueAt(login, renewAtShare, random()) : null,
    failures: 0,
    notBeforeMs: epochMs(0),
    isRunning: false,
  };
}

function postpone(entry: Watched, { kind, retryAfterMs }: TokenFailure, { random, clock }: LoginKeeperNeeds): void {
  entry.failures += 1;
  const pauseMs = renewalPause(entry.failures, kind === "refused", random());
  entry.notBeforeMs = after(clock.now(), durationMs(Math.max(pauseMs, retryAfterMs ?? 0)));
}
