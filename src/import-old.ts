import { lstatSync, readdirSync, realpathSync } from "node:fs";
import { basename, join } from "node:path";
import type { ImportOrder, ImportReport } from "./cli/cli-io.ts";
import type { Config, Secrets } from "./config/config.ts";
import { type AccountFields, parseAccountDraft } from "./control/account-draft.ts";
import { parseCredential } from "./control/credential.ts";
import type { BaseUrlRule, StoredAccount } from "./control/ports.ts";
import { accountId } from "./domain/account/account.ts";
import { err, ok, type Result } from "./kernel/result.ts";
import { Secret } from "./kernel/secret.ts";
import { epochMs } from "./kernel/time.ts";
import { createAccountVault } from "./keyring/account-vault.ts";
import type { Keyring } from "./keyring/keyring.ts";
import { createPlainTraces, type PlainTraces } from "./keyring/plain-traces.ts";
import { createRedactor } from "./observe/redactor.ts";
import { openKeyringFor } from "./open-keyring.ts";
import { type ImportedRequest, writeImport } from "./storage/legacy/import-writer.ts";
import { inWords, type LegacyDatabase, type LegacyRow, openLegacyDatabase } from "./storage/legacy/legacy-database.ts";
import {
  importedAccountId,
  importedKey,
  importedName,
  importedRequest,
  instantOf,
  textOf,
} from "./storage/legacy/legacy-history.ts";
import { openStorage, type Storage } from "./storage/storage.ts";
import { systemClock } from "./system-clock.ts";
import { describeBaseUrlProblem, parseBaseUrl } from "./upstream/base-url.ts";

/** Providers of the old project that are an API key at the Claude API, or at one that speaks like it. */
const KEY_PROVIDERS: ReadonlySet<string> = new Set(["anthropic", "claude-console-api", "anthropic-compatible"]);
const PROVIDER_KEY = /^sk-ant-api/;
const MAX_PRIORITY = 1000;
const TOKEN_COLUMNS = ["api_key", "access_token", "refresh_token"] as const;

type Where = { readonly config: Config; readonly secrets: Secrets };

/** Brings over what the old project's database holds. The gateway must not run: this takes its data directory. */
export async function importOld(order: ImportOrder, where: Where): Promise<Result<ImportReport, string>> {
  const opened = openLegacyDatabase(order.path);
  if (!opened.ok) return err(`Cannot import ${order.path}: ${opened.error}`);
  const legacy = opened.value;
  try {
    const plan = planOf(legacy, where);
    if (order.isDryRun) return ok({ ...countsOf(plan, legacy), notes: plan.notes, isDryRun: true });
    return await carryOver(order, where, { legacy, plan });
  } catch (cause) {
    return err(`Cannot import ${order.path}: ${inWords(cause)}`);
  } finally {
    legacy.close();
  }
}

/** An account that can be used, before it is sealed. */
type PlannedAccount = Omit<StoredAccount, "credential" | "generation"> & { readonly credential: Secret };

type Plan = {
  readonly accounts: readonly PlannedAccount[];
  /** Every token of the old database, whether it is used or not. */
  readonly tokens: readonly Secret[];
  readonly notes: readonly string[];
};

function planOf(legacy: LegacyDatabase, { config }: Where): Plan {
  const rows = legacy.accounts();
  const taken = new Set<string>();
  const accounts: PlannedAccount[] = [];
  const notes: string[] = [];
  for (const row of rows) {
    const planned = planAccount(row, taken, ruleOf(config));
    if (planned.ok) accounts.push(planned.value);
    else notes.push(planned.error);
  }
  const keyCount = legacy.clientKeys().length;
  if (keyCount > 0) {
    notes.push(
      `${keyCount} client keys: only their names come over, as revoked keys; make new ones with: better-ccflare key create NAME`,
    );
  }
  const tokens = rows.flatMap((row) => TOKEN_COLUMNS.flatMap((name) => tokenOf(row[name])));
  return { accounts, tokens, notes };
}

/** The error is a note for the operator: what was left out, and what to do. */
function planAccount(row: LegacyRow, taken: Set<string>, rule: BaseUrlRule): Result<PlannedAccount, string> {
  const provider = textOf(row["provider"]) ?? "anthropic";
  const name = freeName(importedName(textOf(row["name"]) ?? "", "account"), taken);
  const left = (why: string): Result<never, string> => err(`account "${name}": ${why}`);
  const oldId = textOf(row["id"]);
  if (oldId === null) return left("it has no id; left out");
  if (!KEY_PROVIDERS.has(provider))
    return left(`its provider ${createRedactor().redact(provider)} is not one of this version; left out`);
  const key = row["api_key"];
  if (typeof key !== "string" || key === "" || (provider === "anthropic" && !PROVIDER_KEY.test(key))) {
    return left("it is a login, and its tokens belong to the old project; left out: log in again with this gateway");
  }
  const credential = parseCredential(key);
  if (!credential.ok) return left(`${credential.error.message}; left out`);
  const priority =
    typeof row["priority"] === "number" ? Math.min(MAX_PRIORITY, Math.max(0, Math.round(row["priority"]))) : null;
  const draft = parseAccountDraft<AccountFields>(
    {
      name,
      provider: "anthropic",
      baseUrl: endpointOf(row["custom_endpoint"]),
      priority,
      weight: null,
      organization: null,
      workspace: null,
    },
    rule,
  );
  if (!draft.ok) return left(`${draft.error.message}; left out`);
  taken.add(name);
  return ok({
    id: accountId(importedAccountId(oldId)),
    name,
    provider: "anthropic",
    baseUrl: draft.value.baseUrl,
    credential: credential.value,
    credentialKind: "api_key",
    priority: draft.value.priority,
    weight: draft.value.weight,
    declaredOrganization: null,
    learnedOrganization: null,
    workspace: null,
    isPaused: row["paused"] === 1,
    createdAtMs: epochMs(instantOf(row["created_at"]) ?? systemClock.now()),
    models: [],
  });
}

