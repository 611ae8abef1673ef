import type { UserId } from "../domain/access/user-id.ts";
import { err, ok, type Result } from "../kernel/result.ts";
import { after, type DurationMs, durationMs } from "../kernel/time.ts";
import { currentActor } from "./acting.ts";
import type { AttemptWindows } from "./attempt-windows.ts";
import type { AuditedChanges } from "./audit-port.ts";
import type { FailureNotes } from "./failure-notes.ts";
import { draftUser } from "./new-user.ts";
import type { MintedSetup, OpenedSession, SetupService } from "./people.ts";
import type { PeopleStores, SetupFile } from "./people-ports.ts";
import type { ControlClock } from "./ports.ts";
import type { Proofs } from "./proof-ports.ts";
import { actorOf, objectOf, type Proving } from "./proving.ts";
import { type Refusal, refusal } from "./refusal.ts";
import { prepareSession } from "./session-opening.ts";
import { reportNameTaken } from "./user-changing.ts";

const SETUP_MS: DurationMs = durationMs(30 * 60_000);

export type SetupNeeds = {
  readonly stores: PeopleStores;
  readonly changes: AuditedChanges;
  readonly proofs: Proofs;
  readonly proving: Pick<Proving, "inOneSpan">;
  readonly windows: AttemptWindows;
  readonly notes: FailureNotes;
  readonly file: SetupFile;
  readonly clock: ControlClock;
  readonly newUserId: () => UserId;
};

export type RunningSetup = SetupService & {
  /** Reads whether there is an owner, before anything listens. */
  load(): Promise<void>;
  /** There is an owner: the secret and its file are of no use any more. */
  finish(): Promise<void>;
};

export function createSetupService(needs: SetupNeeds): RunningSetup {
  const { stores, file } = needs;
  let isDone = false;
  const finish = async (): Promise<void> => {
    isDone = true;
    file.remove();
    if ((await stores.setup.read()) !== null) await stores.setup.remove();
  };
  return {
    isDone: () => isDone,
    async load() {
      if ((await stores.users.ownerCount()) > 0) await finish();
    },
    finish,
    mint: async () => (isDone ? null : mint(needs)),
    complete: (secret, owner, ip) =>
      needs.proving.inOneSpan(async () => {
        if (isDone) return err(SETUP_DONE);
        const done = await complete(needs, { ...owner, secret, ip });
        if (done.ok) await finish();
        return done;
      }),
  };
}

async function mint({ stores, changes, proofs, file, clock }: SetupNeeds): Promise<MintedSetup | null> {
  const nowMs = clock.now();
  const before = await stores.setup.read();
  if (before !== null && before.expiresAtMs > nowMs) {
    // A gateway that starts again and again must not hand out one secret after the other.
    const text = file.read();
    const isSame = text !== null && proofs.tokens.tokenMac(text)?.id === before.id;
    return isSame ? { expiresAtMs: before.expiresAtMs, disclose: () => text } : null;
  }
  const minted = proofs.tokens.mintToken("st");
  const expiresAtMs = after(nowMs, SETUP_MS);
  const stored = { id: minted.id, mac: minted.mac, pepperVersion: minted.pepperVersion, expiresAtMs };
  const object = { type: "setup_secret", id: minted.id, name: null };
  await changes.change(
    { code: "SET001I", actor: currentActor(), object, after: { expiresAtMs } },
    async ({ people }) => {
      await people.setup.put(stored);
      // Inside: a secret that nobody can read must not be the valid one.
      file.write(minted.text);
    },
  );
  return { expiresAtMs, disclose: () => minted.text };
}

type Completing = {
  readonly secret: string;
  readonly name: string;
  readonly password: string;
  readonly ip: string | null;
};

async function complete(
  needs: SetupNeeds,
  { secret, name, password, ip }: Completing,
): Promise<Result<OpenedSession, Refusal>> {
  const doing = "make the first owner";
  const { stores, proofs, clock, windows } = needs;
  const nowMs = clock.now();
  const leave = windows.enter({ ip, isKnownDevice: false }, nowMs);
  if (leave === null) return refuse(needs, ip, EXHAUSTED);
  let hasFailed = true;
  try {
    const presented = proofs.tokens.tokenMac(secret);
    const stored = await stores.setup.read();
    // Looked at first, and taken in the transaction: a password that is refused must not use the secret up.
    const isKnown = presented?.type === "st" && stored?.id === presented.id && stored.expiresAtMs > nowMs;
    if (!isKnown || presented === null) return await refuse(needs, ip, SETUP_REFUSED);
    hasFailed = false;
    const draft = { id: needs.newUserId(), name, role: "owner", password, passwordUntilMs: null, nowMs } as const;
    const user = await draftUser(proofs.passwords, doing, draft);
    if (!user.ok) return user;
    const opening = { user: user.value, ip, replaces: null, continues: null, isProvenNow: true };
    const prepared = prepareSession({ tokens: proofs.tokens, clock }, opening);
    const audit = { code: "SET002I", actor: actorOf(user.value, ip), object: objectOf(user.value) } as const;
    return await needs.changes.change(audit, async ({ people }): Promise<Result<OpenedSession, Refusal>> => {
      if ((await people.users.ownerCount()) > 0) return err(SETUP_DONE);
      const isTaken = await people.setup.take({ id: presented.id, macs: presented.macs, nowMs });
      hasFailed = !isTaken;
      if (!isTaken) return err(SETUP_REFUSED);
      const inserted = await people.users.insert(user.value);
      if (!inserted.ok) return err(reportNameTaken(doing, user.value.name));
      await prepared.store(people);
      return ok(prepared.opened);
    });
  } finally {
    leave(hasFailed);
  }
}

async function refuse({ notes }: SetupNeeds, ip: string | null, why: Refusal): Promise<Result<never, Refusal>> {
  const object = { type: "setup_secret", id: "unknown", name: null };
  await notes.failed({ code: "SET002E", actor: { type: "user", id: "unknown", ip }, object, reason: why.code });
  return err(why);
}

const SETUP_REFUSED: Refusal = refusal(
  "setup_refused",
  "Cannot set the gateway up: the setup secret is unknown, used or older than 30 minutes; restart the gateway for a new one",
  "secret",
);
const SETUP_DONE: Refusal = refusal("setup_done", "Cannot set the gateway up: it has an owner already");
const EXHAUSTED: Refusal = refusal(
  "attempts_exhausted",
  "Cannot set the gateway up: too many attempts failed; wait up to 15 minutes and try again",
);
