import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { describeError, escapeUnprintable, redact } from "./redact.ts";

// Pieces, so that no scanner takes this file for a leak.
const KEY = ["sk", "ant", "api03", "AbCdEf0123456789-_xyz"].join("-");
const CLIENT_KEY = ["bccf", "Ab12Cd34Ef", "zYxWvUtSrQpOnMlKjIhGf"].join("_");
const JWT = ["eyJhbGciOiJIUzI1NiJ9", "eyJzdWIiOiIxMjM0In0", "c2lnbmF0dXJl"].join(".");

describe("redaction", () => {
  test.each([
    ["a provider key", `said ${KEY}.`, KEY],
    ["a client key", `key=${CLIENT_KEY}`, CLIENT_KEY],
    ["a bearer", `Authorization: Bearer ${"a1b2c3d4e5f6"}`, "a1b2c3d4e5f6"],
    ["a bearer in lower case", "bearer abcdef.ghi/jkl==", "abcdef.ghi/jkl"],
    ["a JWT", `got ${JWT} back`, JWT],
    ["a private key", "-----BEGIN EC PRIVATE KEY-----\nMHcCAQ\n-----END EC PRIVATE KEY-----", "MHcCAQ"],
    ["half a private key", "-----BEGIN PRIVATE KEY-----\nMHcCAQ", "MHcCAQ"],
    ["a password in a URL", "postgres://user:hunter22@host/db", "hunter22"],
    ["a header in JSON", '{"x-api-key":"canary-value"}', "canary-value"],
    ["a form field", "refresh_token=canary-value&grant_type=x", "canary-value"],
    ["a password field", "password = canary-value", "canary-value"],
  ])("replaces %s whole", (_, text, secret) => {
    expect(redact(text)).not.toContain(secret);
  });

  test.each([
    "Cannot reach https://api.anthropic.com/v1/messages: connection refused",
    "account main rests until 2026-11-23T12:00:00.000Z",
    "input-tokens limit 40000, remaining 12, output tokens 5",
    "the bearer of this message",
  ])("leaves plain text alone: %s", (text) => expect(redact(text)).toBe(text));

  test("finds a credential wherever it stands", () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), (before, after) => {
        expect(redact(`${before} ${KEY} ${after}`)).not.toContain("AbCdEf0123456789");
        expect(redact(`${before} ${CLIENT_KEY} ${after}`)).not.toContain("zYxWvUtSrQpOnMlKjIhGf");
      }),
    );
  });

  test("takes linear time on hostile text", () => {
    const startMs = performance.now();
    for (const piece of ["-----BEGIN ", "://a:", "bearer ", "token=", "eyJ", "sk-ant-"]) redact(piece.repeat(20_000));
    expect(performance.now() - startMs).toBeLessThan(2_000);
  });
});

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

  test("that causes itself ends", () => {
    const loop = new Error("round");
    loop.cause = loop;
    expect(describeError(loop).length).toBeLessThan(200);
  });
});
