import { join } from "node:path";
import { parsePinSet } from "../domain/trust/pin-set.ts";
import type { Result } from "../kernel/result.ts";
import { err, ok } from "../kernel/result.ts";
import type { Secret } from "../kernel/secret.ts";
import type { Config, ConfigProblem, Environment, Purpose, Secrets } from "./config.ts";
import type { FileValues } from "./config-file.ts";
import { absolutePath, readConfigFile } from "./config-file.ts";
import { readEncryptionKey, readPassphrase, readWebhookSecret } from "./encryption-key.ts";
import { CONFIG_PATH_ENV, namesOfLaterVersions, unknownEnvNames, WEBHOOK_SECRET_FILE_ENV } from "./known-env.ts";
import { NO_LOG_FILE, NO_SINK } from "./log-settings.ts";
import { nearest } from "./nearest.ts";
import type { ReadFile } from "./read-file.ts";
import { runtimeProblems } from "./runtime-rules.ts";
import type { ConfigFlags, Setting } from "./setting.ts";
import type { PlacedSetting, SettingValues } from "./settings.ts";
import { DATA_DIR_ENV, DEFAULT_DATA_DIR, placedSettings } from "./settings.ts";

export type ConfigSources = {
  readonly flags: ConfigFlags;
  readonly env: Environment;
  readonly readFile: ReadFile;
  /** Default "server", which asks more of the runtime. */
  readonly purpose?: Purpose;
};

export type LoadedConfig = {
  readonly config: Config;
  readonly secrets: Secrets;
  /** Sentences for stderr: not mistakes, but worth knowing. */
  readonly warnings: readonly string[];
};

const NO_FILE = "none";

type Given = { readonly source: ConfigProblem["source"] | "default"; readonly key: string; readonly raw: unknown };

/** Flag before env before file before default. Either everything is right, or every mistake is returned. */
export function loadConfig(sources: ConfigSources): Result<LoadedConfig, readonly ConfigProblem[]> {
  const { env, flags, readFile, purpose = "server" } = sources;
  const configPath = findConfigPath(sources);
  const file: FileValues =
    configPath === null ? { values: new Map(), problems: [] } : readConfigFile(configPath, readFile);
  const read = readSettings({ flags, env, values: file.values });
  const key = readEncryptionKey(env, readFile);
  const passphrase = readPassphrase(env, readFile);
  const webhook = readWebhookSecret(env, readFile);
  const problems = [
    ...unknownEnvNames(env),
    ...namesOfLaterVersions(env),
    ...file.problems,
    ...read.problems,
    ...(key.ok ? [] : [key.error]),
    ...(passphrase.ok ? [] : [passphrase.error]),
    ...(webhook.ok ? webhookProblems(read, webhook.value !== null) : [webhook.error]),
    ...runtimeProblems(env, purpose),
  ];
  const values = withDerived(read.values, { flags, env, fileValues: file.values });
  if (values === null) problems.push(homeless());
  else
    problems.push(...ruleProblems(values, read.given), ...masterKeyProblems(values, read.given, { key, passphrase }));
  if (problems.length > 0 || values === null || !key.ok || !passphrase.ok || !webhook.ok) return err(problems);
  const config: Config = {
    ...values,
    configPath,
    strategyGivenBy: givenBy("selection.strategy", read.given),
    hasAnthropicApiKey: (env["ANTHROPIC_API_KEY"] ?? "") !== "",
    furtherAuthoritiesFile: (env["NODE_EXTRA_CA_CERTS"] ?? "") === "" ? null : (env["NODE_EXTRA_CA_CERTS"] ?? null),
  };
  return ok({
    config,
    secrets: { encryptionKey: key.value, passphrase: passphrase.value, auditWebhook: webhook.value },
    warnings: warningsFor(config),
  });
}

/** Null for a default. */
function givenBy(key: string, given: ReadonlyMap<string, Given>): string | null {
  const found = given.get(key);
  return found === undefined || found.source === "default" ? null : found.key;
}

/** The file that was asked for, or the one in the data directory when it exists. */
function findConfigPath({ flags, env, readFile }: ConfigSources): string | null {
  const asked = flags.config ?? env[CONFIG_PATH_ENV];
  const home = env["HOME"];
  if (asked !== undefined) return absolutePath(asked, home) ?? asked;
  const directory = absolutePath(flags.dataDir ?? env[DATA_DIR_ENV] ?? DEFAULT_DATA_DIR, home);
  if (directory === null) return null;
  const path = join(directory, "config.toml");
  const found = readFile(path);
  return !found.ok && found.error === "absent" ? null : path;
}

type SettingSources = {
  readonly flags: ConfigFlags;
  readonly env: Environment;
  readonly values: ReadonlyMap<string, unknown>;
};
type ReadSettings = {
  readonly values: SettingValues;
  readonly given: ReadonlyMap<string, Given>;
  readonly problems: readonly ConfigProblem[];
};

