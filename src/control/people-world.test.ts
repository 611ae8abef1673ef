/** People over a real database and the real keyring, with a clock that the test moves. */
import { afterEach } from "bun:test";
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { HOTP, Secret as Seed } from "otpauth";
import type { Role } from "../domain/access/role.ts";
import type { UserId } from "../domain/access/user-id.ts";
import { type DurationMs, type EpochMs, epochMs } from "../kernel/time.ts";
import { openKeyring } from "../keyring/keyring.ts";
import { masterKeyFromBytes } from "../keyring/master-key.ts";
import { createProofs } from "../keyring/proofs.ts";
import { createPeople } from "../open-people.ts";
import { openStorage } from "../storage/storage.ts";
import type { OpenedSession } from "./people.ts";
import type { Pace } from "./people-ports.ts";
import type { Principal } from "./principal.ts";

export const START: EpochMs = epochMs(Date.UTC(2026, 10, 24, 12));
export const SOCKET: Principal = { kind: "socket" };
export const PASSWORD = "correct horse battery staple";
export type PeopleWorld = Awaited<ReturnType<typeof createPeopleWorld>>;

const closings: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const close of closings.splice(0)) await close();
});

/** `dataDir`: of a world that was closed, to start again; the master key is in `key`. */
export async function createPeopleWorld(
  again: { readonly dataDir: string; readonly key: Buffer } | null = null,
  realPace: Pace | null = null,
) {
  const dataDir = again?.dataDir ?? mkdtempSync(join(tmpdir(), "people-"));
  const key = again?.key ?? randomBytes(32);
  const clock = { nowMs: START, now: () => clock.nowMs };
  const storage = await openStorage({ dataDir });
  const masterKey = masterKeyFromBytes(Buffer.from(key));
  const keyring = await openKeyring({ masterKey, store: storage.dataKeys, now: clock.now });
  const proofs = createProofs(keyring);
  const changes = storage.auditedChanges({ now: clock.now, clean: (text) => text });
  const told: (readonly [UserId, boolean])[] = [];
  const ended: string[] = [];
  const slept: number[] = [];
  const people = createPeople({
    stores: storage.people,
    setupFile: storage.setupFile,
    changes,
    proofs,
    clock,
    pace: realPace ?? {
      monotonicMs: () => 0,
      sleep: async (span: DurationMs) => void slept.push(span),
      random: () => 0.5,
    },
    onUserChanged: (id, { mayUseProxy }) => void told.push([id, mayUseProxy]),
  });
  await people.load();
  people.sessions.onEnded((id) => ended.push(id));

  let isOpen = true;
  const close = async (): Promise<void> => {
    if (!isOpen) return;
    isOpen = false;
    await storage.close();
    keyring.close();
  };
  closings.push(async () => {
    await close();
    rmSync(dataDir, { recursive: true, force: true });
  });

  const login = (
    name: string,
    password = PASSWORD,
    ip: string | null = "192.0.2.1",
    deviceCookie: string | null = null,
  ) => people.signIn.login({ name, password, ip, deviceCookie });

  const world = {
    ...people,
    storage,
    keyring,
    proofs,
    changes,
    clock,
    told,
    ended,
    slept,
    dataDir,
    key,
    close,
    login,
    pass(ms: number) {
      clock.nowMs = epochMs(clock.nowMs + ms);
    },
    /** A user with a password of its own, put where the services would put it. */
    async add(name: string, role: Role): Promise<UserId> {
      const hashed = await cachedHash(proofs, key);
      const id = Bun.randomUUIDv7() as UserId;
      await storage.people.users.insert({
        id,
        name,
        canonicalName: name.toLowerCase(),
        role,
        passwordHash: hashed,
        passwordUntilMs: null,
        isPasswordShort: false,
        mustChangePassword: false,
        totpSeed: null,
        totpLastStep: null,
        disabledAtMs: null,
        lockedOutAtMs: null,
        createdAtMs: clock.nowMs,
        lastLoginAtMs: null,
      });
      return id;
    },
    /** Logs a user without a second factor in. */
    async session(name: string, deviceCookie: string | null = null): Promise<OpenedSession> {
      const step = must(await login(name, PASSWORD, "192.0.2.1", deviceCookie));
      if (step.kind !== "session") throw new Error("a second factor is asked for");
      return step.session;
    },
    /** Gives a user a second factor; `code` makes the one of now. */
    async enrol(session: OpenedSession) {
      const { secret } = must(await people.factors.beginTotp(session.principal));
      const code = (offset = 0): string => codeOf(secret, clock.nowMs, offset);
      const confirmed = must(await people.factors.confirmTotp(session.principal, code(), "192.0.2.1"));
      world.pass(30_000);
      return { ...confirmed, code, secret };
    },
    /** The password of a user with a second factor: what is left is the second step. */
    async preSession(name: string, deviceCookie: string | null = null): Promise<string> {
      const step = must(await login(name, PASSWORD, "192.0.2.1", deviceCookie));
      if (step.kind !== "mfa") throw new Error("no second factor is asked for");
      return step.preSession;
    },
    async audit(): Promise<
      readonly {
        code: string;
        reason?: string;
        actor: { id: string; ip: string | null };
        after?: Record<string, unknown>;
      }[]
    > {
      return (await storage.auditLog.newest(1000)).map(({ entry }) => JSON.parse(entry)).reverse();
    },
    async codes(): Promise<readonly string[]> {
      return (await world.audit()).map(({ code }) => code);
    },
  };
  return world;
}

/** The same password in every user of one keyring is hashed once: it takes 0.4 s and 128 MiB each time. */
const hashes = new Map<string, Promise<string>>();

function cachedHash(proofs: ReturnType<typeof createProofs>, key: Buffer): Promise<string> {
  const name = key.toString("hex");
  const known = hashes.get(name) ?? proofs.passwords.hash(PASSWORD).then(must);
  hashes.set(name, known);
  return known;
}

export function codeOf(secret: string, nowMs: number, offset = 0): string {
  const counter = Math.floor(nowMs / 30_000) + offset;
  return HOTP.generate({ secret: Seed.fromBase32(secret), counter, digits: 6, algorithm: "SHA1" });
}

export function must<Value>(
  result: { readonly ok: true; readonly value: Value } | { readonly ok: false; readonly error: unknown },
): Value {
  if (!result.ok) throw new Error(`refused: ${JSON.stringify(result.error)}`);
  return result.value;
}

/** The code of a refusal; "ok" when there is none. */
export function codeOfRefusal(
  result: { readonly ok: true } | { readonly ok: false; readonly error: { readonly code: string } },
): string {
  return result.ok ? "ok" : result.error.code;
}
