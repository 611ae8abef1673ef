import type { Config } from "./config/config.ts";
import type { AccountService } from "./control/accounts.ts";
import type { AuditedChanges } from "./control/audit-port.ts";
import { createLoginKeeper, type LoginKeeper } from "./control/login-keeper.ts";
import { createLoginRefresher } from "./control/login-refresher.ts";
import { createLoginService, type LoginService } from "./control/logins.ts";
import type { BaseUrlRule } from "./control/ports.ts";
import { type AccountId, accountId } from "./domain/account/account.ts";
import { modelClassOf } from "./domain/account/model-class.ts";
import { subjectOf } from "./domain/pool/pool-event.ts";
import type { PoolOwner } from "./gateway/pool-owner.ts";
import type { Upstream } from "./gateway/ports.ts";
import type { Secret } from "./kernel/secret.ts";
import { createAccountVault } from "./keyring/account-vault.ts";
import type { Keyring } from "./keyring/keyring.ts";
import { createLoginProofs } from "./keyring/login-proofs.ts";
import { createLoginVault } from "./keyring/login-vault.ts";
import type { Log } from "./observe/log.ts";
import type { Storage } from "./storage/storage.ts";
import { systemClock } from "./system-clock.ts";
import { parseEndpointUrl } from "./upstream/endpoint-url.ts";
import { createTokenEndpoint } from "./upstream/token-endpoint.ts";

export type RunningLogins = { readonly service: LoginService; readonly keeper: LoginKeeper };

type Needs = {
  readonly config: Config;
  readonly log: Log;
  readonly storage: Storage;
  readonly keyring: Keyring;
  readonly changes: AuditedChanges;
  readonly upstream: Upstream;
  readonly pool: PoolOwner;
  readonly accounts: AccountService;
  readonly baseUrlRule: BaseUrlRule;
  /** Told of every token that this process holds. */
  readonly onSecret: (secret: Secret) => void;
};

/** Joins the logins to store, keyring, upstream and pool. */
export function createLogins(needs: Needs): RunningLogins {
  const { allowPrivate, allowPrivateNetworks: privateNetworks } = needs.config.upstream;
  const { config, log, storage, accounts, changes, keyring, pool } = needs;
  const clock = systemClock;
  const vault = createLoginVault(keyring, createAccountVault(keyring, needs.onSecret), needs.onSecret);
  const endpoint = createTokenEndpoint(needs.upstream);
  const accountOf = (id: AccountId) => accounts.snapshot().find((account) => account.id === id) ?? null;
  const nameOf = (id: AccountId) => accountOf(id)?.name ?? null;
  const refresher = createLoginRefresher({
    logins: storage.logins,
    changes,
    vault,
    endpoint,
    clock,
    sleep: (span) => Bun.sleep(span),
    random: Math.random,
    owner: Bun.randomUUIDv7(),
    nameOf,
    onUnstored: (id, cause) =>
      log.error("New tokens are in memory alone: the database refuses them", { account: nameOf(id), error: cause }),
  });
  const keeper = createLoginKeeper({
    logins: storage.logins,
    refresher,
    clock,
    random: Math.random,
    renewAtShare: config.oauth.renewAtShare,
    credential: (id) => {
      const account = accountOf(id);
      return account === null ? null : accounts.credential(account);
    },
    onRenewed: accounts.renewed,
    onNeedsReauth(id, detail) {
      const account = accountOf(id);
      if (account === null) return;
      log.error("A login is over: its owner must log in again (account reauth)", { account: account.name, detail });
      const cause = "token endpoint, invalid_grant";
      const on = subjectOf(account, null, modelClassOf(null));
      pool.learn([{ type: "credential_refused", on, reason: "needs_reauth", cause, atMs: clock.now() }]);
    },
    onFailed: (id, { kind, detail }) =>
      log.warn("A login could not be renewed; its token is used until it ends", {
        account: nameOf(id),
        reason: kind,
        detail,
      }),
    onBug: (cause) => log.error("A login could not be renewed; this is a bug", { error: cause }),
  });
  const service = createLoginService({
    accounts,
    logins: storage.logins,
    sessions: storage.loginSessions,
    changes,
    vault,
    proofs: createLoginProofs(),
    endpoint,
    keeper,
    rules: {
      baseUrl: needs.baseUrlRule,
      endpoint: (text) => parseEndpointUrl(text, { allowPrivate, privateNetworks }),
      defaultClientId: config.oauth.clientId === "none" ? "" : config.oauth.clientId,
    },
    clock,
    newAccountId: () => accountId(Bun.randomUUIDv7()),
  });
  return { service, keeper };
}
