import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { Secret } from "../kernel/secret.ts";
import { createLiveSecrets } from "../keyring/live-secrets.ts";
import { createRedactor } from "./redactor.ts";

const { redact } = createRedactor();

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
    ["a code in a query", "GET /callback?code=canary-value&x=1", "canary-value"],
    ["the state of a login", "/callback?x=1&state=canary-value", "canary-value"],
    ["all of a cookie line", "cookie: a=1; session=canary-value", "canary-value"],
    ["a key as base64", Buffer.from(`x${KEY}`).toString("base64"), "cGkwMy1BYkNk"],
    ["a key as hex", Buffer.from(KEY).toString("hex"), Buffer.from("AbCdEf").toString("hex")],
    ["a percent-encoded key", KEY.replaceAll("-", "%2D"), "AbCdEf0123456789"],
  ])("replaces %s whole", (_, text, secret) => {
    expect(redact(text)).not.toContain(secret);
  });

  test.each([
    "Cannot reach https://api.anthropic.com/v1/messages: connection refused",
    "account main rests until 2026-11-23T12:00:00.000Z",
    "input-tokens limit 40000, remaining 12, output tokens 5",
    "the bearer of this message",
    "state=ready code=ok, the key is main",
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

describe("a tag", () => {
  const key = new Uint8Array(32).fill(1);

  test("T-22.08 is the same for the same secret, and another under another salt", () => {
    const first = createRedactor({ key });
    const [tag] = first.redact(`said ${KEY}`).match(/\[redacted:[0-9a-f]{8}\]/) ?? [];
    expect(tag).toBeDefined();
    expect(createRedactor({ key }).redact(`x-api-key: ${KEY}`)).toContain(tag ?? "none");
    expect(createRedactor({ key: new Uint8Array(32).fill(2) }).redact(KEY)).not.toContain(tag ?? "none");
    expect(first.redact(`${KEY}z`)).not.toContain(tag ?? "none");
  });
});

describe("a secret of this process", () => {
  const text = "plain-Looking.value_0042/with+more";
  const live = createLiveSecrets();
  live.add(new Secret("test", text));
  const found = createRedactor({ find: live.find });
  const bytes = Buffer.from(text);

  test.each([
    ["as it is", text],
    ["as base64", bytes.toString("base64")],
    ["as base64 behind one byte", Buffer.from(`:${text}`).toString("base64")],
    ["as base64 behind two bytes", Buffer.from(`ab${text}`).toString("base64")],
    ["as base64url", Buffer.from(`ab${text}`).toString("base64url")],
    ["as hex", bytes.toString("hex")],
    ["as big hex", bytes.toString("hex").toUpperCase()],
    ["percent-encoded", encodeURIComponent(text)],
    ["inside JSON", JSON.stringify({ [text]: 1 })],
  ])("is replaced %s", (_, form) => {
    const clean = found.redact(`before ${form} after`);
    expect(clean).toMatch(/^before .*\[redacted:[0-9a-f]{8}\].* after$/);
    for (const part of [form.slice(8, 20), form.slice(-18, -6)]) expect(clean).not.toContain(part);
  });

  test("T-23.02 is replaced wherever it lies across two texts of one field", () => {
    for (let offset = -600; offset <= 600; offset += 1) {
      const padded = `${"x".repeat(600)}${text}${"y".repeat(600)}`;
      const cut = Math.max(0, 600 + offset);
      const twice = createRedactor({ find: live.find });
      const out = twice.next("detail", padded.slice(0, cut)) + twice.next("detail", padded.slice(cut));
      const longestLeft = Math.max(...[...Array(text.length + 1).keys()].filter((n) => out.includes(text.slice(0, n))));
      expect(out).not.toContain(text);
      // Fewer than 16 characters may have gone out before it could be known for a secret; the rest never does.
      expect(longestLeft).toBeLessThan(16);
      expect(out).not.toContain(text.slice(16, 28));
    }
  });

  test("T-23.01 is replaced when it comes in many pieces", () => {
    const pieces = createRedactor({ find: live.find });
    const out = [...`<${text}>`].map((piece) => pieces.next("detail", piece)).join("");
    expect(out).not.toContain(text.slice(16));
    expect(out).toEndWith(">");
  });

  test("is forgotten when there are too many, and never when it comes again", () => {
    const few = createLiveSecrets(2);
    const names = ["first-secret-0001", "second-secret-0002", "third-secret-0003"];
    for (const name of names) for (let time = 0; time < 3; time += 1) few.add(new Secret("test", name));
    expect(names.map((name) => few.find(name).length)).toEqual([0, 1, 1]);
    expect(few.longest()).toBeGreaterThan(20);
  });

  test("that is too short to tell from words is not looked for", () => {
    const few = createLiveSecrets();
    few.add(new Secret("test", "password"));
    expect(few.find("the password is wrong")).toEqual([]);
  });
});

test("T-23.05 a hundred thousand benign lines stay as they are", () => {
  const live = createLiveSecrets();
  for (let at = 0; at < 1_000; at += 1)
    live.add(new Secret("test", Buffer.from(`secret ${at * 7919}`).toString("base64")));
  const redactor = createRedactor({ find: live.find });
  const models = ["claude-sonnet-5-5", "claude-haiku-5", "claude-opus-5"];
  const words = [
    "Request settled",
    "An account rests",
    "Relaying an answer",
    "the key laptop is new",
    "tokens: 12",
    "token count 5",
  ];
  for (let at = 0; at < 100_000; at += 1) {
    const id = Bun.hash(String(at)).toString(16);
    const line = `${words[at % words.length]} req_${id} ${models[at % 3]} /v1/messages status=${at % 600} until 2026-11-24T00:00:00Z key-${at} at 10.0.${at % 256}.1:443`;
    if (redactor.next("message", line) !== line) throw new Error(`changed: ${line}`);
  }
});