function readSettings(sources: SettingSources): ReadSettings {
  const sections: Record<string, Record<string, unknown>> = {};
  const given = new Map<string, Given>();
  const problems: ConfigProblem[] = [];
  for (const placed of placedSettings()) {
    const source = pick(placed, sources);
    const parsed = placed.setting.schema.safeParse(source.raw);
    if (!parsed.success) problems.push(...wrongValue(source, placed.setting));
    sections[placed.section] ??= {};
    const section = sections[placed.section] ?? {};
    // A wrong value is replaced by its default, so that the rules below can look for further mistakes.
    section[placed.name] = parsed.success ? parsed.data : placed.setting.schema.parse(placed.setting.fallback);
    given.set(`${placed.section}.${placed.name}`, source);
  }
  // The loop filled every place of the table with what that place's own schema returned.
  return { values: sections as unknown as SettingValues, given, problems };
}

function pick({ section, name, setting }: PlacedSetting, { flags, env, values }: SettingSources): Given {
  const flag = setting.flag === undefined ? undefined : flags[setting.flag];
  if (setting.flag !== undefined && flag !== undefined) {
    return { source: "flag", key: `--${setting.flag.replaceAll(/[A-Z]/gu, (c) => `-${c.toLowerCase()}`)}`, raw: flag };
  }
  const text = setting.env === undefined ? undefined : env[setting.env];
  if (setting.env !== undefined && text !== undefined) return { source: "env", key: setting.env, raw: text };
  const key = `${section}.${name}`;
  if (values.has(key)) return { source: "file", key, raw: values.get(key) };
  return { source: "default", key, raw: setting.fallback };
}

function wrongValue(given: Given, setting: Setting<unknown>): readonly ConfigProblem[] {
  if (given.source === "default") throw new Error(`Cannot use the default of ${given.key}: its own schema refuses it`);
  const words = setting.shape.startsWith("one of ") ? setting.shape.slice("one of ".length).split(", ") : [];
  const likely = typeof given.raw === "string" ? nearest(given.raw, words) : null;
  const value = JSON.stringify(given.raw)?.slice(0, 80) ?? "nothing";
  return [
    {
      key: given.key,
      source: given.source,
      reason: `${value} is not ${setting.shape}`,
      fix: likely === null ? `give it ${setting.shape}` : `use ${likely}, or another ${setting.shape}`,
    },
  ];
}

type DerivedFrom = {
  readonly flags: ConfigFlags;
  readonly env: Environment;
  readonly fileValues: ReadonlyMap<string, unknown>;
};

/** Null when the data directory needs a home and there is none. */
function withDerived(values: SettingValues, { flags, env, fileValues }: DerivedFrom): SettingValues | null {
  const dataDir = absolutePath(values.storage.dataDir, env["HOME"]);
  if (dataDir === null) return null;
  const isLevelGiven = flags.logLevel !== undefined || env["LOG_LEVEL"] !== undefined || fileValues.has("log.level");
  const level = values.log.debug && !isLevelGiven ? "debug" : values.log.level;
  const file = logFileIn(dataDir, values.log.file, env["HOME"]);
  if (file === null) return null;
  return { ...values, storage: { ...values.storage, dataDir }, log: { ...values.log, level, file } };
}

function logFileIn(dataDir: string, file: string, home: string | undefined): string | null {
  if (file === NO_LOG_FILE) return file;
  return file.includes("/") ? absolutePath(file, home) : join(dataDir, file);
}

function homeless(): ConfigProblem {
  return {
    key: DATA_DIR_ENV,
    source: "env",
    reason: "it begins with ~ (as its default does) and HOME is not set to an absolute path",
    fix: "give it an absolute path",
  };
}

function ruleProblems(values: SettingValues, given: ReadonlyMap<string, Given>): readonly ConfigProblem[] {
  const problems: ConfigProblem[] = [];
  const { host, tlsTerminatedByProxy } = values.server;
  const hasTls = values.tls.certFile !== NO_FILE;
  if (!isLoopback(host) && !tlsTerminatedByProxy && !hasTls) {
    problems.push({
      ...placeOf("server.host", given),
      reason: `${host} can be reached from other machines, and keys would cross the network unencrypted`,
      fix:
        "give certFile and keyFile under [tls] in the config file, or put a reverse proxy with TLS in front and set " +
        "tlsTerminatedByProxy = true under [server], or listen on 127.0.0.1",
    });
  }
  problems.push(...tlsProblems(values, given), ...pinProblems(values, given));
  const { requestBodyBytes, inFlightBodyBytes } = values.limits;
  if (requestBodyBytes > inFlightBodyBytes) {
    problems.push({
      ...placeOf("limits.requestBodyBytes", given),
      reason: `one body of ${requestBodyBytes} bytes would not fit limits.inFlightBodyBytes = ${inFlightBodyBytes}`,
      fix: "make limits.inFlightBodyBytes at least as large",
    });
  }
  return problems;
}

