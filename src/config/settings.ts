import { DEFAULT_STRATEGY, STRATEGIES } from "../domain/selection/strategy-name.ts";
import { AUDIT_SETTINGS, LOG_SETTINGS, MAX_BYTES } from "./log-settings.ts";
import type { Setting } from "./setting.ts";
import { decimal, integer, list, networks, oneOf, span, switchable, text } from "./setting.ts";
import { TLS_SETTINGS, UPSTREAM_SETTINGS } from "./tls-settings.ts";

/** Read before the table is: the config file lies in the data directory. */
export const DATA_DIR_ENV = "BETTER_CCFLARE_DATA_DIR";
export const DEFAULT_DATA_DIR = "~/.better-ccflare";

const ABSOLUTE_OR_NONE = /^(?:none|\/[^\0\r\n]{1,1024})$/u;

/**
 * Every setting of this version, by section and name as the file spells them (`[deadlines] idleMs = 120000`).
 * The order is the order of `config check`.
 */
export const SETTINGS = {
  server: {
    host: text({
      env: "BETTER_CCFLARE_HOST",
      flag: "host",
      fallback: "127.0.0.1",
      pattern: /^[0-9A-Za-z.:_-]{1,253}$/u,
      shape: "an IP address or a host name",
      help: "address to listen on",
    }),
    port: integer({ env: "PORT", flag: "port", min: 0, max: 65_535, fallback: 8080, help: "0 takes any free port" }),
    tlsTerminatedByProxy: switchable({
      fallback: false,
      help: "allows a host that is not loopback: a reverse proxy in front speaks TLS, and nothing else can reach the port",
    }),
    adminOnNetwork: switchable({
      env: "BETTER_CCFLARE_ADMIN_ON_NETWORK",
      fallback: false,
      help: "serves /api and /auth where host is not loopback, too; there must be an owner with a second factor",
    }),
    allowedHosts: list({
      env: "BETTER_CCFLARE_ALLOWED_HOSTS",
      pattern: /^(?:\[[0-9A-Fa-f:.]{2,45}\]|[0-9A-Za-z._-]{1,253})(?::[0-9]{1,5})?$/u,
      shape: "a list of host names or addresses, each with its port unless it is 80 or 443",
      help: "values of Host that clients may send, beside localhost, 127.0.0.1, [::1] and the host, each with the port",
    }),
    allowedOrigins: list({
      env: "ALLOWED_ORIGINS",
      pattern: /^[a-z][a-z0-9+.-]{0,30}:\/\/(?:\[[0-9a-f:.]{2,45}\]|[0-9a-z._-]{1,253})(?::[0-9]{1,5})?$/u,
      shape: "a list of origins in small letters, like https://app.example",
      help: "web pages that may call the gateway from a browser",
    }),
    trustedProxies: networks({
      env: "BETTER_CCFLARE_TRUSTED_PROXIES",
      isNarrow: true,
      help: "proxies in front whose X-Forwarded-For says who calls; from all others it is ignored",
    }),
    allowFrom: networks({
      env: "BETTER_CCFLARE_ALLOW_FROM",
      isNarrow: false,
      help: "addresses that may call, health probes included; none: all",
    }),
    adminAllowFrom: networks({
      env: "BETTER_CCFLARE_ADMIN_ALLOW_FROM",
      isNarrow: false,
      help: "addresses that may use the admin plane over the network, beside allowFrom; none: all",
    }),
  },
  tls: TLS_SETTINGS,
  storage: {
    dataDir: text({
      env: DATA_DIR_ENV,
      flag: "dataDir",
      fallback: DEFAULT_DATA_DIR,
      pattern: /^[^\0\r\n]{1,1024}$/u,
      shape: "a path",
      help: "database, spool, socket and master key live here",
    }),
  },
  vault: {
    masterKeySource: oneOf({
      env: "BETTER_CCFLARE_MASTER_KEY_SOURCE",
      words: ["file", "keychain", "pkcs11"],
      fallback: "file",
      help: "where the master key is kept, when neither an encryption key nor a passphrase is given",
    }),
    pkcs11Module: text({
      fallback: "none",
      pattern: ABSOLUTE_OR_NONE,
      shape: "an absolute path, or none",
      help: "the PKCS#11 library of the token's vendor, e.g. /usr/lib/softhsm/libsofthsm2.so",
    }),
    pkcs11Token: text({
      fallback: "none",
      pattern: /^[\x20-\x7e]{1,32}$/u,
      shape: "the label of the token, at most 32 characters, or none",
      help: "label of the token that keeps the master key",
    }),
    pkcs11PinFile: text({
      fallback: "none",
      pattern: ABSOLUTE_OR_NONE,
      shape: "an absolute path, or none",
      help: "file that holds the PIN of the token's user, readable by the gateway alone",
    }),
    pkcs11Key: text({
      fallback: "better-ccflare",
      pattern: /^[\x20-\x7e]{1,64}$/u,
      shape: "a label of 1 to 64 characters",
      help: "label of the master key in the token; the first start makes it when there is none",
    }),
  },
  log: LOG_SETTINGS,
  audit: AUDIT_SETTINGS,
  upstream: UPSTREAM_SETTINGS,
  selection: {
    strategy: oneOf({
      env: "LB_STRATEGY",
      words: STRATEGIES,
      fallback: DEFAULT_STRATEGY,
      help: "how an account is chosen; given here, it wins over `strategy set`",
    }),
    waitPriceUsdPerHour: decimal({
      min: 0,
      max: 100_000,
      fallback: 60,
      help: "what an hour of waiting is worth, against the price of moving a conversation",
    }),
    crossOrganization: oneOf({
      words: ["allow", "never"],
      fallback: "allow",
      help: "whether a conversation may move to another organization, which loses its cache and its thinking",
    }),
    maxConversations: integer({
      min: 1,
      max: 1_000_000,
      fallback: 100_000,
      help: "conversations whose home account is remembered",
    }),
    homeMs: span({
      env: "SESSION_DURATION_MS",
      min: 1000,
      fallback: 18_000_000,
      help: "how long an unused conversation keeps its home account",
    }),
  },
  oauth: {
    clientId: text({
      env: "CLIENT_ID",
      fallback: "none",
      pattern: /^[\x21-\x7e]{1,256}$/u,
      shape: "the client id that you registered with the provider, without spaces, or none",
      help: "the client id of account add --oauth where none is given",
    }),
    renewAtShare: decimal({
      min: 0.5,
      max: 0.95,
      fallback: 0.8,
      help: "share of an access token's life after which it is renewed; 5 min before its end at the latest",
    }),
  },
  retry: {
    attempts: integer({
      env: "RETRY_ATTEMPTS",
      min: 1,
      max: 10,
      fallback: 3,
      help: "upstream requests in total per client request",
    }),
    delayMs: span({ env: "RETRY_DELAY_MS", min: 0, fallback: 500, help: "wait before the first retry in place" }),
    backoff: decimal({ env: "RETRY_BACKOFF", min: 1, max: 10, fallback: 2, help: "factor from one wait to the next" }),
    budgetRatio: decimal({
      min: 0,
      max: 10,
      fallback: 0.1,
      help: "extra upstream requests over all, as a share of client requests",
    }),
  },
  deadlines: {
    connectMs: span({ fallback: 10_000, help: "name look-up, TCP and TLS to upstream" }),
    streamHeadersMs: span({ fallback: 60_000, help: "until upstream's headers, streamed request" }),
    headersMs: span({ fallback: 600_000, help: "until upstream's headers, other requests" }),
    idleMs: span({ fallback: 120_000, help: "longest silence between two reads from upstream" }),
    totalMs: span({ fallback: 600_000, help: "one upstream request, not streamed" }),
    streamTotalMs: span({ fallback: 3_600_000, help: "one upstream request, streamed" }),
    pingAfterMs: span({ fallback: 15_000, help: "silence after which a stream to the client gets a ping" }),
  },
  limits: {
    requestBodyBytes: integer({ min: 1024, max: MAX_BYTES, fallback: 33_554_432, help: "largest request body on /v1" }),
    inFlightBodyBytes: integer({
      min: 1024,
      max: MAX_BYTES,
      fallback: 536_870_912,
      help: "request bodies held at one time, all together",
    }),
    failedKeysPerMinute: integer({
      min: 1,
      max: 1_000_000,
      fallback: 20,
      help: "requests without a valid client key, from one address, that are told why",
    }),
    maxConnections: integer({ min: 1, max: 1_000_000, fallback: 20_000, help: "client connections at one time" }),
  },
  passthrough: {
    enabled: switchable({
      env: "BETTER_CCFLARE_PASSTHROUGH",
      fallback: false,
      help: "lets a client key with the scope passthrough bring its own provider key",
    }),
    baseUrl: text({
      fallback: "https://api.anthropic.com",
      pattern: /^https?:\/\/[\x21-\x7e]{1,2000}$/u,
      shape: "a base URL like https://api.anthropic.com",
      help: "where requests with a provider key of their own go",
    }),
  },
  queue: {
    maxWaitMs: span({ min: 0, fallback: 20_000, help: "longest wait for an account" }),
    maxWaiting: integer({ min: 0, max: 100_000, fallback: 1000, help: "requests that may wait at one time" }),
  },
  shutdown: {
    drainMs: span({
      env: "BETTER_CCFLARE_DRAIN_MS",
      min: 0,
      fallback: 120_000,
      help: "time that running requests get to finish",
    }),
  },
} as const satisfies Record<string, Record<string, Setting<unknown>>>;

type Table = typeof SETTINGS;
type ValueOf<Row> = Row extends Setting<infer Value> ? Value : never;

/** What the table yields, section by section. */
export type SettingValues = {
  readonly [Section in keyof Table]: {
    readonly [Name in keyof Table[Section]]: ValueOf<Table[Section][Name]>;
  };
};

/** A row with its place, for loops over the whole table. */
export type PlacedSetting = { readonly section: string; readonly name: string; readonly setting: Setting<unknown> };

export function placedSettings(): readonly PlacedSetting[] {
  return Object.entries(SETTINGS).flatMap(([section, rows]) =>
    Object.entries(rows).map(([name, setting]: [string, Setting<unknown>]) => ({ section, name, setting })),
  );
}
