import { expect, test } from "bun:test";
import { Secret } from "../kernel/secret.ts";
import { createLiveSecrets } from "../keyring/live-secrets.ts";
import { createLog, type LogFields } from "./log.ts";
import { createRedactor } from "./redactor.ts";

// Every way in which a caller could hand a secret to the log, at every level, in both formats.

/** 60 secrets: some look like a credential, some like nothing at all. */
const CANARIES: readonly string[] = Array.from({ length: 60 }, (_, at) => {
  const random = Buffer.from(new Bun.CryptoHasher("sha256").update(`canary ${at}`).digest()).toString("base64url");
  const shapes = [
    ["sk", "ant", "api03", random].join("-"),
    ["bccf", "sk", random].join("_"),
    ["eyJhbGciOiJIUzI1NiJ9", random, random].join("."),
    random,
    `pass ${random.slice(0, 20)} "quoted" \\ phrase`,
    Buffer.from(random).toString("hex"),
  ];
  return shapes[at % shapes.length] ?? random;
});

const spellings = (secret: string): readonly string[] => [
  secret,
  Buffer.from(secret).toString("base64").replace(/=+$/u, ""),
  Buffer.from(`u:${secret}`).toString("base64").slice(4, -8),
  Buffer.from(secret).toString("hex"),
  encodeURIComponent(secret),
  JSON.stringify(secret).slice(1, -1),
];

class DumpedError extends Error {
  readonly config: object;
  constructor(secret: string) {
    super(`Request failed with Authorization: Bearer ${secret}`);
    this.config = { headers: { Authorization: secret }, url: `https://user:${secret}@host/?key=${secret}` };
  }
}

const asFields = (fields: object): LogFields => ({ ...fields });

/** Each gives a message and fields that hold `secret`. */
const SHAPES: readonly ((secret: string) => readonly [message: string, fields: LogFields])[] = [
  (secret) => [`said ${secret}`, {}],
  ...spellings("").map(
    (_, at) => (secret: string) => ["spelled", { detail: `x=${spellings(secret)[at]}; y` }] as const,
  ),
  (secret) => [
    "field",
    { account: secret, model: secret, reason: secret, host: secret, path: `/v1/${secret}?q=${secret}` },
  ],
  (secret) => ["error", { error: new Error(secret, { cause: new TypeError("inner", { cause: new Error(secret) }) }) }],
  (secret) => ["aggregate", { error: new AggregateError([new Error(secret), { secret }, secret], `all: ${secret}`) }],
  (secret) => ["dump", { error: new DumpedError(secret) }],
  (secret) => ["named", { error: Object.assign(new Error("x"), { name: secret, stack: secret, code: secret }) }],
  (secret) => ["thrown", { error: secret }],
  (secret) => ["thrown object", { error: { [secret]: secret } }],
  (secret) => ["unknown fields", asFields({ [secret]: 1, headers: { [secret]: secret }, body: secret })],
  (secret) => ["objects in fields", asFields({ detail: { toString: () => secret }, file: [secret], status: [secret] })],
  (secret) => ["buffer", asFields({ detail: Buffer.from(secret), cause: new Uint8Array(Buffer.from(secret)) })],
  (secret) => ["wrapped", asFields({ detail: new Secret("canary", secret) })],
  (secret) => ["upstream said", { detail: `{"type":"error","error":{"message":"invalid x-api-key: ${secret}"}}` }],
  (secret) => ["long", { detail: `${"x".repeat(995)}${secret}${"y".repeat(500)}` }],
  (secret) => ["lines", { detail: `a\r\n${secret}\u001b[31m\u202e${secret}` }],
];

test.each(["json", "pretty"] as const)(
  "T-23.01 T-23.03 T-23.04 no shape of call puts a secret into a %s line",
  (format) => {
    const live = createLiveSecrets();
    for (const canary of CANARIES) live.add(new Secret("canary", canary));
    let out = "";
    const log = createLog({
      level: "trace",
      format,
      write: (line) => {
        out += line;
      },
      redactor: createRedactor({ find: live.find }),
    });
    for (const canary of CANARIES) {
      for (const shape of SHAPES) {
        const [message, fields] = shape(canary);
        for (const level of ["debug", "info", "warn", "error", "fatal"] as const) log[level](message, fields);
      }
      for (let cut = 1; cut < canary.length; cut += 1) {
        log.info("first half", { detail: canary.slice(0, cut) });
        log.info("second half", { detail: canary.slice(cut) });
      }
    }
    const lines = out.split("\n").slice(0, -1);
    const calls = CANARIES.reduce((sum, canary) => sum + SHAPES.length * 5 + 2 * (canary.length - 1), 0);
    expect(lines).toHaveLength(calls);
    const hits = CANARIES.flatMap((canary) => spellings(canary).filter((spelling) => out.includes(spelling)));
    expect(hits).toEqual([]);
    // Of a secret that was cut in two, no half goes out of which more than 15 characters had come before or with it.
    const tails = CANARIES.filter((canary) => out.includes(canary.slice(16)));
    expect(tails).toEqual([]);
    // It was looked for: what surrounds the secrets is there.
    for (const [word] of SHAPES.map((shape) => shape("x"))) expect(out).toContain(word.split(" ")[0] ?? "");
    expect(out).toContain("[redacted:");
  },
);

test("T-23.09 whatever a text holds, it stays one line that does nothing but print", () => {
  const lines: string[] = [];
  const log = createLog({ level: "info", format: "pretty", write: (line) => lines.push(line) });
  const hostile = 'x\n{"level":"fatal","message":"forged"}\r\n\u001b[2J\u009b31m\u202e\u2066\u2028\u0000\u007f\ufeff';
  log.info(hostile, { detail: hostile, path: hostile, model: hostile, error: new Error(hostile) });
  expect(lines).toHaveLength(1);
  const [line = ""] = lines;
  expect(line.indexOf("\n")).toBe(line.length - 1);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  expect(line.slice(0, -1)).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u2028\u202e\u2066\ufeff]/u);
});

test.each(["/v1/messages?beta=canary", "/v1/messages#canary", "/v1/m?a=1?canary\ncanary"])(
  "T-23.13 a path has no query: %j",
  (path) => {
    const lines: string[] = [];
    createLog({ level: "info", format: "json", write: (line) => lines.push(line) }).info("Request settled", { path });
    expect(lines.join("")).not.toContain("canary");
    expect(lines.join("")).toContain('"path":"/v1/m');
  },
);

test("T-23.14 a level that is changed holds for the next line", () => {
  const lines: string[] = [];
  const log = createLog({ level: "info", format: "json", write: (line) => lines.push(line) });
  log.debug("one");
  log.setLevel("debug");
  log.debug("two");
  log.setLevel("error");
  log.warn("three");
  expect(lines.map((line) => JSON.parse(line).message)).toEqual(["two"]);
  expect([log.level(), log.isEnabled("warn")]).toEqual(["error", false]);
});
