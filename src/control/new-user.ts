import type { Role } from "../domain/access/role.ts";
import type { UserId } from "../domain/access/user-id.ts";
import { canonicalUserName } from "../domain/access/user-name.ts";
import { err, ok, type Result } from "../kernel/result.ts";
import type { EpochMs } from "../kernel/time.ts";
import { parseName } from "./name.ts";
import type { StoredUser } from "./people-ports.ts";
import type { Passwords } from "./proof-ports.ts";
import { BUSY } from "./proving.ts";
import { type Refusal, refusal } from "./refusal.ts";

/** Without a second factor a password needs so many characters. */
const LONG_PASSWORD = 15;

export type UserDraft = {
  readonly id: UserId;
  readonly name: string;
  readonly role: Role;
  readonly password: string;
  /** Null: its owner chose it. */
  readonly passwordUntilMs: EpochMs | null;
  readonly nowMs: EpochMs;
};

/** A user whom nobody knows yet. Takes as long as hashing a password. */
export async function draftUser(
  passwords: Passwords,
  doing: string,
  draft: UserDraft,
): Promise<Result<StoredUser, Refusal>> {
  const name = parseName(doing, draft.name);
  if (!name.ok) return name;
  const canonicalName = canonicalUserName(name.value);
  if (canonicalName === null) return err(refusal("name_invalid", `Cannot ${doing}: the name cannot be used`, "name"));
  const hashed = await hashPassword(passwords, doing, { password: draft.password, name: name.value, hasMfa: false });
  if (!hashed.ok) return hashed;
  return ok({
    id: draft.id,
    name: name.value,
    canonicalName,
    role: draft.role,
    ...hashed.value,
    passwordUntilMs: draft.passwordUntilMs,
    mustChangePassword: draft.passwordUntilMs !== null,
    totpSeed: null,
    totpLastStep: null,
    disabledAtMs: null,
    lockedOutAtMs: null,
    createdAtMs: draft.nowMs,
    lastLoginAtMs: null,
  });
}

type Chosen = { readonly password: string; readonly name: string; readonly hasMfa: boolean };

export async function hashPassword(
  passwords: Passwords,
  doing: string,
  { password, name, hasMfa }: Chosen,
): Promise<Result<Pick<StoredUser, "passwordHash" | "isPasswordShort">, Refusal>> {
  const problem = passwords.problem(password, { words: [name], hasMfa });
  if (problem !== null) return err(refusal("password_refused", `Cannot ${doing}: ${problem}`, "password"));
  const hashed = await passwords.hash(password);
  if (!hashed.ok) return err(BUSY);
  return ok({ passwordHash: hashed.value, isPasswordShort: [...password.normalize("NFC")].length < LONG_PASSWORD });
}
