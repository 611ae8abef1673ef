import { createAttemptWindows } from "./control/attempt-windows.ts";
import type { AuditedChanges } from "./control/audit-port.ts";
import { createFactorService } from "./control/factors.ts";
import { createFailureNotes } from "./control/failure-notes.ts";
import { createLanes } from "./control/lanes.ts";
import type { People } from "./control/people.ts";
import type { OnUserChanged, Pace, PeopleStores, SetupFile } from "./control/people-ports.ts";
import type { ControlClock } from "./control/ports.ts";
import type { Proofs } from "./control/proof-ports.ts";
import { createProving } from "./control/proving.ts";
import { createSessionService } from "./control/sessions.ts";
import { createSetupService } from "./control/setup.ts";
import { createSignInService } from "./control/sign-in.ts";
import { createTokenService } from "./control/tokens.ts";
import { createUserService } from "./control/users.ts";
import { parseUserId, type UserId } from "./domain/access/user-id.ts";
import type { Clock } from "./gateway/ports.ts";
import { durationMs } from "./kernel/time.ts";
import type { Keyring } from "./keyring/keyring.ts";
import { createProofs } from "./keyring/proofs.ts";
import type { Log } from "./observe/log.ts";
import type { Storage } from "./storage/storage.ts";

/** Attempts on one user that wait behind another one. */
const MAX_WAITING_ATTEMPTS = 16;
/** Changes of users that wait behind another one. */
const MAX_WAITING_CHANGES = 2_000;

export type PeopleNeeds = {
  readonly stores: PeopleStores;
  readonly setupFile: SetupFile;
  readonly changes: AuditedChanges;
  readonly proofs: Proofs;
  readonly clock: ControlClock;
  readonly pace: Pace;
  readonly onUserChanged: OnUserChanged;
};

export type RunningPeople = People & {
  /** Before anything listens. */
  load(): Promise<void>;
  /** Once a minute, and before the stop: ends sessions whose time is over, notes sums of failures. */
  tick(): Promise<void>;
};

/** Joins what people log in with, and what they may change of each other. */
export function createPeople(needs: PeopleNeeds): RunningPeople {
  const { stores, changes, proofs, clock, pace } = needs;
  const { tokens } = proofs;
  const notes = createFailureNotes(changes, clock);
  const windows = createAttemptWindows();
  const attempts = createLanes(MAX_WAITING_ATTEMPTS);
  const lanes = createLanes(MAX_WAITING_CHANGES);
  const proving = createProving({ stores, changes, notes, windows, lanes: attempts, clock, pace });
  const sessions = createSessionService({ stores, changes, tokens, clock });
  const setup = createSetupService({ ...needs, proving, windows, notes, file: needs.setupFile, newUserId });
  const users = createUserService({ ...needs, proving, sessions, lanes, newUserId, onOwner: setup.finish });
  return {
    users,
    sessions,
    setup,
    signIn: createSignInService({ stores, changes, proofs, proving, sessions, clock }),
    tokens: createTokenService({ stores, changes, notes, tokens, clock }),
    factors: createFactorService({ stores, changes, proofs, sessions, clock }),
    load: setup.load,
    async tick() {
      await sessions.sweep();
      await notes.flush();
    },
  };
}

const TICK_MS = durationMs(60_000);

type RunningNeeds = {
  readonly storage: Pick<Storage, "people" | "setupFile">;
  readonly keyring: Keyring;
  readonly changes: AuditedChanges;
  readonly clock: Clock;
  readonly log: Log;
  readonly onUserChanged: OnUserChanged;
};

/** People of a gateway that runs: by the machine's clock, over its own store and keyring. */
export async function openPeople(needs: RunningNeeds): Promise<People & { stop(): Promise<void> }> {
  const { storage, keyring, clock, log } = needs;
  const people = createPeople({
    ...needs,
    stores: storage.people,
    setupFile: storage.setupFile,
    proofs: createProofs(keyring),
    pace: { monotonicMs: () => performance.now(), sleep: (span) => Bun.sleep(span), random: Math.random },
  });
  await people.load();
  const tick = async (): Promise<void> => {
    try {
      await people.tick();
    } catch (cause) {
      log.error("Sessions cannot be ended, or refused logins not be noted", { error: cause });
    }
  };
  const endTicks = clock.every(TICK_MS, () => void tick());
  return {
    ...people,
    async stop() {
      endTicks();
      await tick();
    },
  };
}

function newUserId(): UserId {
  const id = parseUserId(Bun.randomUUIDv7());
  if (id === null) throw new Error("Cannot make an id of a user: the runtime's is no UUIDv7");
  return id;
}
