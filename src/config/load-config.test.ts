// Longer than 600 lines: one table of settings and what each refuses, read together.
import { describe, expect, test } from "bun:test";
import { resolve } from "node:path";
import type { Result } from "../kernel/result.ts";
import { err, ok } from "../kernel/result.ts";
import type { ConfigProblem } from "./config.ts";
import { renderProblems } from "./config.ts";
import { describeConfig, renderDescription } from "./describe-config.ts";
import type { ConfigSources, LoadedConfig } from "./load-config.ts";
import { isLoopback, loadConfig } from "./load-config.ts";
import type { FileFacts, FileProblem } from "./read-file.ts";
import { placedSettings } from "./settings.ts";

const GOOD_KEY = Buffer.from(Array.from({ length: 32 }, (_, i) => (i * 37 + 11) % 256)).toString("base64");
const NEEDED = { HOME: "/home/op", BUN_CONFIG_MAX_HTTP_REQUESTS: "65535" };
const DEFAULT_FILE = "/home/op/.better-ccflare/config.toml";

type Files = Readonly<Record<string, string | Partial<FileFacts>>>;

function filesOf(files: Files): (path: string) => Result<FileFacts, FileProblem> {
  return (path) => {
    const file = files[path];
    if (file === undefined) return err("absent");
    const facts = typeof file === "string" ? { text: file } : file;
    return ok({ text: "", mode: 0o600, isOurs: true, ...facts });
  };
}

type Case = Partial<Omit<ConfigSources, "readFile">> & { readonly files?: Files };

function load({ flags = {}, env = {}, files = {}, purpose = "server" }: Case) {
  return loadConfig({ flags, env: { ...NEEDED, ...env }, readFile: filesOf(files), purpose });
}

function loaded(given: Case): LoadedConfig {
  const result = load(given);
  if (!result.ok) throw new Error(renderProblems(result.error));
  return result.value;
}

function problemsOf(given: Case): readonly ConfigProblem[] {
  const result = load(given);
  return result.ok ? [] : result.error;
}

function settingOf(config: LoadedConfig["config"], key: string): unknown {
  return describeConfig(config, { encryptionKey: null, passphrase: null, auditWebhook: null }).settings[key];
}

describe("defaults", () => {
  test("are safe and complete without any source", () => {
    const { config, secrets, warnings } = loaded({});
    expect(config.server).toEqual({
      host: "127.0.0.1",
      port: 8080,
      tlsTerminatedByProxy: false,
      adminOnNetwork: false,
      allowedHosts: [],
      allowedOrigins: [],
      trustedProxies: [],
      allowFrom: [],
      adminAllowFrom: [],
    });
    expect(config.storage.dataDir).toBe("/home/op/.better-ccflare");
    expect(config.retry).toMatchObject({ attempts: 3, delayMs: 500, backoff: 2, budgetRatio: 0.1 });
    expect<unknown>(config.selection).toEqual({
      strategy: "session",
      waitPriceUsdPerHour: 60,
      crossOrganization: "allow",
      maxConversations: 100_000,
      homeMs: 18_000_000,
    });
    expect(Number(config.deadlines.idleMs)).toBe(120_000);
    expect(config.limits.inFlightBodyBytes).toBe(536_870_912);
    expect(Number(config.shutdown.drainMs)).toBe(120_000);
    expect(config.configPath).toBeNull();
    expect(config.hasAnthropicApiKey).toBe(false);
    expect(secrets.encryptionKey).toBeNull();
    expect(warnings).toEqual([]);
  });

  test("pass their own schema", () => {
    for (const { section, name, setting } of placedSettings()) {
      expect({ section, name, ok: setting.schema.safeParse(setting.fallback).success }).toEqual({
        section,
        name,
        ok: true,
      });
    }
  });
});

