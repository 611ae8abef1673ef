import { canonicalUserName } from "../domain/access/user-name.ts";
import { err, ok, type Result } from "../kernel/result.ts";
import { after, type DurationMs, durationMs } from "../kernel/time.ts";
import type { AuditedChanges, ChangeStores } from "./audit-port.ts";
import { liftLockOut, passwordProof, rehash } from "./password-proof.ts";
import type { LoginAttempt, OpenedSession, SignInService, SignInStep, StepUpProof } from "./people.ts";
import type { PeopleStores, StoredSession, StoredUser } from "./people-ports.ts";
import type { ControlClock } from "./ports.ts";
import type { Principal } from "./principal.ts";
import type { Proofs } from "./proof-ports.ts";
import {
  type Attempt,
  actorOf,
  type Candidate,
  type Checked,
  CREDENTIALS_REFUSED,
  objectOf,
  type Proven,
  type Proving,
  type Span,
} from "./proving.ts";
import { type Refusal, refusal } from "./refusal.ts";
import { prepareSession, sessionOf } from "./session-opening.ts";
import type { RunningSessions } from "./sessions.ts";

const PRE_SESSION_MS: DurationMs = durationMs(5 * 60_000);
const MAX_PRE_SESSIONS = 5;

export type SignInNeeds = {
  readonly stores: PeopleStores;
  readonly changes: AuditedChanges;
  readonly proofs: Proofs;
  readonly proving: Proving;
  readonly sessions: RunningSessions;
  readonly clock: ControlClock;
};

export function createSignInService(needs: SignInNeeds): SignInService {
  const { proving } = needs;
  return {
    login: (attempt) => proving.inOneSpan((span) => login(needs, attempt, span)),
    proveTotp: (preSession, code, ip) =>
      proving.inOneSpan((span) =>
        proveSecond(needs, { preSession, ip, span, code: "AUT002E" }, totpProof(needs, code)),
      ),
    proveRecovery: (preSession, code, ip) =>
      proving.inOneSpan((span) =>
        proveSecond(needs, { preSession, ip, span, code: "AUT003E" }, recoveryProof(needs, code)),
      ),
    stepUp: (principal, proof, ip) => proving.inOneSpan((span) => stepUp(needs, principal, { ...proof, ip, span })),
  };
}

async function login(needs: SignInNeeds, input: LoginAttempt, span: Span): Promise<Result<SignInStep, Refusal>> {
  const { proving } = needs;
  const name = canonicalUserName(input.name);
  const attempt = { code: "AUT001E", ip: input.ip, span, name, find: () => findByName(needs, name, input) } as const;
  const proven = await proving.attempt(attempt, async (candidate) => {
    const checked = await passwordProof(needs, candidate?.user ?? null, input.password);
    span.checked();
    if (!checked.ok && candidate === null) await liftLockOut(needs, name, input);
    return checked;
  });
  if (!proven.ok) return proven;
  const entered = await afterPassword(needs, proven.value, input.ip);
  if (entered.ok && proven.value.proof.isOutdated) await rehash(needs, proven.value.user, input.password);
  return entered;
}

async function afterPassword(
  needs: SignInNeeds,
  proven: Proven<unknown>,
  ip: string | null,
): Promise<Result<SignInStep, Refusal>> {
  const { proofs } = needs;
  const { user, deviceHash } = proven;
  if (user.totpSeed === null) {
    const opened = await enter(needs, { proven, ip, code: "AUT001I" }, async () => ok(undefined));
    return opened.ok ? ok({ kind: "session", session: opened.value }) : opened;
  }
  const minted = proofs.tokens.newSession();
  const nowMs = needs.clock.now();
  const preSession = { hash: minted.hash, userId: user.id, deviceHash, expiresAtMs: after(nowMs, PRE_SESSION_MS) };
  const draft = {
    code: "AUT001I",
    actor: actorOf(user, ip),
    object: objectOf(user),
    after: { next: "second_factor" },
  } as const;
  return needs.changes.change(draft, async ({ people }): Promise<Result<SignInStep, Refusal>> => {
    const now = await people.users.read(user.id);
    if (now === null || !isAsProven(now, user)) return err(CREDENTIALS_REFUSED);
    await people.signIns.addPreSession(preSession, { nowMs, maxOpen: MAX_PRE_SESSIONS });
    return ok({ kind: "mfa", preSession: minted.cookie });
  });
}

async function findByName(
  { stores, proofs }: SignInNeeds,
  name: string | null,
  { deviceCookie }: LoginAttempt,
): Promise<Candidate | null> {
  const user = name === null ? null : await stores.users.byName(name);
  if (user === null) return null;
  const hash = deviceCookie === null ? null : proofs.tokens.sessionHash(deviceCookie);
  const isKnown = hash !== null && (await stores.signIns.deviceUser(hash)) === user.id;
  return { user, deviceHash: isKnown ? hash : null };
}

/** What is checked, and what is taken away in the transaction that lets somebody in. */
type SecondProof = {
  readonly check: (candidate: Candidate | null) => Promise<Checked<unknown>>;
  readonly take: (stores: PeopleStores, user: StoredUser) => Promise<boolean>;
};

function totpProof({ proofs, clock }: SignInNeeds, code: string): SecondProof {
  const stepOf = (user: StoredUser): number | null =>
    user.totpSeed === null ? null : proofs.totp.check(user.id, user.totpSeed, code, user.totpLastStep, clock.now());
  return {
    check: async (candidate) => (candidate === null || stepOf(candidate.user) === null ? err("wrong") : ok(undefined)),
    async take({ users }, user) {
      const step = stepOf(user);
      return step !== null && users.useTotpStep(user.id, step);
    },
  };
}

