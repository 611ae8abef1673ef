const COLUMN = 5;

/** One JSON line of the log as a person reads it: `12:00:01.250 INFO  message  name=value`. */
export function prettyLine(json: string): string {
  const parsed: unknown = JSON.parse(json);
  const { time, level, message, ...fields } = { ...(typeof parsed === "object" ? parsed : {}) } as Record<
    string,
    unknown
  >;
  const clock = String(time).slice("2026-11-23T".length, "2026-11-23T12:00:01.250".length);
  const values = Object.entries(fields).map(([name, value]) => `${name}=${printValue(value)}`);
  return `${[`${clock} ${String(level).toUpperCase().padEnd(COLUMN)} ${String(message)}`, ...values].join("  ")}\n`;
}

function printValue(value: unknown): string {
  return typeof value === "string" && /[\s="]/u.test(value) ? JSON.stringify(value) : String(value);
}