const PRECEDENCE = [
  { env: "PORT", key: "server.port", inEnv: "9001", inFile: "9002", fromEnv: 9001, fromFile: 9002 },
  {
    env: "BETTER_CCFLARE_HOST",
    key: "server.host",
    inEnv: "::1",
    inFile: '"127.0.0.9"',
    fromEnv: "::1",
    fromFile: "127.0.0.9",
  },
  {
    env: "BETTER_CCFLARE_DATA_DIR",
    key: "storage.dataDir",
    inEnv: "/e",
    inFile: '"/f"',
    fromEnv: "/e",
    fromFile: "/f",
  },
  { env: "BETTER_CCFLARE_DEBUG", key: "log.debug", inEnv: "0", inFile: "true", fromEnv: false, fromFile: true },
  { env: "LOG_LEVEL", key: "log.level", inEnv: "warn", inFile: '"error"', fromEnv: "warn", fromFile: "error" },
  { env: "LOG_FILE", key: "log.file", inEnv: "none", inFile: '"/l"', fromEnv: "none", fromFile: "/l" },
  { env: "LOG_FORMAT", key: "log.format", inEnv: "pretty", inFile: '"json"', fromEnv: "pretty", fromFile: "json" },
  {
    env: "BETTER_CCFLARE_ALLOWED_HOSTS",
    key: "server.allowedHosts",
    inEnv: "a.example:1,b.example",
    inFile: '["c.example"]',
    fromEnv: "a.example:1,b.example",
    fromFile: "c.example",
  },
  {
    env: "ALLOWED_ORIGINS",
    key: "server.allowedOrigins",
    inEnv: "none",
    inFile: '["https://a.example"]',
    fromEnv: "none",
    fromFile: "https://a.example",
  },
  {
    env: "BETTER_CCFLARE_TRUSTED_PROXIES",
    key: "server.trustedProxies",
    inEnv: "127.0.0.1,10.0.0.0/8",
    inFile: '["::1"]',
    fromEnv: "127.0.0.1,10.0.0.0/8",
    fromFile: "::1",
  },
  {
    env: "BETTER_CCFLARE_ALLOW_FROM",
    key: "server.allowFrom",
    inEnv: "none",
    inFile: '["0.0.0.0/0"]',
    fromEnv: "none",
    fromFile: "0.0.0.0/0",
  },
  {
    env: "BETTER_CCFLARE_ADMIN_ON_NETWORK",
    key: "server.adminOnNetwork",
    inEnv: "0",
    inFile: "true",
    fromEnv: false,
    fromFile: true,
  },
  {
    env: "BETTER_CCFLARE_ADMIN_ALLOW_FROM",
    key: "server.adminAllowFrom",
    inEnv: "2001:db8::/32",
    inFile: '["127.0.0.1"]',
    fromEnv: "2001:db8::/32",
    fromFile: "127.0.0.1",
  },
  {
    env: "LB_STRATEGY",
    key: "selection.strategy",
    inEnv: "least-used",
    inFile: '"weighted"',
    fromEnv: "least-used",
    fromFile: "weighted",
  },
  {
    env: "SESSION_DURATION_MS",
    key: "selection.homeMs",
    inEnv: "60000",
    inFile: "7200000",
    fromEnv: 60_000,
    fromFile: 7_200_000,
  },
  {
    env: "BETTER_CCFLARE_MASTER_KEY_SOURCE",
    key: "vault.masterKeySource",
    inEnv: "keychain",
    inFile: '"file"',
    fromEnv: "keychain",
    fromFile: "file",
  },
  { env: "CLIENT_ID", key: "oauth.clientId", inEnv: "e", inFile: '"f"', fromEnv: "e", fromFile: "f" },
  ...[
    // The other of the pair stands in the file, since one alone is a mistake.
    { env: "SSL_CERT_PATH", key: "tls.certFile", inFile: '"/f/tls"\nkeyFile = "/k"' },
    { env: "SSL_KEY_PATH", key: "tls.keyFile", inFile: '"/f/tls"\ncertFile = "/c"' },
  ].map((row) => ({ ...row, inEnv: "/e/tls", fromEnv: "/e/tls", fromFile: "/f/tls" })),
  { env: "RETRY_ATTEMPTS", key: "retry.attempts", inEnv: "5", inFile: "6", fromEnv: 5, fromFile: 6 },
  { env: "RETRY_DELAY_MS", key: "retry.delayMs", inEnv: "0", inFile: "7", fromEnv: 0, fromFile: 7 },
  { env: "RETRY_BACKOFF", key: "retry.backoff", inEnv: "1.5", inFile: "3", fromEnv: 1.5, fromFile: 3 },
  {
    env: "BETTER_CCFLARE_ALLOW_PRIVATE_UPSTREAMS",
    key: "upstream.allowPrivate",
    inEnv: "1",
    inFile: "false",
    fromEnv: true,
    fromFile: false,
  },
  {
    env: "BETTER_CCFLARE_PASSTHROUGH",
    key: "passthrough.enabled",
    inEnv: "1",
    inFile: "false",
    fromEnv: true,
    fromFile: false,
  },
  {
    env: "BETTER_CCFLARE_DRAIN_MS",
    key: "shutdown.drainMs",
    inEnv: "5000",
    inFile: "6000",
    fromEnv: 5000,
    fromFile: 6000,
  },
];

