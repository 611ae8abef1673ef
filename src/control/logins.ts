import type { Account, AccountId } from "../domain/account/account.ts";
import { err, ok, type Result } from "../kernel/result.ts";
import type { Secret } from "../kernel/secret.ts";
import { after, durationMs, type EpochMs } from "../kernel/time.ts";
import type { AccountDraft, AccountFields } from "./account-draft.ts";
import type { AccountService, AddedAccount } from "./accounts.ts";
import { currentActor, currentSessionId } from "./acting.ts";
import type { AuditAction } from "./audit-codes.ts";
import type { AuditDraft, AuditedChanges } from "./audit-port.ts";
import { type BeginLoginCommand, type LoginRules, parseLoginDraft, parseRedirect } from "./login-draft.ts";
import type { LoginKeeper } from "./login-keeper.ts";
import { expiryOf } from "./login-refresher.ts";
import type {
  IssuedTokens,
  LoginProofs,
  LoginStore,
  LoginVault,
  OauthClient,
  OpenSession,
  SealedTokens,
  SessionStore,
  StoredLogin,
  TokenEndpoint,
} from "./oauth-ports.ts";
import type { ControlClock, StoredAccount } from "./ports.ts";
import { type Refusal, refusal } from "./refusal.ts";

export type BegunLogin = {
  readonly session: string;
  /** For the owner's browser. */
  readonly authorizeUrl: string;
  readonly expiresAtMs: EpochMs;
};

export type FinishLogin = { readonly session: string; readonly code: Secret; readonly state: string };

export type LoginService = {
  begin(command: BeginLoginCommand): Promise<Result<BegunLogin, Refusal>>;
  /** For the account as it is: same id, name, endpoints and scopes. */
  beginAgain(nameOrId: string, redirectUri: string | null): Promise<Result<BegunLogin, Refusal>>;
  /** Consumes the session, whatever comes of it. */
  finish(answer: FinishLogin): Promise<Result<AddedAccount, Refusal>>;
};

export type LoginServiceNeeds = {
  readonly accounts: Pick<AccountService, "show" | "snapshot" | "enrol" | "replaceCredential">;
  readonly logins: LoginStore;
  readonly sessions: SessionStore;
  readonly changes: AuditedChanges;
  readonly vault: LoginVault;
  readonly proofs: LoginProofs;
  readonly endpoint: TokenEndpoint;
  readonly keeper: Pick<LoginKeeper, "watch">;
  readonly rules: LoginRules;
  readonly clock: ControlClock;
  readonly newAccountId: () => AccountId;
};

const SESSION_MS = durationMs(600_000);
const MAX_OPEN = 5;
const FIRST_GENERATION = 1;

/** Sealed with the verifier, so that it comes back as it was written. */
type Plan = { readonly client: OauthClient; readonly redirectUri: string | null } & (
  | { readonly kind: "add"; readonly account: AccountDraft<AccountFields> }
  | { readonly kind: "again"; readonly id: AccountId }
);

/** security.md D4: authorization code with PKCE; the verifier never leaves the server, and everything is fixed at the start. */
export function createLoginService(needs: LoginServiceNeeds): LoginService {
  return {
    async begin(command) {
      const draft = parseLoginDraft(command, needs.rules);
      if (!draft.ok) return draft;
      const { account, client, redirectUri } = draft.value;
      if (isTaken(needs, account.name)) return err(nameTaken(account.name));
      return open(needs, { kind: "add", account, client, redirectUri });
    },
    async beginAgain(nameOrId, redirectUri) {
      const found = needs.accounts.show(nameOrId);
      if (!found.ok) return found;
      const { id, name } = found.value.account;
      const login = await needs.logins.read(id);
      const doing = `log in account "${name}" again`;
      if (login === null) return err(refusal("login_unknown", `Cannot ${doing}: it has a key, not a login`));
      const redirect = parseRedirect(doing, redirectUri, needs.rules.endpoint);
      return redirect.ok ? open(needs, { kind: "again", id, client: login.client, redirectUri }) : redirect;
    },
    finish: (answer) => finish(needs, answer),
  };
}

