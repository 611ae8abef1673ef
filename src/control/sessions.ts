import { err, ok, type Result } from "../kernel/result.ts";
import { durationMs, type EpochMs, elapsed, epochMs } from "../kernel/time.ts";
import { currentActor } from "./acting.ts";
import type { AuditedChanges } from "./audit-port.ts";
import { stepUpRequired } from "./authority.ts";
import type { SessionService } from "./people.ts";
import type { PeopleStores, StoredSession } from "./people-ports.ts";
import type { ControlClock } from "./ports.ts";
import { isFresh, type Principal } from "./principal.ts";
import type { Tokens } from "./proof-ports.ts";
import { type Refusal, refusal } from "./refusal.ts";
import { IDLE_MS, principalOf } from "./session-opening.ts";

/** How exactly the store knows when a session was last used. Memory knows it to the millisecond. */
const STORED_MS = 60_000;

export type SessionNeeds = {
  readonly stores: Pick<PeopleStores, "users" | "sessions">;
  readonly changes: AuditedChanges;
  readonly tokens: Tokens;
  readonly clock: ControlClock;
};

export type RunningSessions = SessionService & {
  /** These were taken out of the store: forgets them, and tells whoever listens. */
  ended(ids: readonly string[]): void;
  /** Ends those whose time is over; once a minute. */
  sweep(): Promise<void>;
};

export function createSessionService(needs: SessionNeeds): RunningSessions {
  const { stores, changes, tokens, clock } = needs;
  const listeners: ((sessionId: string) => void)[] = [];
  const lastUsed = new Map<string, EpochMs>();
  const ended = (ids: readonly string[]): void => {
    for (const id of ids) {
      lastUsed.delete(id);
      for (const listener of listeners) listener(id);
    }
  };
  const lastUsedOf = ({ id, lastUsedAtMs }: StoredSession) => epochMs(Math.max(lastUsedAtMs, lastUsed.get(id) ?? 0));
  const isOver = (session: StoredSession, nowMs: EpochMs): boolean =>
    nowMs >= session.absoluteUntilMs || elapsed(lastUsedOf(session), nowMs) >= IDLE_MS;

  const touch = async (session: StoredSession, nowMs: EpochMs): Promise<void> => {
    lastUsed.set(session.id, nowMs);
    if (elapsed(session.lastUsedAtMs, nowMs) >= STORED_MS) await stores.sessions.touch(session.id, nowMs);
  };

  return {
    ended,
    async principalOf(cookie) {
      const hash = tokens.sessionHash(cookie);
      const session = hash === null ? null : await stores.sessions.byHash(hash);
      if (session === null) return null;
      const nowMs = clock.now();
      if (isOver(session, nowMs)) {
        ended(await stores.sessions.end(session.userId, session.id));
        return null;
      }
      const user = await stores.users.read(session.userId);
      if (user === null || user.disabledAtMs !== null) return null;
      await touch(session, nowMs);
      return principalOf(user, session);
    },
    csrfMatches(cookie, presented) {
      const hash = tokens.sessionHash(cookie);
      return hash !== null && tokens.isCsrf(hash, presented);
    },
    csrfFor(cookie) {
      const hash = tokens.sessionHash(cookie);
      return hash === null ? null : tokens.csrfFor(hash);
    },
    async list(principal) {
      if (principal.kind === "socket") return [];
      const nowMs = clock.now();
      const current = principal.via.kind === "session" ? principal.via.sessionId : null;
      const open = (await stores.sessions.listOf(principal.userId)).filter((session) => !isOver(session, nowMs));
      return open.map((session) => ({
        id: session.id,
        createdAtMs: session.createdAtMs,
        lastUsedAtMs: lastUsedOf(session),
        absoluteUntilMs: session.absoluteUntilMs,
        ip: session.ip,
        isCurrent: session.id === current,
      }));
    },
    async end(principal, sessionId) {
      const ids = await endOwn(needs, principal, sessionId);
      if (!ids.ok) return ids;
      ended(ids.value);
      return ok(undefined);
    },
    async endAllOf(userId) {
      const object = { type: "user", id: userId, name: null };
      const ids = await changes.change({ code: "AUT005I", actor: currentActor(), object }, ({ people }) =>
        people.sessions.endAllOf(userId),
      );
      ended(ids);
    },
    onEnded: (listener) => void listeners.push(listener),
    async sweep() {
      // The store may be a minute behind what memory knows to be in use.
      ended(await stores.sessions.endStale(clock.now(), durationMs(IDLE_MS + STORED_MS)));
    },
  };
}

async function endOwn(
  { changes, clock }: SessionNeeds,
  principal: Principal,
  sessionId: string,
): Promise<Result<readonly string[], Refusal>> {
  const notFound = refusal("session_not_found", "Cannot end the session: you have none with this id");
  if (principal.kind === "socket") return err(notFound);
  const isCurrent = principal.via.kind === "session" && principal.via.sessionId === sessionId;
  if (!isCurrent && !isFresh(principal, clock.now())) return err(stepUpRequired("end another session"));
  const object = { type: "user", id: principal.userId, name: principal.name };
  const draft = { code: "AUT005I", actor: currentActor(), object, after: { count: 1 } } as const;
  return changes.change(draft, async ({ people }): Promise<Result<readonly string[], Refusal>> => {
    const ids = await people.sessions.end(principal.userId, sessionId);
    return ids.length === 0 ? err(notFound) : ok(ids);
  });
}