function fileWith(key: string, value: string): Files {
  const [section, name] = key.split(".");
  return { "/etc/gw.toml": `[${section}]\n${name} = ${value}\n` };
}

describe("precedence", () => {
  test("is told for the strategy, since one that was stored counts where none is given", () => {
    const files = { [DEFAULT_FILE]: '[selection]\nstrategy = "session"' };
    expect(loaded({}).config.strategyGivenBy).toBeNull();
    expect(loaded({ files }).config.strategyGivenBy).toBe("selection.strategy");
    expect(loaded({ files, env: { LB_STRATEGY: "weighted" } }).config.strategyGivenBy).toBe("LB_STRATEGY");
  });

  test("the table below names every environment variable of a setting", () => {
    const names = placedSettings().flatMap(({ setting }) => setting.env ?? []);
    expect(PRECEDENCE.map(({ env }) => env).toSorted()).toEqual(names.toSorted());
  });

  test.each(PRECEDENCE)("$env wins over the file's $key, and the file over the default", (row) => {
    const files = fileWith(row.key, row.inFile);
    const flags = { config: "/etc/gw.toml" };
    expect(settingOf(loaded({ flags, files }).config, row.key)).toBe(row.fromFile);
    expect(settingOf(loaded({ flags, files, env: { [row.env]: row.inEnv } }).config, row.key)).toBe(row.fromEnv);
  });

  test.each([
    { flags: { port: "0" }, env: { PORT: "1" }, key: "server.port", expected: 0 },
    { flags: { host: "127.0.0.2" }, env: { BETTER_CCFLARE_HOST: "::1" }, key: "server.host", expected: "127.0.0.2" },
    { flags: { dataDir: "/x" }, env: { BETTER_CCFLARE_DATA_DIR: "/y" }, key: "storage.dataDir", expected: "/x" },
    { flags: { logLevel: "error" }, env: { LOG_LEVEL: "info" }, key: "log.level", expected: "error" },
    { flags: { logFormat: "json" }, env: { LOG_FORMAT: "pretty" }, key: "log.format", expected: "json" },
    { flags: { debug: true }, env: { BETTER_CCFLARE_DEBUG: "0" }, key: "log.debug", expected: true },
  ])("a flag wins over its variable: $key", ({ flags, env, key, expected }) => {
    expect(settingOf(loaded({ flags, env }).config, key)).toBe(expected);
  });

  test("--config wins over BETTER_CCFLARE_CONFIG_PATH, and that over the file in the data directory", () => {
    const files = {
      "/a.toml": "[server]\nport = 1",
      "/b.toml": "[server]\nport = 2",
      [DEFAULT_FILE]: "[server]\nport = 3",
    };
    const env = { BETTER_CCFLARE_CONFIG_PATH: "/b.toml" };
    expect(loaded({ files, env, flags: { config: "/a.toml" } }).config.server.port).toBe(1);
    expect(loaded({ files, env }).config.server.port).toBe(2);
    expect(loaded({ files }).config).toMatchObject({ server: { port: 3 }, configPath: DEFAULT_FILE });
  });

  test("debug lowers the log level only where none is given", () => {
    expect(loaded({ env: { BETTER_CCFLARE_DEBUG: "1" } }).config.log.level).toBe("debug");
    expect(loaded({ env: { BETTER_CCFLARE_DEBUG: "true", LOG_LEVEL: "warn" } }).config.log.level).toBe("warn");
  });

  test("a relative data directory becomes absolute", () => {
    expect(loaded({ flags: { dataDir: "data" } }).config.storage.dataDir).toBe(resolve("data"));
  });
});