function masterKeyProblems(
  { vault }: SettingValues,
  given: ReadonlyMap<string, Given>,
  {
    key,
    passphrase,
  }: { readonly key: Result<Secret | null, unknown>; readonly passphrase: Result<Secret | null, unknown> },
): readonly ConfigProblem[] {
  const { masterKeySource } = vault;
  if (masterKeySource === "file") return [];
  const place = placeOf("vault.masterKeySource", given);
  if ((key.ok && key.value !== null) || (passphrase.ok && passphrase.value !== null)) {
    const reason = "an encryption key or a passphrase is given as well";
    return [{ ...place, reason, fix: "keep one source of the master key, and unset the others" }];
  }
  if (masterKeySource === "keychain") return [];
  const missing = (["pkcs11Module", "pkcs11Token", "pkcs11PinFile"] as const).filter((name) => vault[name] === "none");
  if (missing.length === 0) return [];
  const names = missing.map((name) => `vault.${name}`).join(", ");
  return [{ ...place, reason: `pkcs11 needs ${names} as well`, fix: "set them under [vault] in the config file" }];
}

function pinProblems({ upstream }: SettingValues, given: ReadonlyMap<string, Given>): readonly ConfigProblem[] {
  const place = placeOf("upstream.pins", given);
  const fix = "write: host report|enforce YYYY-MM-DD sha256/KEY= sha256/OTHERKEY=";
  const hosts = new Set<string>();
  return upstream.pins.flatMap((text) => {
    const parsed = parsePinSet(text);
    const host = text.split(" ", 1)[0]?.toLowerCase() ?? "";
    const isSecond = hosts.has(host);
    hosts.add(host);
    if (!parsed.ok) return [{ ...place, reason: `of the entry for ${host}: ${parsed.error}`, fix }];
    return isSecond ? [{ ...place, reason: `${host} has two entries`, fix: "write all its pins into one" }] : [];
  });
}

/** Half a set of files would leave out what the operator meant to have. */
function tlsProblems({ tls }: SettingValues, given: ReadonlyMap<string, Given>): readonly ConfigProblem[] {
  const needs = (key: string, isGiven: boolean, other: string, isOtherGiven: boolean): readonly ConfigProblem[] =>
    isGiven && !isOtherGiven
      ? [{ ...placeOf(key, given), reason: `it does nothing without ${other}`, fix: `give ${other} too, or remove it` }]
      : [];
  const hasCert = tls.certFile !== NO_FILE;
  const hasKey = tls.keyFile !== NO_FILE;
  const hasAuthority = tls.clientCaFile !== NO_FILE;
  return [
    ...needs("tls.certFile", hasCert, "tls.keyFile", hasKey),
    ...needs("tls.keyFile", hasKey, "tls.certFile", hasCert),
    ...needs("tls.clientCaFile", hasAuthority, "tls.certFile", hasCert),
    ...needs("tls.crlFile", tls.crlFile !== NO_FILE, "tls.clientCaFile", hasAuthority),
    ...needs("tls.clientNames", tls.clientNames.length > 0, "tls.clientCaFile", hasAuthority),
  ];
}

/** One without the other would look like a sink, and be none. */
function webhookProblems({ values, given }: ReadSettings, hasSecret: boolean): readonly ConfigProblem[] {
  const hasUrl = values.audit.webhookUrl !== NO_SINK;
  if (hasUrl === hasSecret) return [];
  if (hasUrl) {
    const fix = `write 32 random characters or more into a file of mode 600, and name it in ${WEBHOOK_SECRET_FILE_ENV}`;
    return [{ ...placeOf("audit.webhookUrl", given), reason: "there is no secret to sign with", fix }];
  }
  const fix = "set audit.webhookUrl in the config file, or unset it";
  return [{ key: WEBHOOK_SECRET_FILE_ENV, source: "env", reason: "there is no audit.webhookUrl to sign for", fix }];
}

function placeOf(key: string, given: ReadonlyMap<string, Given>): Pick<ConfigProblem, "key" | "source"> {
  const found = given.get(key);
  return found === undefined || found.source === "default"
    ? { key, source: "file" }
    : { key: found.key, source: found.source };
}

/** True for what never leaves this machine. A name other than localhost is not trusted to resolve there. */
export function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || /^127(\.(25[0-5]|2[0-4]\d|1?\d?\d)){3}$/u.test(host);
}

function warningsFor(config: Config): readonly string[] {
  const warnings: string[] = [];
  if (config.upstream.allowPrivate) {
    warnings.push("Private upstreams are allowed: a base URL may reach hosts inside this network, without TLS");
  }
  if (!isLoopback(config.server.host) && config.tls.certFile === NO_FILE) {
    warnings.push(`Listening on ${config.server.host}: only the TLS proxy in front should be able to reach this port`);
  }
  return warnings;
}
