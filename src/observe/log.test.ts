import { describe, expect, test } from "bun:test";
import type { LogLevel } from "../kernel/log-level.ts";
import { Secret } from "../kernel/secret.ts";
import type { LogFields, LogOptions } from "./log.ts";
import { createLog } from "./log.ts";

const KEY = ["sk", "ant", "api03", "AbCdEf0123456789"].join("-");

function capture(options: Partial<LogOptions> = {}) {
  const lines: string[] = [];
  const log = createLog({ level: "info", format: "json", write: (line) => lines.push(line), ...options });
  return { log, lines, first: () => JSON.parse(lines[0] ?? "{}") };
}

describe("a JSON line", () => {
  test("has time, level, message and the fields, and nothing of the machine", () => {
    const { log, first } = capture();
    log.info("Listening", { host: "127.0.0.1", port: 8080, model: null, account: undefined });
    const { time, ...rest } = first();
    expect(time).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    expect(rest).toEqual({ level: "info", message: "Listening", host: "127.0.0.1", port: 8080, model: null });
  });

  test("drops a field that is not on the list, however it came", () => {
    const { log, lines } = capture();
    const fields = { status: 200, headers: { authorization: "canary" }, body: "canary", level: "fatal" };
    log.info("Hello", fields as LogFields);
    expect(lines.join("")).not.toContain("canary");
    expect(lines.join("")).toContain('"level":"info"');
  });

  test("prints a Secret as its label", () => {
    const { log, first } = capture();
    const fields: object = { detail: new Secret("key", "canary") };
    log.info("Hello", fields);
    expect(first().detail).toBe("[secret key]");
  });

  test("is one line whatever it is given", () => {
    const { log, lines, first } = capture();
    log.warn("a\nb", { detail: "c\r\nd\u001b[2J\u202e" });
    expect(lines).toHaveLength(1);
    expect(lines[0]?.indexOf("\n")).toBe((lines[0]?.length ?? 0) - 1);
    expect(first()).toMatchObject({ message: "a\\nb", detail: "c\\r\\nd\\u001b[2J\\u202e" });
  });

  test("cuts a long text after redacting it", () => {
    const { log, first, lines } = capture();
    log.info("Hello", { detail: `${"x".repeat(990)} ${KEY}` });
    expect(first().detail).toHaveLength(1_003);
    expect(lines.join("")).not.toContain("sk-ant");
  });
});

describe.each(["json", "pretty"] as const)("in %s", (format) => {
  test("no credential is printed from message, field or error", () => {
    const { log, lines } = capture({ format });
    log.error(`said ${KEY}`, {
      detail: `Bearer ${KEY}`,
      error: new Error("outer", { cause: new Error(`bccf_${KEY}`) }),
    });
    expect(lines.join("")).not.toContain("AbCdEf");
    expect(lines.join("")).toContain("[redacted:");
  });
});

test("a pretty line is what a person reads first", () => {
  const { log, lines } = capture({ format: "pretty" });
  log.info("Request settled", { status: 200, reason: "two words" });
  expect(lines[0]).toMatch(/^\d\d:\d\d:\d\d\.\d{3} INFO {2}Request settled {2}status=200 {2}reason="two words"\n$/);
});

describe("levels", () => {
  test.each([
    ["debug", ["debug", "info", "warn", "error", "fatal"]],
    ["warn", ["warn", "error", "fatal"]],
    ["fatal", ["fatal"]],
  ] as const)("%s lets through %p", (level, expected) => {
    const { log, lines } = capture({ level });
    for (const name of ["debug", "info", "warn", "error", "fatal"] as const) log[name]("Hello");
    expect(lines.map((line) => JSON.parse(line).level)).toEqual([...expected]);
    const asked: LogLevel = "info";
    expect(log.isEnabled(asked)).toBe(level === "debug");
  });
});

test("a line that cannot be written is dropped and counted", () => {
  const { log } = capture({
    write: () => {
      throw new Error("ENOSPC");
    },
  });
  log.info("Hello");
  log.info("Hello");
  expect(log.droppedLines).toBe(2);
});