describe("formats", () => {
  test.each([
    { path: "/c.toml", text: "[limits]\nrequestBodyBytes = 33_000_000\n" },
    { path: "/c.yaml", text: "limits:\n  requestBodyBytes: 33000000\n" },
    { path: "/c.yml", text: "limits: {requestBodyBytes: 33000000}" },
    { path: "/c.json", text: '{"limits":{"requestBodyBytes":33000000}}' },
    { path: "/c.json5", text: "{limits: {requestBodyBytes: 33000000,}} // note" },
  ])("reads $path", ({ path, text }) => {
    expect(loaded({ flags: { config: path }, files: { [path]: text } }).config.limits.requestBodyBytes).toBe(
      33_000_000,
    );
  });

  test("takes an empty file for no settings", () => {
    expect(loaded({ files: { [DEFAULT_FILE]: "" } }).config.server.port).toBe(8080);
  });
});

const MISTAKES: readonly (Case & { name: string; key: string; reason: RegExp; fix: RegExp })[] = [
  {
    name: "a port that is no number",
    env: { PORT: "http" },
    key: "PORT",
    reason: /"http" is not an integer from 0 to 65535/,
    fix: /integer/,
  },
  { name: "a port out of range", flags: { port: "65536" }, key: "--port", reason: /"65536"/, fix: /0 to 65535/ },
  { name: "an empty port", env: { PORT: "" }, key: "PORT", reason: /"" is not/, fix: /integer/ },
  { name: "a hexadecimal port", env: { PORT: "0x10" }, key: "PORT", reason: /0x10/, fix: /integer/ },
  {
    name: "a fraction of an attempt",
    env: { RETRY_ATTEMPTS: "2.5" },
    key: "RETRY_ATTEMPTS",
    reason: /2.5/,
    fix: /1 to 10/,
  },
  { name: "no attempt at all", env: { RETRY_ATTEMPTS: "0" }, key: "RETRY_ATTEMPTS", reason: /"0"/, fix: /1 to 10/ },
  { name: "a shrinking back-off", env: { RETRY_BACKOFF: "0.5" }, key: "RETRY_BACKOFF", reason: /0.5/, fix: /1 to 10/ },
  {
    name: "a negative span",
    env: { RETRY_DELAY_MS: "-1" },
    key: "RETRY_DELAY_MS",
    reason: /"-1"/,
    fix: /milliseconds/,
  },
  {
    name: "a span beyond a day",
    files: { [DEFAULT_FILE]: "[deadlines]\nidleMs = 1e12" },
    key: "deadlines.idleMs",
    reason: /1000000000000/,
    fix: /one day/,
  },
  { name: "a misspelt level", env: { LOG_LEVEL: "debgu" }, key: "LOG_LEVEL", reason: /one of trace/, fix: /use debug/ },
  { name: "a misspelt format", flags: { logFormat: "jsno" }, key: "--log-format", reason: /jsno/, fix: /use json/ },
  {
    name: "a wrong type in the file",
    files: { [DEFAULT_FILE]: "[server]\nport = [1]" },
    key: "server.port",
    reason: /\[1\]/,
    fix: /integer/,
  },
  {
    name: "an unknown variable",
    env: { BETTER_CCFLARE_HOTS: "::1" },
    key: "BETTER_CCFLARE_HOTS",
    reason: /no setting/,
    fix: /BETTER_CCFLARE_HOST,/,
  },
  {
    name: "a variable in lower case",
    env: { better_ccflare_host: "::1" },
    key: "better_ccflare_host",
    reason: /no setting/,
    fix: /BETTER_CCFLARE_HOST,/,
  },
  {
    name: "a _FILE form of what is not secret",
    env: { BETTER_CCFLARE_HOST_FILE: "/x" },
    key: "BETTER_CCFLARE_HOST_FILE",
    reason: /no setting/,
    fix: /BETTER_CCFLARE_HOST,/,
  },
  {
    name: "an unknown key",
    files: { [DEFAULT_FILE]: "[deadlines]\nidelMs = 1" },
    key: "deadlines.idelMs",
    reason: /no setting/,
    fix: /deadlines\.idleMs/,
  },
  {
    name: "an unknown section",
    files: { [DEFAULT_FILE]: "[deadline]\nidleMs = 1" },
    key: "deadline",
    reason: /no setting/,
    fix: /use deadlines/,
  },
  {
    name: "a key outside of any section",
    files: { [DEFAULT_FILE]: "prot = 1" },
    key: "prot",
    reason: /no setting/,
    fix: /server\.port/,
  },
  {
    name: "a file that was asked for and is not there",
    flags: { config: "/no.toml" },
    key: "/no.toml",
    reason: /no such file/,
    fix: /path/,
  },
  { name: "a file of an unknown kind", flags: { config: "/a.ini" }, key: "/a.ini", reason: /ending/, fix: /toml/ },
  {
    name: "a file that others can write",
    files: { [DEFAULT_FILE]: { mode: 0o622 } },
    key: DEFAULT_FILE,
    reason: /others/,
    fix: /chmod 600/,
  },
  {
    name: "a file of another user",
    files: { [DEFAULT_FILE]: { isOurs: false } },
    key: DEFAULT_FILE,
    reason: /others/,
    fix: /chown/,
  },
  { name: "a syntax error", files: { [DEFAULT_FILE]: "[server" }, key: DEFAULT_FILE, reason: /TOML/, fix: /syntax/ },
  {
    name: "a key that is written twice",
    files: { [DEFAULT_FILE]: "[server]\nport = 1\nport = 2" },
    key: DEFAULT_FILE,
    reason: /port/,
    fix: /syntax/,
  },
  {
    name: "a list for a file",
    flags: { config: "/a.json" },
    files: { "/a.json": "[]" },
    key: "/a.json",
    reason: /sections/,
    fix: /\[server\]/,
  },
  {
    name: "a bind to every address",
    env: { BETTER_CCFLARE_HOST: "0.0.0.0" },
    key: "BETTER_CCFLARE_HOST",
    reason: /other machines/,
    fix: /tlsTerminatedByProxy = true/,
  },
  {
    name: "a bind to a name",
    flags: { host: "gateway.lan" },
    key: "--host",
    reason: /other machines/,
    fix: /127\.0\.0\.1/,
  },
  {
    name: "a body limit above the budget",
    files: { [DEFAULT_FILE]: "[limits]\ninFlightBodyBytes = 2048" },
    key: "limits.requestBodyBytes",
    reason: /2048/,
    fix: /inFlightBodyBytes/,
  },
  {
    name: "PostgreSQL",
    env: { DATABASE_URL: "postgres://u:hunter2@h/d" },
    key: "DATABASE_URL",
    reason: /this version .* SQLite/,
    fix: /unset/,
  },
  {
    name: "PostgreSQL by file",
    env: { DATABASE_URL_FILE: "/x" },
    key: "DATABASE_URL_FILE",
    reason: /SQLite/,
    fix: /unset/,
  },
  { name: "Redis", env: { REDIS_URL: "redis://h" }, key: "REDIS_URL", reason: /one process/, fix: /unset/ },
  {
    name: "a strategy of nowhere",
    env: { LB_STRATEGY: "piority" },
    key: "LB_STRATEGY",
    reason: /one of session, least-used, weighted, drain-soonest, round-robin, priority/,
    fix: /use priority/,
  },
  {
    name: "a strategy of nowhere in the file",
    files: { [DEFAULT_FILE]: '[selection]\nstrategy = "fastest"' },
    key: "selection.strategy",
    reason: /"fastest" is not one of session, least-used/,
    fix: /one of session/,
  },
  {
    name: "a move that is neither allowed nor forbidden",
    files: { [DEFAULT_FILE]: '[selection]\ncrossOrganization = "sometimes"' },
    key: "selection.crossOrganization",
    reason: /one of allow, never/,
    fix: /allow, never/,
  },
  {
    name: "a negative price of waiting",
    files: { [DEFAULT_FILE]: "[selection]\nwaitPriceUsdPerHour = -1" },
    key: "selection.waitPriceUsdPerHour",
    reason: /a number from 0 to 100000/,
    fix: /from 0/,
  },
  {
    name: "unchecked certificates",
    env: { NODE_TLS_REJECT_UNAUTHORIZED: "0" },
    key: "NODE_TLS_REJECT_UNAUTHORIZED",
    reason: /certificate/,
    fix: /unset/,
  },
  {
    name: "an open debugger",
    env: { NODE_OPTIONS: "--inspect=0.0.0.0:9229" },
    key: "NODE_OPTIONS",
    reason: /--inspect/,
    fix: /remove/,
  },
  {
    name: "no fetch limit",
    env: { BUN_CONFIG_MAX_HTTP_REQUESTS: undefined },
    key: "BUN_CONFIG_MAX_HTTP_REQUESTS",
    reason: /256/,
    fix: /npm start/,
  },
  {
    name: "a low fetch limit",
    env: { BUN_CONFIG_MAX_HTTP_REQUESTS: "256" },
    key: "BUN_CONFIG_MAX_HTTP_REQUESTS",
    reason: /1024/,
    fix: /65535/,
  },
  { name: "no home", env: { HOME: undefined }, key: "BETTER_CCFLARE_DATA_DIR", reason: /HOME/, fix: /absolute/ },
];

