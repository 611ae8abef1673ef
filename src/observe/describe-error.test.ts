import { describe, expect, test } from "bun:test";
import { describeError, escapeUnprintable } from "./describe-error.ts";

describe("escaping", () => {
  test.each([
    ["a\nb\r\tc", "a\\nb\\r\\tc"],
    ["\u001b[31mred", "\\u001b[31mred"],
    ["user\u202etxt.exe", "user\\u202etxt.exe"],
    ["\u0000\u007f\u009b\u2028", "\\u0000\\u007f\\u009b\\u2028"],
    ["déjà vu 漢字 🎉", "déjà vu 漢字 🎉"],
  ])("prints %j as %j", (text, expected) => expect(escapeUnprintable(text)).toBe(expected));
});

describe("an error", () => {
  test("is told with its causes, without stack and properties", () => {
    const inner = Object.assign(new TypeError("refused"), { headers: "canary" });
    expect(describeError(new Error("Cannot send", { cause: inner }))).toBe(
      "Error: Cannot send, because of TypeError: refused",
    );
  });

  test.each([
    [undefined, "unknown error"],
    ["text", "thrown string"],
    [{ secret: "canary" }, "thrown object"],
  ])("that is no Error tells only its type: %p", (thrown, expected) => expect(describeError(thrown)).toBe(expected));

  test("T-23.03 that adds others up tells the first three", () => {
    const errors = ["one", "two", "three", "four"].map((word) => Object.assign(new Error(word), { config: "canary" }));
    expect(describeError(new AggregateError(errors, "all failed", { cause: new Error("inner") }))).toBe(
      "AggregateError: all failed (4 errors: Error: one; Error: two; Error: three), because of Error: inner",
    );
  });

  test("that causes itself ends", () => {
    const loop = new Error("round");
    loop.cause = loop;
    expect(describeError(loop).length).toBeLessThan(200);
  });
});