async function open(needs: LoginServiceNeeds, plan: Plan): Promise<Result<BegunLogin, Refusal>> {
  const proof = needs.proofs.create();
  const createdAtMs = needs.clock.now();
  const expiresAtMs = after(createdAtMs, SESSION_MS);
  const session = {
    id: proof.sessionId,
    owner: ownerNow(),
    sealed: needs.vault.sealSession(proof.sessionId, { verifier: proof.verifier, plan: JSON.stringify(plan) }),
    stateHash: needs.proofs.stateHash(proof.state),
    createdAtMs,
    expiresAtMs,
  };
  await needs.sessions.insert(session, MAX_OPEN);
  await needs.changes.note({ ...draftOf("OAU001", objectOf(needs, plan)), after: valuesOf(plan.client) });
  return ok({ session: proof.sessionId, authorizeUrl: authorizeUrlOf(plan, proof), expiresAtMs });
}

/** @see RFC 6749 section 4.1.1, RFC 7636 section 4.3 */
function authorizeUrlOf({ client, redirectUri }: Plan, proof: { readonly challenge: string; readonly state: string }) {
  const url = new URL(client.authorizeUrl);
  const fields = {
    response_type: "code",
    client_id: client.clientId,
    ...(redirectUri === null ? {} : { redirect_uri: redirectUri }),
    ...(client.scopes.length === 0 ? {} : { scope: client.scopes.join(" ") }),
    state: proof.state,
    code_challenge: proof.challenge,
    code_challenge_method: "S256",
  };
  for (const [name, value] of Object.entries(fields)) url.searchParams.set(name, value);
  return url.href;
}

async function finish(needs: LoginServiceNeeds, answer: FinishLogin): Promise<Result<AddedAccount, Refusal>> {
  const stateHash = needs.proofs.stateHash(answer.state);
  const claim = { id: answer.session, owner: ownerNow(), stateHash, nowMs: needs.clock.now() };
  const session = await needs.sessions.consume(claim);
  if (session === null) return err(notOpen());
  const opened = needs.vault.openSession(session.id, session.sealed);
  if (!opened.ok) return err(notOpen());
  const plan = planOf(opened.value);
  const { clientId, tokenUrl } = plan.client;
  const { verifier } = opened.value;
  const grant = { kind: "authorization_code", code: answer.code, verifier, redirectUri: plan.redirectUri } as const;
  const issued = await needs.endpoint.request({ tokenUrl, clientId, grant });
  if (!issued.ok) {
    const message = `Cannot finish the login: ${issued.error.detail}. Begin again`;
    await needs.changes.note({ ...draftOf("OAU001", objectOf(needs, plan), "E"), reason: issued.error.kind });
    return err(refusal("login_refused", message));
  }
  return plan.kind === "add" ? addAccount(needs, plan, issued.value) : replaceTokens(needs, plan, issued.value);
}

async function addAccount(
  needs: LoginServiceNeeds,
  { account: draft, client }: Extract<Plan, { kind: "add" }>,
  issued: IssuedTokens,
): Promise<Result<AddedAccount, Refusal>> {
  const nowMs = needs.clock.now();
  const { organization, ...fields } = draft;
  const id = needs.newAccountId();
  const common = { ...fields, id, credentialKind: "bearer", isPaused: false, createdAtMs: nowMs, models: [] } as const;
  const place = { id, generation: FIRST_GENERATION, tokenUrl: client.tokenUrl };
  const tokens = sealed(needs.vault, place, { issued, nowMs });
  const stored: StoredAccount = {
    ...common,
    declaredOrganization: organization,
    learnedOrganization: null,
    credential: tokens.accessToken,
    generation: FIRST_GENERATION,
  };
  const after = { ...valuesOf(client), baseUrl: fields.baseUrl, termsAccepted: true };
  const inserted = await needs.changes.change(
    { ...draftOf("OAU002", { id, name: fields.name }), after },
    ({ logins }) => logins.insert(stored, { ...tokens, client, termsAcceptedAtMs: nowMs }),
  );
  if (!inserted.ok) return err(nameTaken(fields.name));
  needs.keeper.watch({ ...tokens, accountId: id, client, generation: FIRST_GENERATION, state: "active" });
  return ok(await needs.accounts.enrol({ ...common, organization }, issued.accessToken));
}