describe("mistakes", () => {
  test.each(MISTAKES.map((row) => [row.name, row] as const))("refuses %s, with the key and the fix", (_, row) => {
    const problems = problemsOf(row);
    expect(problems).toHaveLength(1);
    expect(problems[0]?.key).toBe(row.key);
    expect(problems[0]?.reason).toMatch(row.reason);
    expect(problems[0]?.fix).toMatch(row.fix);
  });

  test("are reported all at once", () => {
    const problems = problemsOf({
      flags: { port: "x" },
      env: { LOG_LEVEL: "loud", BETTER_CCFLARE_HOST: "0.0.0.0", BETTER_CCFLARE_X: "1", REDIS_URL: "r" },
      files: { [DEFAULT_FILE]: "[server]\nprot = 1\n[retry]\nattempts = 99" },
    });
    expect(problems.map(({ key }) => key).toSorted()).toEqual(
      [
        "--port",
        "LOG_LEVEL",
        "BETTER_CCFLARE_HOST",
        "BETTER_CCFLARE_X",
        "REDIS_URL",
        "server.prot",
        "retry.attempts",
      ].toSorted(),
    );
    expect(renderProblems(problems)).toStartWith("Cannot start: the configuration has 7 problems\nCannot use ");
  });

  test("never print the value of a connection string", () => {
    expect(JSON.stringify(problemsOf({ env: { DATABASE_URL: "postgres://u:hunter2@h/d" } }))).not.toContain("hunter2");
  });

  test("are not made by a command that needs no fetch limit", () => {
    expect(load({ env: { BUN_CONFIG_MAX_HTTP_REQUESTS: undefined }, purpose: "command" }).ok).toBe(true);
  });
});

