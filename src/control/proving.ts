import { failed, isDisabled, succeeded, waitMs } from "../domain/access/login-throttle.ts";
import { err, ok, type Result } from "../kernel/result.ts";
import { durationMs } from "../kernel/time.ts";
import type { AttemptWindows } from "./attempt-windows.ts";
import type { AuditActor, AuditDraft, AuditedChanges } from "./audit-port.ts";
import type { FailureNotes } from "./failure-notes.ts";
import type { Lanes } from "./lanes.ts";
import type { Pace, PeopleStores, SignInStore, StoredUser, ThrottleSubject } from "./people-ports.ts";
import type { ControlClock } from "./ports.ts";
import { type Refusal, refusal } from "./refusal.ts";

/** No answer to an attempt comes earlier, and each up to `JITTER_MS` later, so that its time says nothing. */
const FLOOR_MS = 250;
const JITTER_MS = 85;
/**
 * What is written down of an attempt differs by how it failed, and has this long after the check, which takes the same
 * time for all. Measured: a few ms each.
 */
const BOOKKEEPING_MS = 100;

/** Codes of the audit log that an attempt may fail with. */
type FailedCode = "AUT001E" | "AUT002E" | "AUT003E" | "AUT004E" | "USR005E";

export type Attempt = {
  readonly code: FailedCode;
  readonly ip: string | null;
  readonly span: Span;
  /** The user as it was named, in its canonical form; null when it has none. */
  readonly name: string | null;
  /** Null: there is no such user. */
  readonly find: () => Promise<Candidate | null>;
};

/** `deviceHash`: the attempt comes from where this user has logged in before. */
export type Candidate = { readonly user: StoredUser; readonly deviceHash: Uint8Array | null };

/** `checked`: from here on it differs by user what is done. The first call counts. */
export type Span = { checked(): void };

/** What a check found: what was proven, or nothing. busy: it could not be checked. */
export type Checked<Proof> = Result<Proof, "wrong" | "busy">;

export type Proven<Proof> = Candidate & { readonly proof: Proof };

export type Proving = {
  /**
   * `check` is called whether there is such a user or not, and with null when none may enter: it must take the same time.
   * Failures count against user and address; what is proven is forgiven by `forgive`, when nothing else is to be proven.
   */
  attempt<Proof>(
    attempt: Attempt,
    check: (candidate: Candidate | null) => Promise<Checked<Proof>>,
  ): Promise<Result<Proven<Proof>, Refusal>>;
  /** The work in one span of time, whatever comes of it. */
  inOneSpan<Value>(work: (span: Span) => Promise<Value>): Promise<Value>;
  /** In the transaction that lets somebody in. */
  forgive(signIns: SignInStore, { user, deviceHash }: Candidate): Promise<void>;
};

export type ProvingNeeds = {
  readonly stores: Pick<PeopleStores, "signIns">;
  readonly changes: AuditedChanges;
  readonly notes: FailureNotes;
  readonly windows: AttemptWindows;
  readonly lanes: Lanes;
  readonly clock: ControlClock;
  readonly pace: Pace;
};

export function createProving(needs: ProvingNeeds): Proving {
  const { pace, windows, clock } = needs;
  return {
    async attempt(attempt, check) {
      const candidate = await attempt.find();
      const from = { ip: attempt.ip, isKnownDevice: candidate !== null && candidate.deviceHash !== null };
      const leave = windows.enter(from, clock.now());
      if (leave === null) {
        await noteFailure(needs, attempt, { user: null, reason: "too_many_attempts" });
        return err(ATTEMPTS_EXHAUSTED);
      }
      let hasFailed = true;
      try {
        const tried = await needs.lanes.run(laneOf(attempt, candidate), () => tryOnce(needs, attempt, check));
        const result = tried.ok ? tried.value : err(BUSY);
        hasFailed = !result.ok && result.error !== BUSY;
        return result;
      } finally {
        leave(hasFailed);
      }
    },

    async inOneSpan(work) {
      const startedMs = pace.monotonicMs();
      let checkedMs: number | null = null;
      const checked = (): void => {
        checkedMs ??= pace.monotonicMs();
      };
      try {
        return await work({ checked });
      } finally {
        const untilMs = Math.max(startedMs + FLOOR_MS, checkedMs === null ? 0 : checkedMs + BOOKKEEPING_MS);
        const leftMs = Math.max(0, untilMs - pace.monotonicMs());
        await pace.sleep(durationMs(leftMs + pace.random() * JITTER_MS));
      }
    },

    async forgive(signIns, { user, deviceHash }) {
      const subject = { userId: user.id, deviceHash };
      const state = await signIns.throttle(subject);
      if (state !== null) await signIns.setThrottle(subject, succeeded(state));
      if (deviceHash === null) return;
      // What strangers tried stays held up; but the row of failures is broken, for its owner was here.
      const others = { userId: user.id, deviceHash: null };
      const count = await signIns.throttle(others);
      if (count !== null) await signIns.setThrottle(others, { ...count, consecutive: 0 });
    },
  };
}