function recoveryProof({ stores, proofs }: SignInNeeds, code: string): SecondProof {
  const macs = proofs.recoveryCodes.macs(code);
  return {
    async check(candidate) {
      if (candidate === null || macs === null) return err("wrong");
      return (await stores.users.hasRecoveryCode(candidate.user.id, macs)) ? ok(undefined) : err("wrong");
    },
    take: async ({ users }, user) => macs !== null && users.useRecoveryCode(user.id, macs),
  };
}

type SecondAttempt = Pick<Attempt, "ip" | "span"> & {
  readonly preSession: string;
  readonly code: "AUT002E" | "AUT003E";
};

async function proveSecond(
  needs: SignInNeeds,
  { preSession, ip, span, code }: SecondAttempt,
  second: SecondProof,
): Promise<Result<OpenedSession, Refusal>> {
  const { stores, proofs, proving, clock } = needs;
  const hash = proofs.tokens.sessionHash(preSession);
  const found = hash === null ? null : await stores.signIns.preSession(hash, clock.now());
  const attempt = { code, ip, span, name: null, find: () => findById(needs, found) } as const;
  const proven = await proving.attempt(attempt, second.check);
  if (!proven.ok || hash === null) return proven.ok ? err(CREDENTIALS_REFUSED) : proven;
  const done = code === "AUT002E" ? "AUT002I" : "AUT003I";
  return enter(needs, { proven: proven.value, ip, code: done }, async ({ people }, user) => {
    const isTaken = (await people.signIns.takePreSession(hash)) && (await second.take(people, user));
    return isTaken ? ok(undefined) : err(CREDENTIALS_REFUSED);
  });
}

async function findById(
  { stores }: SignInNeeds,
  found: { readonly userId: StoredUser["id"]; readonly deviceHash: Uint8Array | null } | null,
): Promise<Candidate | null> {
  const user = found === null ? null : await stores.users.read(found.userId);
  if (found === null || user === null) return null;
  const isKnown = found.deviceHash !== null && (await stores.signIns.deviceUser(found.deviceHash)) === user.id;
  return { user, deviceHash: isKnown ? found.deviceHash : null };
}

type StepUpAttempt = StepUpProof & Pick<Attempt, "ip" | "span">;

async function stepUp(
  needs: SignInNeeds,
  principal: Principal,
  { password, code, ip, span }: StepUpAttempt,
): Promise<Result<OpenedSession, Refusal>> {
  const { stores } = needs;
  if (principal.kind === "socket" || principal.via.kind !== "session") {
    return err(refusal("forbidden", "Cannot confirm who you are: only a session of a logged-in user can"));
  }
  const { sessionId } = principal.via;
  const session = await sessionOf(principal, stores.sessions);
  const second = totpProof(needs, code ?? "");
  const attempt = { code: "AUT004E", ip, span, name: null, find: () => findById(needs, session) } as const;
  const proven = await needs.proving.attempt(attempt, async (candidate) => {
    const first = await passwordProof(needs, candidate?.user ?? null, password);
    return !first.ok || candidate === null || candidate.user.totpSeed === null ? first : second.check(candidate);
  });
  if (!proven.ok || session === null) return proven.ok ? err(CREDENTIALS_REFUSED) : proven;
  const entering = { proven: proven.value, ip, code: "AUT004I", continues: session } as const;
  const opened = await enter(needs, entering, async ({ people }, user) => {
    if ((await people.sessions.end(user.id, sessionId)).length === 0) return err(CREDENTIALS_REFUSED);
    const isTaken = user.totpSeed === null || (await second.take(people, user));
    return isTaken ? ok(undefined) : err(CREDENTIALS_REFUSED);
  });
  if (opened.ok) needs.sessions.ended([sessionId]);
  return opened;
}

type Entering = {
  readonly proven: Proven<unknown>;
  readonly ip: string | null;
  readonly code: "AUT001I" | "AUT002I" | "AUT003I" | "AUT004I";
  readonly continues?: StoredSession;
};

/** The session, what was used up for it and its audit row, in one transaction: all of it or nothing. */
async function enter(
  needs: SignInNeeds,
  { proven, ip, code, continues }: Entering,
  take: (stores: ChangeStores, user: StoredUser) => Promise<Result<void, Refusal>>,
): Promise<Result<OpenedSession, Refusal>> {
  const { user, deviceHash } = proven;
  const nowMs = needs.clock.now();
  const prepared = prepareSession(
    { tokens: needs.proofs.tokens, clock: needs.clock },
    { user, ip, replaces: deviceHash, continues: continues ?? null, isProvenNow: true },
  );
  const draft = { code, actor: actorOf(user, ip), object: objectOf(user) } as const;
  const evicted = await needs.changes.change(draft, async (stores): Promise<Result<readonly string[], Refusal>> => {
    const { people } = stores;
    // Proving took its time: whoever was disabled or changed meanwhile does not enter by what was true before.
    const now = await people.users.read(user.id);
    if (now === null || !isAsProven(now, user)) return err(CREDENTIALS_REFUSED);
    const taken = await take(stores, now);
    if (!taken.ok) return taken;
    await needs.proving.forgive(people.signIns, proven);
    await people.users.update(user.id, { lastLoginAtMs: nowMs });
    return ok(await prepared.store(people));
  });
  if (!evicted.ok) return evicted;
  needs.sessions.ended(evicted.value);
  return ok(prepared.opened);
}

function isAsProven(now: StoredUser, proven: StoredUser): boolean {
  const isSame = now.role === proven.role && now.passwordHash === proven.passwordHash;
  const hasSameFactor = (now.totpSeed === null) === (proven.totpSeed === null);
  return isSame && hasSameFactor && now.disabledAtMs === null && now.lockedOutAtMs === null;
}