describe("a bind beyond loopback", () => {
  test("is allowed when the file says that a proxy terminates TLS, with a warning", () => {
    const { config, warnings } = loaded({
      env: { BETTER_CCFLARE_HOST: "0.0.0.0" },
      files: { [DEFAULT_FILE]: "[server]\ntlsTerminatedByProxy = true" },
    });
    expect(config.server.host).toBe("0.0.0.0");
    expect(warnings.join()).toContain("TLS proxy");
  });

  test.each([
    ["127.0.0.1", true],
    ["127.255.255.254", true],
    ["::1", true],
    ["localhost", true],
    ["127.0.0.256", false],
    ["127.1.example.com", false],
    ["0.0.0.0", false],
    ["::", false],
    ["10.0.0.1", false],
  ])("%s is loopback: %p", (host, expected) => expect(isLoopback(host)).toBe(expected));
});

describe("the encryption key", () => {
  const KEY = "BETTER_CCFLARE_ENCRYPTION_KEY";

  test("is taken as hex too", () => {
    const hex = Buffer.from(GOOD_KEY, "base64").toString("hex");
    expect(loaded({ env: { [KEY]: hex } }).secrets.encryptionKey?.reveal()).toBe(hex);
  });

  test("is a Secret from the moment it is read, by variable or by file", () => {
    const byFile = loaded({ env: { [`${KEY}_FILE`]: "/run/key" }, files: { "/run/key": `${GOOD_KEY}\n` } });
    expect(byFile.secrets.encryptionKey?.reveal()).toBe(GOOD_KEY);
    const byEnv = loaded({ env: { [KEY]: GOOD_KEY } });
    expect(byEnv.secrets.encryptionKey?.reveal()).toBe(GOOD_KEY);
    expect(JSON.stringify(byEnv)).not.toContain(GOOD_KEY);
  });

  test.each([
    { name: "both forms", env: { [KEY]: GOOD_KEY, [`${KEY}_FILE`]: "/run/key" }, reason: /as well/ },
    { name: "an absent file", env: { [`${KEY}_FILE`]: "/none" }, reason: /absent/ },
    { name: "an open file", env: { [`${KEY}_FILE`]: "/open" }, reason: /mode 644/ },
    { name: "another user's file", env: { [`${KEY}_FILE`]: "/theirs" }, reason: /another user/ },
    { name: "an empty value", env: { [KEY]: "" }, reason: /32 bytes/ },
    { name: "a short key", env: { [KEY]: "c2hvcnQ=" }, reason: /32 bytes/ },
    { name: "changeme", env: { [KEY]: "changeme" }, reason: /placeholder/ },
    { name: "your-key-here", env: { [KEY]: "your-encryption-key-here" }, reason: /placeholder/ },
    { name: "t0p-s3cr3t", env: { [KEY]: "t0p-s3cr3t" }, reason: /placeholder/ },
    { name: "zeros", env: { [KEY]: Buffer.alloc(32).toString("base64") }, reason: /placeholder/ },
    {
      name: "words",
      env: { [KEY]: Buffer.from("changeme-changeme-ABCDEFGHIJ0123").toString("base64") },
      reason: /placeholder/,
    },
  ])("is refused: $name", ({ env, reason }) => {
    const problems = problemsOf({
      env,
      files: { "/open": { mode: 0o644 }, "/theirs": { isOurs: false }, "/run/key": GOOD_KEY },
    });
    expect(problems).toHaveLength(1);
    expect(problems[0]?.reason).toMatch(reason);
    for (const value of Object.values(env))
      expect(value !== "" && JSON.stringify(problems).includes(`"${value}"`)).toBe(false);
  });
});

