import { join } from "node:path";
import { SOCKET_NAME } from "./cli/socket-name.ts";
import type { Config, Secrets } from "./config/config.ts";
import { type AccountService, createAccountService } from "./control/accounts.ts";
import type { KeyService } from "./control/keys.ts";
import type { BaseUrlRule } from "./control/ports.ts";
import { createSelectionService, type SelectionService } from "./control/selection.ts";
import { createDataPlane, type DataPlane } from "./data-plane.ts";
import { accountId } from "./domain/account/account.ts";
import { type AdminListener, listenAdmin } from "./http/admin/admin-listener.ts";
import { err, ok } from "./kernel/result.ts";
import { Secret } from "./kernel/secret.ts";
import { createAccountVault } from "./keyring/account-vault.ts";
import { createClientKeyVerifier } from "./keyring/client-key-verifier.ts";
import type { Keyring } from "./keyring/keyring.ts";
import { createVault, type RunningVault } from "./keyring/vault.ts";
import { logLedgerEvent } from "./ledger-log.ts";
import { openAdmin, type RunningAdmin, refuseUnprotectedAdmin, servesAdmin } from "./open-admin.ts";
import { type AuditRemotes, openAuditRemotes } from "./open-audit-remotes.ts";
import { openKeyringFor } from "./open-keyring.ts";
import { openKeys, ownersOf } from "./open-keys.ts";
import { openLog, type RunningLog } from "./open-log.ts";
import { createLogins, type RunningLogins } from "./open-logins.ts";
import { openPeople } from "./open-people.ts";
import { openTlsDoor, type RunningTls } from "./open-tls.ts";
import { openUpstreamTrust } from "./open-upstream-trust.ts";
import { createPoolView } from "./pool-view.ts";
import { openRunningAudit, type RunningAudit } from "./running-audit.ts";
import { openLedger, type SpooledLedger } from "./storage/ledger/ledger.ts";
import { openStorage, type Storage } from "./storage/storage.ts";
import { createForwardClock, systemClock } from "./system-clock.ts";
import { describeBaseUrlProblem, parseBaseUrl } from "./upstream/base-url.ts";
import { createModelProbe } from "./upstream/model-probe.ts";
import { createUpstream, type UpstreamClient } from "./upstream/upstream.ts";
import { welcome } from "./welcome.ts";

export type SampleAccount = {
  readonly name: string;
  readonly priority: number;
  readonly organization: string;
  readonly baseUrl: string;
  readonly credential: string;
};

export interface App {
  /** Opens both listeners, and makes the first client key when there is none. */
  start(): Promise<void>;
  /** Drains, flushes and closes; within `shutdown.drainMs` and a few seconds. */
  stop(): Promise<void>;
  /** A second signal: stop waiting for running requests. */
  hurry(): void;
  /** Opens the log file anew, for whoever moved it. False when there is none. Never throws. */
  reopenLog(): boolean;
  reportBug(cause: unknown): void;
  /** For `--demo`. */
  addSampleAccount(sample: SampleAccount): Promise<void>;
  /** Where clients connect, e.g. http://127.0.0.1:8080; known after `start`. */
  readonly url: string;
}

/**
 * The only place that wires. Nothing listens before `start`.
 * @throws Error with a sentence for the operator when the data directory, database or master key cannot be used.
 */
export async function createApp(config: Config, secrets: Secrets): Promise<App> {
  const running = openLog(config, secrets);
  const { log, live } = running;
  const { dataDir } = config.storage;
  const elsewhere = openAuditRemotes(config, secrets);
  const storage = await openStorage({ dataDir });
  const where = { dataDir, vault: config.vault, secrets };
  const { keyring, sources } = await openOrClose(storage, () => openKeyringFor(storage, where));
  const audit = await openOrClose(storage, () =>
    openRunningAudit({
      ...config.audit,
      ...elsewhere,
      storage,
      keyring,
      dataDir,
      log,
      clock: systemClock,
      find: live.find,
    }),
  );
  const tls = await openOrClose(storage, async () =>
    openTlsDoor({ config, log, clock: systemClock, changes: audit.changes }),
  );
  const ledger = await openLedger({ dataDir, now: systemClock.now, onEvent: (event) => logLedgerEvent(log, event) });
  const vault = createVault({
    keyring,
    sources,
    dataKeys: storage.dataKeys,
    stored: storage.vault,
    audit: audit.changes,
    now: systemClock.now,
    onFailure: (cause) =>
      log.error("The data keys cannot be renewed, or what older ones sealed cannot be sealed anew", { error: cause }),
  });
  return assemble({ ...running, elsewhere, config, storage, keyring, vault, ledger, audit, tls });
}

type Parts = RunningLog & {
  readonly elsewhere: AuditRemotes;
  readonly config: Config;
  readonly storage: Storage;
  readonly audit: RunningAudit;
  readonly keyring: Keyring;
  readonly vault: RunningVault;
  readonly ledger: SpooledLedger;
  readonly tls: RunningTls;
};

