import { err, ok, type Result } from "../kernel/result.ts";
import { after, type DurationMs, durationMs, type EpochMs, elapsed } from "../kernel/time.ts";
import { currentActor } from "./acting.ts";
import type { AuditedChanges } from "./audit-port.ts";
import { enrolmentRequired, selfFor } from "./authority.ts";
import type { FailureNotes } from "./failure-notes.ts";
import { parseName } from "./name.ts";
import type { CreatedToken, TokenReport, TokenService } from "./people.ts";
import type { PeopleStores, StoredToken, StoredUser } from "./people-ports.ts";
import type { ControlClock } from "./ports.ts";
import type { Principal } from "./principal.ts";
import type { Tokens } from "./proof-ports.ts";
import { type Refusal, refusal } from "./refusal.ts";
import { lacksSecondFactor } from "./session-opening.ts";

const MIN_EXPIRY_MS = 60_000;
const DEFAULT_EXPIRY_MS: DurationMs = durationMs(90 * 86_400_000);
const MAX_EXPIRY_MS = 365 * 86_400_000;
const MAX_LIVE_TOKENS = 50;
/** How exactly the store knows when a token was last used. */
const STORED_MS = 60_000;

export type TokenNeeds = {
  readonly stores: Pick<PeopleStores, "users" | "tokens">;
  readonly changes: AuditedChanges;
  readonly notes: FailureNotes;
  readonly tokens: Tokens;
  readonly clock: ControlClock;
};

export function createTokenService(needs: TokenNeeds): TokenService {
  const { stores, clock } = needs;
  return {
    principalOf: (text) => principalOf(needs, text),
    create: (principal, name, expiresInMs) => createToken(needs, principal, { name, expiresInMs }),
    async list(principal) {
      if (principal.kind === "socket") return [];
      return (await stores.tokens.listOf(principal.userId)).map((token) => reportOf(token, clock.now()));
    },
    revoke: (principal, nameOrId) => revokeToken(needs, principal, nameOrId),
  };
}

async function principalOf(needs: TokenNeeds, text: string): Promise<Principal | null> {
  const { stores, tokens, notes, clock } = needs;
  const presented = tokens.tokenMac(text);
  if (presented === null || presented.type !== "ad") return null;
  const nowMs = clock.now();
  const token = await stores.tokens.find(presented.id, presented.macs);
  const owner = token === null ? null : await stores.users.read(token.ownerId);
  const reason = barrierOf(token, owner, nowMs);
  if (token === null || owner === null || reason !== null) {
    const object = { type: "admin_token", id: presented.id, name: token?.name ?? null };
    await notes.failed({ code: "AUT008E", actor: currentActor(), object, reason: reason ?? "unknown" });
    return null;
  }
  if (token.lastUsedAtMs === null || elapsed(token.lastUsedAtMs, nowMs) >= STORED_MS) {
    await stores.tokens.touch(token.id, nowMs);
  }
  const via = { kind: "token", tokenId: token.id } as const;
  // The role of now: what its owner lost, the token has lost.
  return { kind: "user", userId: owner.id, name: owner.name, role: owner.role, via };
}

function barrierOf(token: StoredToken | null, owner: StoredUser | null, nowMs: EpochMs): string | null {
  if (token === null || owner === null) return "unknown";
  if (token.revokedAtMs !== null) return "revoked";
  if (token.expiresAtMs <= nowMs) return "expired";
  if (owner.disabledAtMs !== null) return "owner_disabled";
  return owner.mustChangePassword || lacksSecondFactor(owner) ? "owner_must_enrol" : null;
}

type TokenDraft = { readonly name: string; readonly expiresInMs: DurationMs | null };

async function createToken(
  { stores, changes, tokens, clock }: TokenNeeds,
  principal: Principal,
  draft: TokenDraft,
): Promise<Result<CreatedToken, Refusal>> {
  const doing = "create a token";
  const nowMs = clock.now();
  const owner = await selfFor({ principal, doing, nowMs }, true, stores.users);
  if (!owner.ok) return owner;
  if (owner.value.mustChangePassword || lacksSecondFactor(owner.value)) {
    return err(enrolmentRequired(doing, owner.value));
  }
  const name = parseName(doing, draft.name);
  if (!name.ok) return name;
  const expiresInMs: number = draft.expiresInMs ?? DEFAULT_EXPIRY_MS;
  if (!(Number.isSafeInteger(expiresInMs) && expiresInMs >= MIN_EXPIRY_MS && expiresInMs <= MAX_EXPIRY_MS)) {
    const fact = "a token expires after at least 1 minute and at most 365 days";
    return err(refusal("expiry_out_of_range", `Cannot ${doing}: ${fact}`, "expiresIn"));
  }
  const minted = tokens.mintToken("ad");
  const token: StoredToken = {
    id: minted.id,
    ownerId: owner.value.id,
    name: name.value,
    mac: minted.mac,
    pepperVersion: minted.pepperVersion,
    createdAtMs: nowMs,
    expiresAtMs: after(nowMs, durationMs(expiresInMs)),
    revokedAtMs: null,
    lastUsedAtMs: null,
  };
  const object = { type: "admin_token", id: token.id, name: token.name };
  const inserted = await changes.change(
    { code: "TOK001I", actor: currentActor(), object, after: { expiresAtMs: token.expiresAtMs } },
    async ({ people }): Promise<Result<void, Refusal>> => {
      const live = (await people.tokens.listOf(token.ownerId)).filter(({ revokedAtMs }) => revokedAtMs === null);
      if (live.length >= MAX_LIVE_TOKENS) {
        return err(refusal("too_many_tokens", `Cannot ${doing}: you have ${MAX_LIVE_TOKENS} already; revoke some`));
      }
      const result = await people.tokens.insert(token);
      return result.ok
        ? result
        : err(refusal("name_taken", `Cannot ${doing}: another one of yours is called "${token.name}"`, "name"));
    },
  );
  if (!inserted.ok) return inserted;
  return ok({ id: token.id, name: token.name, expiresAtMs: token.expiresAtMs, disclose: () => minted.text });
}

async function revokeToken(
  { stores, changes, clock }: TokenNeeds,
  principal: Principal,
  nameOrId: string,
): Promise<Result<void, Refusal>> {
  const doing = "revoke the token";
  const owner = await selfFor({ principal, doing, nowMs: clock.now() }, false, stores.users);
  if (!owner.ok) return owner;
  const live = (await stores.tokens.listOf(owner.value.id)).filter(({ revokedAtMs }) => revokedAtMs === null);
  const token = live.find(({ id }) => id === nameOrId) ?? live.find(({ name }) => name === nameOrId);
  const notFound = refusal(
    "token_not_found",
    `Cannot ${doing}: you have none with this name or id that is not revoked`,
  );
  if (token === undefined) return err(notFound);
  const object = { type: "admin_token", id: token.id, name: token.name };
  return changes.change({ code: "TOK002I", actor: currentActor(), object }, async ({ people }) =>
    (await people.tokens.revoke(token.id, clock.now())) ? ok(undefined) : err(notFound),
  );
}

function reportOf(token: StoredToken, nowMs: EpochMs): TokenReport {
  const { id, name, createdAtMs, expiresAtMs, lastUsedAtMs, revokedAtMs } = token;
  const state = revokedAtMs !== null ? "revoked" : expiresAtMs <= nowMs ? "expired" : "active";
  return { id, name, createdAtMs, expiresAtMs, lastUsedAtMs, state };
}