describe("a list", () => {
  test.each([
    { text: "none", hosts: [] },
    { text: "a.example", hosts: ["a.example"] },
    { text: "a.example, [::1]:8443,B:1", hosts: ["a.example", "[::1]:8443", "B:1"] },
  ])("in env is $text", ({ text, hosts }) => {
    const { config } = loaded({ env: { BETTER_CCFLARE_ALLOWED_HOSTS: text } });
    expect(config.server.allowedHosts).toEqual(hosts);
  });

  test.each(["", "a,,b", "http://a", "a/b", "a@b", "*", "a:b"])("of hosts is refused: %j", (text) => {
    expect(problemsOf({ env: { BETTER_CCFLARE_ALLOWED_HOSTS: text } })).toMatchObject([
      { key: "BETTER_CCFLARE_ALLOWED_HOSTS" },
    ]);
  });

  test.each([
    "*",
    "null",
    "https://A.example",
    "https://a.example/",
    "a.example",
    "https://a.example https://b.example",
  ])("of origins is refused: %j", (text) =>
    expect(problemsOf({ env: { ALLOWED_ORIGINS: text } })).toMatchObject([{ key: "ALLOWED_ORIGINS" }]),
  );

  test.each(["10.0.0.1/8", "2001:db8::1/64", "10.0.0.0/33", "localhost", "fe80::1%eth0", "", "10.0.0.0/8,"])(
    "T-26.21 of ranges is refused: %j",
    (text) => {
      for (const key of [
        "BETTER_CCFLARE_TRUSTED_PROXIES",
        "BETTER_CCFLARE_ALLOW_FROM",
        "BETTER_CCFLARE_ADMIN_ALLOW_FROM",
        "BETTER_CCFLARE_ADMIN_ON_NETWORK",
      ]) {
        expect(problemsOf({ env: { [key]: text } })).toMatchObject([{ key }]);
      }
    },
  );

  test.each(["0.0.0.0/0", "::/0", "10.0.0.0/8,::/0", "::ffff:0:0/96"])(
    "T-26.21 of trusted proxies is refused, because everybody would be one: %s",
    (text) => {
      expect(problemsOf({ env: { BETTER_CCFLARE_TRUSTED_PROXIES: text } })).toMatchObject([
        { key: "BETTER_CCFLARE_TRUSTED_PROXIES", fix: expect.stringContaining("none that holds every address") },
      ]);
    },
  );

  test("in the file is an array, and is shown as text", () => {
    const { config } = loaded({
      files: { [DEFAULT_FILE]: '[server]\nallowedOrigins = ["https://a.example", "app://b"]' },
    });
    expect(settingOf(config, "server.allowedOrigins")).toBe("https://a.example,app://b");
    expect(settingOf(config, "server.allowedHosts")).toBe("none");
  });
});