async function assemble(parts: Parts): Promise<App> {
  const { config, log, storage, keyring, ledger, audit } = parts;
  const clock = systemClock;
  const { allowPrivate, allowPrivateNetworks: privateNetworks } = config.upstream;
  const trust = await openUpstreamTrust({ config, log, changes: audit.changes, settings: storage.settings, clock });
  const upstream = createUpstream({ allowPrivate, privateNetworks, trust });
  const verifier = createClientKeyVerifier(keyring, createForwardClock());
  const keys = openKeys(parts, {
    set: verifier.set,
    remove(id) {
      verifier.remove(id);
      plane.keyRevoked(id);
    },
  });
  const people = await openPeople({
    ...parts,
    changes: audit.changes,
    clock,
    onUserChanged: (id, now) => keys.ownerChanged(id, now.mayUseProxy),
  });
  const selection = await openSelection(parts);
  const plane: DataPlane = createDataPlane({
    rule: selection.rule,
    poolStore: storage.poolState,
    homeStore: storage.homes,
    tls: parts.tls.door,
    auditSinks: audit.lags,
    config,
    log,
    clock,
    upstream,
    ledger,
    admin: servesAdmin(config) ? (call) => admin.door(call) : null,
    onQueryCredential: (call) => admin.onQueryCredential(call),
    keys: audit.watching(verifier, keys.nameOf),
    accounts: {
      snapshot: () => accounts.snapshot(),
      credential: (account) => accounts.credential(account),
      learnOrganization: (id, organization) => accounts.learnOrganization(id, organization),
      renew: (account, refused) => logins.keeper.renew(account, refused),
    },
  });
  const baseUrlRule = baseUrlRuleOf(config);
  const accounts: AccountService = createAccountService({
    store: storage.accounts,
    changes: audit.changes,
    vault: createAccountVault(keyring, parts.live.add),
    pool: createPoolView(plane.pool, clock.now, (id) => accounts.snapshot().find((each) => each.id === id) ?? null),
    probe: createModelProbe(upstream),
    baseUrlRule,
    clock,
    newAccountId: () => accountId(Bun.randomUUIDv7()),
    onUnstored: (cause) => log.error("What was learned of an account cannot be stored", { error: cause }),
  });
  const logins = createLogins({
    ...parts,
    changes: audit.changes,
    upstream,
    pool: plane.pool,
    accounts,
    baseUrlRule,
    onSecret: parts.live.add,
  });
  for (const { name, reason } of await accounts.load()) {
    log.error("An account cannot be used", { account: name, reason });
  }
  await keys.load(await ownersOf(storage.people));
  await plane.remember();
  // Tens of megabytes of rows have been read and are garbage now; nothing that comes would collect them soon.
  Bun.gc(true);
  const services = { plane, accounts, keys, selection, people, logins: logins.service };
  const admin = openAdmin(parts, services);
  return running(parts, { ...services, admin, keeper: logins.keeper, upstream });
}

function baseUrlRuleOf({ upstream }: Config): BaseUrlRule {
  const { allowPrivate, allowPrivateNetworks: privateNetworks } = upstream;
  return (text) => {
    const parsed = parseBaseUrl(text, { allowPrivate, privateNetworks });
    return parsed.ok ? ok(parsed.value) : err(describeBaseUrlProblem(parsed.error));
  };
}

type Running = {
  readonly plane: DataPlane;
  readonly accounts: AccountService;
  readonly keys: KeyService;
  readonly people: Awaited<ReturnType<typeof openPeople>>;
  readonly admin: RunningAdmin;
  readonly keeper: RunningLogins["keeper"];
  readonly upstream: UpstreamClient;
};

/** What starts in which order, and stops in the other. */
function running(parts: Parts, { plane, accounts, keys, people, admin, keeper, upstream }: Running): App {
  const { config, outlets, storage, keyring, vault, ledger, audit } = parts;
  let socket: AdminListener | null = null;

  return {
    get url() {
      return plane.url;
    },
    async start() {
      await refuseUnprotectedAdmin(config, people.users);
      plane.listen();
      socket = await listenAdmin({
        socketPath: join(config.storage.dataDir, SOCKET_NAME),
        app: admin.app,
      });
      vault.start();
      await audit.start();
      parts.tls.start();
      await keeper.start();
      process.stdout.write(await welcome({ url: plane.url, accounts, keys, setup: people.setup, config }));
    },
    async stop() {
      await plane.stop();
      parts.tls.stop();
      await socket?.stop();
      await keeper.stop();
      await upstream.stop();
      await ledger.stop();
      await vault.stop();
      await people.stop();
      await audit.stop();
      await parts.elsewhere.stop();
      await storage.close();
      keyring.close();
      await outlets.close();
    },
    reopenLog: () => outlets.reopen(),
    hurry: () => plane.hurry(),
    reportBug: (cause) => plane.reportBug(cause),
    addSampleAccount: (sample) => addSampleAccount(accounts, sample),
  };
}

async function addSampleAccount(accounts: AccountService, { credential, ...sample }: SampleAccount): Promise<void> {
  const added = await accounts.add({
    ...sample,
    provider: "anthropic",
    credential: new Secret("sample credential", credential),
    credentialKind: "api_key",
    workspace: null,
    weight: null,
  });
  if (!added.ok) {
    throw new Error(added.error.message);
  }
}

async function openSelection({ config, storage, audit }: Parts): Promise<SelectionService> {
  const selection = createSelectionService({
    store: storage.settings,
    changes: audit.changes,
    rule: { ...config.selection, maxWaitMs: config.queue.maxWaitMs },
    strategyGivenBy: config.strategyGivenBy,
  });
  await selection.load();
  return selection;
}

/** A refusal must leave the data directory free for the next try. */
async function openOrClose<Opened>(storage: Storage, open: () => Promise<Opened>): Promise<Opened> {
  try {
    return await open();
  } catch (cause) {
    await storage.close();
    throw cause;
  }
}