/** One after the other for what shares one count, so that of many at once each is counted before the next is tried. */
function laneOf({ name }: Attempt, candidate: Candidate | null): string {
  if (candidate === null) return `name ${name ?? "none"}`;
  const { user, deviceHash } = candidate;
  return `user ${user.id} ${deviceHash === null ? "" : Buffer.from(deviceHash).toString("hex")}`;
}

async function tryOnce<Proof>(
  needs: ProvingNeeds,
  attempt: Attempt,
  check: (candidate: Candidate | null) => Promise<Checked<Proof>>,
): Promise<Result<Proven<Proof>, Refusal>> {
  const { signIns } = needs.stores;
  // Asked again: while it waited for its turn the user may have changed.
  const candidate = await attempt.find();
  const subject = candidate === null ? null : { userId: candidate.user.id, deviceHash: candidate.deviceHash };
  const state = subject === null ? null : await signIns.throttle(subject);
  const barrier = candidate === null ? "unknown" : barrierOf(candidate.user, waitMs(state, needs.clock.now()));
  const checked = await check(barrier === null ? candidate : null);
  attempt.span.checked();
  if (!checked.ok && checked.error === "busy") return err(BUSY);
  if (checked.ok && barrier === null && candidate !== null) return ok({ ...candidate, proof: checked.value });

  await noteFailure(needs, attempt, { user: candidate?.user ?? null, reason: barrier ?? "wrong" });
  if (barrier === null && subject !== null && candidate !== null) {
    const next = failed(state, needs.clock.now());
    await signIns.setThrottle(subject, next);
    if (isDisabled(next)) await giveUp(needs, candidate, subject);
  }
  return err(CREDENTIALS_REFUSED);
}

function barrierOf(user: StoredUser, waitingMs: number): string | null {
  if (user.disabledAtMs !== null) return "disabled";
  if (user.lockedOutAtMs !== null) return "locked_out";
  return waitingMs > 0 ? "locked" : null;
}

/** 100 failures in a row: a device is a stranger from now on, a user needs an owner or a recovery code. */
async function giveUp(
  { stores, changes, clock }: ProvingNeeds,
  { user }: Candidate,
  subject: ThrottleSubject,
): Promise<void> {
  if (subject.deviceHash !== null) return stores.signIns.forgetDevice(subject.deviceHash);
  const draft: AuditDraft = { code: "AUT006I", actor: actorOf(user, null), object: objectOf(user) };
  await changes.change(draft, ({ people }) => people.users.update(user.id, { lockedOutAtMs: clock.now() }));
}

type Failure = { readonly user: StoredUser | null; readonly reason: string };

/** A name that is nobody's is not kept: people type passwords where names belong. */
async function noteFailure({ notes }: ProvingNeeds, { code, ip }: Attempt, { user, reason }: Failure): Promise<void> {
  const actor: AuditActor = user === null ? { type: "user", id: "unknown", ip } : actorOf(user, ip);
  const object = user === null ? { type: "user", id: "unknown", name: null } : objectOf(user);
  await notes.failed({ code, actor, object, reason });
}

export function actorOf({ id }: StoredUser, ip: string | null): AuditActor {
  return { type: "user", id, ip };
}

export function objectOf({ id, name }: Pick<StoredUser, "id" | "name">): AuditDraft["object"] {
  return { type: "user", id, name };
}

/** One answer for all: it must not say whether there is such a user, nor how it is. */
export const CREDENTIALS_REFUSED: Refusal = refusal(
  "credentials_refused",
  "Cannot log in: name, password or code is wrong, or the user may not log in just now",
);

const ATTEMPTS_EXHAUSTED: Refusal = refusal(
  "attempts_exhausted",
  "Cannot log in: too many attempts failed; wait up to 15 minutes and try again",
);

export const BUSY: Refusal = refusal(
  "busy",
  "Cannot check a password: too many wait already; try again in some seconds",
);