describe("what is only noticed", () => {
  test("CLIENT_ID is the client id of logins", () => {
    const { config, warnings } = loaded({ env: { CLIENT_ID: "x" } });
    expect({ clientId: config.oauth.clientId, warnings }).toEqual({ clientId: "x", warnings: [] });
  });

  test("private upstreams are warned of", () => {
    expect(loaded({ env: { BETTER_CCFLARE_ALLOW_PRIVATE_UPSTREAMS: "1" } }).warnings).toHaveLength(1);
  });

  test("an Anthropic key leaves a boolean and nothing else", () => {
    const result = loaded({ env: { ANTHROPIC_API_KEY: "sk-ant-api03-canary" } });
    expect(result.config.hasAnthropicApiKey).toBe(true);
    expect(JSON.stringify(result)).not.toContain("canary");
  });
});

describe("the description", () => {
  test("holds every setting and no secret", () => {
    const { config, secrets } = loaded({ env: { BETTER_CCFLARE_ENCRYPTION_KEY: GOOD_KEY, PORT: "9" } });
    const description = describeConfig(config, secrets);
    expect(Object.keys(description.settings)).toHaveLength(placedSettings().length);
    expect(description.secrets.encryptionKey).toBe("given");
    const print = renderDescription(description);
    expect(print).toContain("* port = 9");
    expect(print).toContain("[deadlines]");
    expect(print + JSON.stringify(description)).not.toContain(GOOD_KEY);
  });
});
