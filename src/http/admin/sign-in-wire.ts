import type { SignedInWire } from "../../contract/sign-in.ts";
import type { TokenWire } from "../../contract/tokens.ts";
import type { UserWire } from "../../contract/users.ts";
import type { OpenedSession, SessionReport, TokenReport, UserReport } from "../../control/people.ts";
import type { Principal } from "../../control/principal.ts";
import { type EpochMs, toRfc3339 } from "../../kernel/time.ts";
import { instantOrNull } from "./wire.ts";

export function signedInToWire({ principal, csrf, absoluteUntilMs }: OpenedSession, isSecure: boolean): SignedInWire {
  return principalToWire(principal, { csrf, endsAtMs: absoluteUntilMs, isSecure });
}

type SessionFacts = { readonly csrf: string | null; readonly endsAtMs: EpochMs | null; readonly isSecure: boolean };

export function principalToWire(principal: Principal, { csrf, endsAtMs, isSecure }: SessionFacts): SignedInWire {
  const user =
    principal.kind === "socket" ? null : { id: principal.userId, name: principal.name, role: principal.role };
  const session = principal.kind === "user" && principal.via.kind === "session" ? principal.via : null;
  return {
    user,
    via: principal.kind === "socket" ? "socket" : principal.via.kind,
    sessionId: session?.sessionId ?? null,
    mustEnrol: session?.mustEnrol ?? false,
    mustChangePassword: session?.mustChangePassword ?? false,
    csrfToken: csrf,
    endsAt: instantOrNull(endsAtMs),
    isCookieBoundToTls: isSecure,
  };
}

export function sessionToWire({ id, createdAtMs, lastUsedAtMs, absoluteUntilMs, ip, isCurrent }: SessionReport) {
  return {
    id,
    createdAt: toRfc3339(createdAtMs),
    lastUsedAt: toRfc3339(lastUsedAtMs),
    endsAt: toRfc3339(absoluteUntilMs),
    ip,
    isCurrent,
  };
}

export function userToWire(user: UserReport): UserWire {
  const { createdAtMs, lastLoginAtMs, id, name, role, state, hasTotp, mustChangePassword } = user;
  const instants = { createdAt: toRfc3339(createdAtMs), lastLoginAt: instantOrNull(lastLoginAtMs) };
  return { id, name, role, state, hasTotp, mustChangePassword, ...instants };
}

export function tokenToWire({ id, name, state, createdAtMs, expiresAtMs, lastUsedAtMs }: TokenReport): TokenWire {
  return {
    id,
    name,
    state,
    createdAt: toRfc3339(createdAtMs),
    expiresAt: toRfc3339(expiresAtMs),
    lastUsedAt: instantOrNull(lastUsedAtMs),
  };
}