async function replaceTokens(
  needs: LoginServiceNeeds,
  { id, client }: Extract<Plan, { kind: "again" }>,
  issued: IssuedTokens,
): Promise<Result<AddedAccount, Refusal>> {
  const nowMs = needs.clock.now();
  // A renewal under way may be quicker; the owner's new login is the one that counts.
  for (;;) {
    const login = await needs.logins.read(id);
    if (login === null) return err(refusal("account_not_found", "Cannot finish the login: the account was removed"));
    const next: StoredLogin = { ...login, generation: login.generation + 1, state: "active" };
    const place = { id, generation: next.generation, tokenUrl: client.tokenUrl };
    const tokens = sealed(needs.vault, place, { issued, nowMs });
    const draft = { ...draftOf("OAU003", objectOf(needs, { kind: "again", id })), before: { state: login.state } };
    const isReplaced = await needs.changes.change({ ...draft, after: { state: "active" } }, async ({ logins }) =>
      (await logins.rotate(id, login.generation, tokens)) ? ok(undefined) : err("newer_login"),
    );
    if (!isReplaced.ok) continue;
    needs.keeper.watch({ ...next, ...tokens });
    const replaced = await needs.accounts.replaceCredential(id, issued.accessToken);
    return replaced === null
      ? err(refusal("account_not_found", "Cannot finish the login: the account was removed"))
      : ok(replaced);
  }
}

type Fresh = { readonly issued: IssuedTokens; readonly nowMs: EpochMs };

function sealed(vault: LoginVault, place: Parameters<LoginVault["sealAccessToken"]>[0], fresh: Fresh): SealedTokens {
  const { issued, nowMs } = fresh;
  return {
    accessToken: vault.sealAccessToken(place, issued.accessToken),
    refreshToken: issued.refreshToken === null ? null : vault.sealRefreshToken(place, issued.refreshToken),
    issuedAtMs: nowMs,
    expiresAtMs: expiryOf(nowMs, issued.expiresInMs),
  };
}

/** Ours, from inside the envelope: nobody else can have written it. */
function planOf({ plan }: OpenSession): Plan {
  return JSON.parse(plan) as Plan;
}

/** Whoever began it must finish it, in the same session. */
function ownerNow(): string {
  const { type, id } = currentActor();
  const sessionId = currentSessionId();
  return sessionId === null ? `${type}:${id}` : `${type}:${id}:${sessionId}`;
}

type Named = Pick<Account, "name"> & { readonly id: string };

function objectOf(
  { accounts }: LoginServiceNeeds,
  plan: { readonly kind: "again"; readonly id: AccountId } | Extract<Plan, { kind: "add" }>,
): Named {
  if (plan.kind === "add") return { id: "new", name: plan.account.name };
  return { id: plan.id, name: accounts.snapshot().find(({ id }) => id === plan.id)?.name ?? "removed" };
}

function draftOf(action: AuditAction, { id, name }: Named, how: "I" | "E" = "I"): AuditDraft {
  return { code: `${action}${how}`, actor: currentActor(), object: { type: "account", id, name } };
}

function valuesOf({ clientId, authorizeUrl, tokenUrl, scopes }: OauthClient) {
  return { clientId, authorizeUrl, tokenUrl, scopes: scopes.join(" ") };
}

function isTaken({ accounts }: LoginServiceNeeds, name: string): boolean {
  return accounts.snapshot().some((account) => account.name === name);
}

function nameTaken(name: string): Refusal {
  return refusal("name_taken", `Cannot add account "${name}": another account has this name`, "name");
}

/** One refusal for all: it was finished before, is over, or the state is not its own. */
function notOpen(): Refusal {
  const fact = "it is not open: it was finished, is older than 10 minutes, or its state is another's. Begin again";
  return refusal("login_not_open", `Cannot finish the login: ${fact}`, "session");
}
