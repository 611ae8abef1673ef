import type { Config } from "./config/config.ts";
import { isLoopback } from "./config/load-config.ts";
import type { AccountService } from "./control/accounts.ts";
import { createExplanationService } from "./control/explanation.ts";
import type { KeyService } from "./control/keys.ts";
import { createLogLevelService } from "./control/log-level.ts";
import type { LoginService } from "./control/logins.ts";
import type { People, UserService } from "./control/people.ts";
import type { RequestReader } from "./control/ports.ts";
import { createRequestService } from "./control/requests.ts";
import type { SelectionService } from "./control/selection.ts";
import { createStatsService } from "./control/stats.ts";
import { createTraceService } from "./control/trace.ts";
import type { DataPlane } from "./data-plane.ts";
import { addressText } from "./domain/access/ip-address.ts";
import type { Call } from "./gateway/call.ts";
import { type AdminApp, createAdminApp } from "./http/admin/admin-app.ts";
import { type AdminDoor, createAdminDoor } from "./http/admin/admin-door.ts";
import { ROUTES } from "./http/routes/route-rows.ts";
import { createRouteTable } from "./http/routes/route-table.ts";
import { inspectorOf, ledgerLagOf } from "./inspector.ts";
import type { RunningVault } from "./keyring/vault.ts";
import type { RunningLog } from "./open-log.ts";
import type { RunningAudit } from "./running-audit.ts";
import type { SpooledLedger } from "./storage/ledger/ledger.ts";
import type { Storage } from "./storage/storage.ts";
import { systemClock } from "./system-clock.ts";
import { VERSION } from "./version.ts";

type Parts = RunningLog & {
  readonly config: Config;
  readonly storage: Storage;
  readonly audit: RunningAudit;
  readonly vault: RunningVault;
  readonly ledger: SpooledLedger;
};

type Services = {
  readonly plane: DataPlane;
  readonly accounts: AccountService;
  readonly keys: KeyService;
  readonly selection: SelectionService;
  readonly people: People;
  readonly logins: LoginService;
};

export type RunningAdmin = {
  /** For the Unix socket. */
  readonly app: AdminApp;
  /** The same over TCP, for whoever proves who they are. */
  readonly door: AdminDoor;
  onQueryCredential(call: Call): void;
};

/** The admin API and both ways into it. */
export function openAdmin(parts: Parts, services: Services): RunningAdmin {
  const { config, audit, log } = parts;
  const { people } = services;
  const app = adminApp(parts, services);
  const { now } = systemClock;
  return {
    app,
    door: createAdminDoor({
      app,
      table: createRouteTable(ROUTES),
      authentication: people,
      isSetUp: people.setup.isDone,
      tally: audit.door,
      now,
      isTlsInFront: config.server.tlsTerminatedByProxy,
      onError: (cause) => log.error("The admin API failed", { error: cause }),
    }),
    onQueryCredential({ client }) {
      const ip = client.ok && client.value !== null ? addressText(client.value) : null;
      audit.door.refused({ reason: "credential_in_query", route: null, ip, who: null }, now());
    },
  };
}

/** Over TCP the admin API is the loopback's, unless the operator says otherwise. */
export function servesAdmin({ server }: Config): boolean {
  return isLoopback(server.host) || server.adminOnNetwork;
}

/** @throws Error when the network could reach the admin API, and a password alone would open it. */
export async function refuseUnprotectedAdmin({ server }: Config, users: Pick<UserService, "list">): Promise<void> {
  if (isLoopback(server.host) || !server.adminOnNetwork) return;
  const listed = await users.list({ kind: "socket" });
  const isProtected =
    listed.ok && listed.value.some(({ role, hasTotp, state }) => role === "owner" && hasTotp && state === "active");
  if (isProtected) return;
  throw new Error(
    `Cannot serve the admin API on ${server.host}: server.adminOnNetwork needs an owner with a second factor. ` +
      "Start once on 127.0.0.1, make the owner with `better-ccflare setup` and enrol the factor",
  );
}

function adminApp(
  { audit, ledger, storage, log, vault }: Parts,
  { plane, accounts, keys, selection, people, logins }: Services,
): AdminApp {
  const names = { accounts: accounts.snapshot, keyName: keys.nameOf };
  const reader = freshReader(storage.requests, ledger);
  return createAdminApp({
    accounts,
    keys,
    logins,
    selection,
    people,
    now: systemClock.now,
    audit: audit.reader,
    vault,
    logLevels: createLogLevelService({ log, changes: audit.changes }),
    requests: createRequestService(reader, names),
    explanations: createExplanationService(reader, names),
    trace: createTraceService(reader, names, systemClock),
    stats: createStatsService(reader, names, systemClock),
    inspector: inspectorOf(storage, () => ledgerLagOf(ledger.stats())),
    version: VERSION,
    dataPlaneUrl: () => plane.url,
    onError: (cause) => log.error("The admin API failed", { error: cause }),
  });
}

/** How long a report waits for rows that are still in the spool: a person expects to see the request just made. */
const FRESH_MS = 1_000;

function freshReader(reader: RequestReader, ledger: SpooledLedger): RequestReader {
  const fresh = async () => {
    await ledger.flush(FRESH_MS);
    return reader;
  };
  return {
    newest: async (limit, filter) => (await fresh()).newest(limit, filter),
    get: async (id) => (await fresh()).get(id),
    stats: async (sinceMs, filter) => (await fresh()).stats(sinceMs, filter),
    explained: async (id) => (await fresh()).explained(id),
    trace: async (page) => (await fresh()).trace(page),
  };
}