/** Seals, writes, and then looks for every old token in all that the data directory holds. */
async function carryOver(
  order: ImportOrder,
  { config, secrets }: Where,
  { legacy, plan }: { readonly legacy: LegacyDatabase; readonly plan: Plan },
): Promise<Result<ImportReport, string>> {
  const { dataDir } = config.storage;
  const storage = await openStorage({ dataDir });
  try {
    const { keyring } = await openKeyringFor(storage, { dataDir, vault: config.vault, secrets });
    const traces = createPlainTraces(plan.tokens);
    const written = writeImport(dataDir, {
      accounts: await sealedAccounts(storage, keyring, plan.accounts),
      clientKeys: legacy.clientKeys().flatMap((row) => {
        const key = importedKey(row, systemClock.now());
        return key === null ? [] : [withoutTraces(key, traces)];
      }),
      requests: requestsOf(legacy, traces),
    });
    keyring.close();
    const found = filesBelow(dataDir, order.path).find((path) => traces.isInFile(path));
    if (found !== undefined) {
      return err(
        `Cannot finish the import: ${found} holds a token of the old database in plain text; remove that file`,
      );
    }
    await noteImport(storage, order, written);
    return ok({ ...written, notes: plan.notes, isDryRun: false });
  } finally {
    await storage.close();
  }
}

async function noteImport(
  storage: Storage,
  order: ImportOrder,
  written: Readonly<Record<string, number>>,
): Promise<void> {
  const audit = storage.auditedChanges({ now: systemClock.now, clean: createRedactor().redact });
  await audit.note({
    code: "IMP001I",
    actor: { type: "operator", id: "cli", ip: null },
    object: { type: "database", id: basename(order.path), name: null },
    after: written,
  });
}

/** Sealed, under names that are free; those of an earlier import are left out. */
async function sealedAccounts(
  storage: Storage,
  keyring: Keyring,
  planned: readonly PlannedAccount[],
): Promise<readonly StoredAccount[]> {
  const stored = await storage.accounts.list();
  const ids = new Set<string>(stored.map(({ id }) => id));
  const names = new Set(stored.map(({ name }) => name));
  const vault = createAccountVault(keyring);
  return planned
    .filter(({ id }) => !ids.has(id))
    .map((account) => {
      const name = freeName(account.name, names);
      names.add(name);
      const credential = vault.sealCredential(account.id, 1, account.credential);
      return { ...account, name, credential, generation: 1 };
    });
}

function* requestsOf(legacy: LegacyDatabase, traces: PlainTraces): Iterable<ImportedRequest> {
  for (const row of legacy.requests()) {
    const request = importedRequest(row);
    if (request !== null) yield withoutTraces(request, traces);
  }
}

/** @throws Error, which undoes the import, when a field that is kept as it is holds a token. */
function withoutTraces<Row extends object>(row: Row, traces: PlainTraces): Row {
  if (traces.isIn(Buffer.from(Object.values(row).join("\n")))) {
    throw new Error("a name, model or path in it holds a token of an account; nothing was written");
  }
  return row;
}

function countsOf({ accounts }: Plan, legacy: LegacyDatabase) {
  return { accounts: accounts.length, clientKeys: legacy.clientKeys().length, requests: legacy.requestCount() };
}

function tokenOf(value: LegacyRow[string] | undefined): readonly Secret[] {
  return typeof value === "string" && value !== "" ? [new Secret("token of the old project", value)] : [];
}

/** The old project kept a URL there, or JSON that holds one. */
function endpointOf(value: LegacyRow[string] | undefined): string | null {
  if (typeof value !== "string" || value === "") return null;
  if (!value.startsWith("{")) return value;
  try {
    const parsed: unknown = JSON.parse(value);
    const endpoint: unknown = typeof parsed === "object" && parsed !== null ? Reflect.get(parsed, "endpoint") : null;
    return typeof endpoint === "string" && endpoint !== "" ? endpoint : null;
  } catch {
    return value;
  }
}

function freeName(name: string, taken: ReadonlySet<string>): string {
  for (let count = 1; ; count += 1) {
    const candidate = count === 1 ? name : `${name}-${count}`;
    if (!taken.has(candidate)) return candidate;
  }
}

function ruleOf({ upstream: { allowPrivate, allowPrivateNetworks: privateNetworks } }: Config): BaseUrlRule {
  return (text) => {
    const parsed = parseBaseUrl(text, { allowPrivate, privateNetworks });
    return parsed.ok ? ok(parsed.value) : err(describeBaseUrlProblem(parsed.error));
  };
}

/** All but the old database itself, which may lie in there. */
function filesBelow(dataDir: string, oldPath: string): readonly string[] {
  const old = realpathSync(oldPath);
  const spared = new Set([old, `${old}-wal`, `${old}-shm`, `${old}-journal`]);
  return readdirSync(dataDir, { recursive: true, encoding: "utf8" })
    .map((name) => join(realpathSync(dataDir), name))
    .filter((path) => lstatSync(path).isFile() && !spared.has(path));
}
