import { LOG_LEVELS } from "../kernel/log-level.ts";
import { integer, oneOf, type Setting, switchable, text } from "./setting.ts";

export const NO_LOG_FILE = "none";
export const NO_SINK = "none";
const LOG_FORMATS = ["pretty", "json"] as const;

export const MAX_BYTES = 17_179_869_184;

/** What is written down for people, and where it goes. */
export const LOG_SETTINGS = {
  debug: switchable({
    env: "BETTER_CCFLARE_DEBUG",
    flag: "debug",
    fallback: false,
    help: "sets the log level to debug where none is given",
  }),
  level: oneOf({
    env: "LOG_LEVEL",
    flag: "logLevel",
    words: LOG_LEVELS,
    fallback: "info",
    help: "least level printed",
  }),
  format: oneOf({
    env: "LOG_FORMAT",
    flag: "logFormat",
    words: LOG_FORMATS,
    fallback: "pretty",
    help: "pretty for people, json for collectors",
  }),
  file: text({
    env: "LOG_FILE",
    fallback: NO_LOG_FILE,
    pattern: /^[^\0\r\n]{1,1024}$/u,
    shape: "a path, or none",
    help: "a file for the log, beside stderr; a name without / lies in the data directory",
  }),
  fileMaxBytes: integer({
    min: 65_536,
    max: MAX_BYTES,
    fallback: 52_428_800,
    help: "the log file is put away (.1.gz) before it grows beyond",
  }),
  files: integer({ min: 1, max: 1000, fallback: 10, help: "log files kept that were put away" }),
  maxAgeDays: integer({ min: 1, max: 3650, fallback: 14, help: "no line of a log file is kept longer" }),
} as const satisfies Record<string, Setting<unknown>>;

export const AUDIT_SETTINGS = {
  retentionDays: integer({
    min: 1,
    max: 36_500,
    fallback: 400,
    help: "entries of the audit log are kept for so long, then removed once a day",
  }),
  syslog: text({
    fallback: NO_SINK,
    pattern: /^(none|(udp|tcp|tls):\/\/[^\s/@]{1,260}|unix:\/\/\/[^\0\r\n]{1,100})$/u,
    shape: "udp://HOST:PORT, tcp://HOST:PORT, tls://HOST:PORT, unix:///PATH or none",
    help: "a syslog server that gets a copy of every audit entry",
  }),
  webhookUrl: text({
    fallback: NO_SINK,
    pattern: /^[\x21-\x7e]{1,2048}$/u,
    shape: "an https URL without user name, query and fragment, or none",
    help: "gets copies of every audit entry, signed with the secret in BETTER_CCFLARE_AUDIT_WEBHOOK_SECRET_FILE",
  }),
  whenSinkBlocked: oneOf({
    words: ["read-only", "continue"],
    fallback: "read-only",
    help: "what changes do while a sink has taken nothing for 24 h; requests of clients go on",
  }),
} as const satisfies Record<string, Setting<unknown>>;
