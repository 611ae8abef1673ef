import pino from "pino";
import type { LogLevel } from "../kernel/log-level.ts";
import { describeError, escapeUnprintable } from "./describe-error.ts";
import { prettyLine } from "./pretty-line.ts";
import { createRedactor, type Redactor } from "./redactor.ts";

/** All that a line may carry. Bodies, headers and queries are no fields, so they cannot be logged. */
export type LogFields = {
  readonly requestId?: string | undefined;
  readonly upstreamRequestId?: string | null | undefined;
  readonly method?: string | undefined;
  /** Without the query. */
  readonly path?: string | undefined;
  readonly account?: string | null | undefined;
  /** The public id of a client key. */
  readonly clientKey?: string | undefined;
  readonly model?: string | null | undefined;
  readonly status?: number | null | undefined;
  readonly outcome?: string | undefined;
  /** A stable word, never free text. */
  readonly reason?: string | undefined;
  /** Which header or status decided; names of headers, never their values. */
  readonly cause?: string | undefined;
  readonly action?: string | undefined;
  readonly why?: string | undefined;
  readonly attempts?: number | undefined;
  readonly count?: number | undefined;
  readonly bytes?: number | undefined;
  readonly queueMs?: number | undefined;
  readonly firstByteMs?: number | null | undefined;
  readonly totalMs?: number | undefined;
  /** RFC 3339. */
  readonly until?: string | undefined;
  readonly host?: string | undefined;
  readonly port?: number | undefined;
  readonly file?: string | undefined;
  readonly version?: string | undefined;
  readonly signal?: string | undefined;
  readonly detail?: string | undefined;
  /** Printed as names and messages, without stack. */
  readonly error?: unknown;
};

type FieldName = keyof LogFields;

const FIELD_NAMES = new Set<string>([
  "requestId",
  "upstreamRequestId",
  "method",
  "path",
  "account",
  "clientKey",
  "model",
  "status",
  "outcome",
  "reason",
  "cause",
  "action",
  "why",
  "attempts",
  "count",
  "bytes",
  "queueMs",
  "firstByteMs",
  "totalMs",
  "until",
  "host",
  "port",
  "file",
  "version",
  "signal",
  "detail",
  "error",
] satisfies FieldName[]);

/** A message is a sentence of ours without values; values are fields. Never throws. */
export interface Log {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
  fatal(message: string, fields?: LogFields): void;
  /** For callers that would compute a field in vain. */
  isEnabled(level: LogLevel): boolean;
  /** Lines lost since the start. */
  readonly droppedLines: number;
}

/** The level changes at once, for every line after. */
export type AdjustableLog = Log & { level(): LogLevel; setLevel(level: LogLevel): void };

export type LogOptions = {
  readonly level: LogLevel;
  readonly format: "pretty" | "json";
  /** Takes one line with its line break, synchronously. If it throws (disk full, pipe closed) the line is dropped. */
  readonly write: (line: string) => void;
  /** Lines that were taken by `write` and lost behind it. Default: none. */
  readonly lostLines?: () => number;
  /** Default: one that knows credentials by their form alone. */
  readonly redactor?: Redactor;
};

const MAX_TEXT_CHARACTERS = 1_000;

export function createLog(options: LogOptions): AdjustableLog {
  const { level, format, write, lostLines = () => 0, redactor = createRedactor() } = options;
  let droppedLines = 0;
  let current = level;
  const put = (line: string): void => {
    try {
      write(format === "pretty" ? prettyLine(line) : line);
    } catch {
      // A log that cannot be written must not stop the gateway; the metric shows the loss.
      droppedLines += 1;
    }
  };
  const logger = pino(
    {
      level,
      base: null,
      messageKey: "message",
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    { write: put },
  );
  const say =
    (at: Exclude<LogLevel, "trace">) =>
    (message: string, fields: LogFields = {}): void => {
      if (logger.isLevelEnabled(at)) logger[at](allowed(fields, redactor), clean(redactor, "message", message));
    };
  return {
    debug: say("debug"),
    info: say("info"),
    warn: say("warn"),
    error: say("error"),
    fatal: say("fatal"),
    isEnabled: (at) => logger.isLevelEnabled(at),
    get droppedLines() {
      return droppedLines + lostLines();
    },
    level: () => current,
    setLevel(next) {
      current = next;
      logger.level = next;
    },
  };
}

/** The compiler keeps strange fields out of literals; this keeps them out of whatever else is passed. */
function allowed(fields: LogFields, redactor: Redactor): Record<string, string | number | boolean | null> {
  const record: Record<string, string | number | boolean | null> = {};
  for (const [name, value] of Object.entries(fields)) {
    if (!FIELD_NAMES.has(name) || value === undefined) continue;
    if (name === "error") record[name] = clean(redactor, name, describeError(value));
    else if (typeof value === "number" || typeof value === "boolean" || value === null) record[name] = value;
    // The query may hold anything, and never belongs to a line.
    else if (name === "path") record[name] = clean(redactor, name, String(value).replace(/[?#].*$/su, ""));
    // String() and not JSON: a Secret prints as its label.
    else record[name] = clean(redactor, name, String(value));
  }
  return record;
}

function clean(redactor: Redactor, field: string, text: string): string {
  // Redacted before it is cut: half a credential would not be recognised.
  const redacted = escapeUnprintable(redactor.next(field, text));
  return redacted.length > MAX_TEXT_CHARACTERS ? `${redacted.slice(0, MAX_TEXT_CHARACTERS)}...` : redacted;
}
