import { needsSecondFactor } from "../domain/access/role.ts";
import { after, type DurationMs, durationMs, epochMs } from "../kernel/time.ts";
import type { OpenedSession } from "./people.ts";
import type { PeopleStores, StoredSession, StoredUser } from "./people-ports.ts";
import type { ControlClock } from "./ports.ts";
import type { Principal } from "./principal.ts";
import type { Tokens } from "./proof-ports.ts";

export const IDLE_MS: DurationMs = durationMs(30 * 60_000);
const ABSOLUTE_MS: DurationMs = durationMs(8 * 3_600_000);
const MAX_SESSIONS = 5;
const MAX_DEVICES = 10;

export type Opening = {
  readonly user: StoredUser;
  readonly ip: string | null;
  /** The device that this one takes the place of; its counted failures go with it. */
  readonly replaces: Uint8Array | null;
  /** The session that this one takes the place of: it ends when that one would have. Null: 8 hours from now. */
  readonly continues: StoredSession | null;
  /** Password and second factor were proven just now. Otherwise what `continues` knows of it stays true. */
  readonly isProvenNow: boolean;
};

/** A session with a new id. It counts once `store` was done in the transaction of whatever gives it. */
export type PreparedSession = {
  readonly opened: OpenedSession;
  /** Gives the ids of the sessions that it drove out. */
  store(stores: PeopleStores): Promise<readonly string[]>;
};

export type OpeningNeeds = { readonly tokens: Tokens; readonly clock: ControlClock };

export function prepareSession({ tokens, clock }: OpeningNeeds, opening: Opening): PreparedSession {
  const { user, ip, replaces, continues } = opening;
  const nowMs = clock.now();
  const minted = tokens.newSession();
  const device = tokens.newSession();
  const session: StoredSession = {
    id: minted.id,
    hash: minted.hash,
    userId: user.id,
    deviceHash: device.hash,
    ip,
    createdAtMs: nowMs,
    factorAtMs: opening.isProvenNow ? nowMs : (continues?.factorAtMs ?? epochMs(0)),
    lastUsedAtMs: nowMs,
    absoluteUntilMs: continues?.absoluteUntilMs ?? after(nowMs, ABSOLUTE_MS),
  };
  return {
    opened: {
      cookie: minted.cookie,
      csrf: tokens.csrfFor(minted.hash),
      deviceCookie: device.cookie,
      principal: principalOf(user, session),
      idleMs: IDLE_MS,
      absoluteUntilMs: session.absoluteUntilMs,
    },
    async store({ sessions, signIns }) {
      if (replaces !== null) await signIns.forgetDevice(replaces);
      await signIns.keepDevice({ hash: device.hash, userId: user.id, atMs: nowMs }, MAX_DEVICES);
      return sessions.insert(session, MAX_SESSIONS);
    },
  };
}

/** Who a session speaks for, by what is known of its user now. */
export function principalOf(user: StoredUser, { id, factorAtMs }: StoredSession): Principal {
  const mustChangePassword = user.mustChangePassword;
  const mustEnrol = mustChangePassword || lacksSecondFactor(user);
  const via = { kind: "session", sessionId: id, factorAtMs, mustEnrol, mustChangePassword } as const;
  return { kind: "user", userId: user.id, name: user.name, role: user.role, via };
}

export function lacksSecondFactor({ role, totpSeed }: StoredUser): boolean {
  return needsSecondFactor(role) && totpSeed === null;
}

/** The session by which `principal` asks; null when it has ended, or there is none. */
export async function sessionOf(
  principal: Principal,
  sessions: Pick<PeopleStores["sessions"], "listOf">,
): Promise<StoredSession | null> {
  if (principal.kind === "socket" || principal.via.kind !== "session") return null;
  const { sessionId } = principal.via;
  return (await sessions.listOf(principal.userId)).find(({ id }) => id === sessionId) ?? null;
}
