import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { CLIENT_KEY_RANDOM_BYTES, composeClientKey, parseClientKey } from "../src/domain/access/client-key.ts";

const page = readFileSync(join(import.meta.dir, "../docs/security/secret-scanning.md"), "utf8");
const GITLEAKS = /```toml\n([\s\S]*?)```/.exec(page)?.[1] ?? "";
const SECRETLINT = /```json\n([\s\S]*?)```/.exec(page)?.[1] ?? "";
const ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

type Rule = { readonly pattern: string; readonly keywords: readonly string[] };

/** As gitleaks reads it: a line without a keyword is not looked at. */
function gitleaksRule(): Rule {
  const parsed = Bun.TOML.parse(GITLEAKS);
  const rules: unknown = Reflect.get(parsed, "rules");
  const rule: unknown = Array.isArray(rules) ? rules[0] : null;
  if (typeof rule !== "object" || rule === null) throw new Error("Cannot read the rule: the page holds none");
  return { pattern: String(Reflect.get(rule, "regex")), keywords: Array.from(Reflect.get(rule, "keywords")) };
}

function secretlintRule(): Rule {
  const { pattern }: { pattern: string } = JSON.parse(SECRETLINT);
  return { pattern: pattern.replace(/^\/|\/$/g, ""), keywords: [""] };
}

function random(length: number, alphabet = ALPHABET): string {
  return Array.from(crypto.getRandomValues(new Uint32Array(length)), (value) => alphabet[value % alphabet.length]).join(
    "",
  );
}

/** What stands in repositories: ids, digests, other products' keys, and almost ours. */
const LOOK_ALIKES: readonly (() => string)[] = [
  () => random(67),
  () => random(64, "0123456789abcdef"),
  () => crypto.randomUUID(),
  () => Buffer.from(crypto.getRandomValues(new Uint8Array(60))).toString("base64"),
  () => `sk-ant-api03-${random(95)}`,
  () => `ghp_${random(36)}`,
  () => `bccf_sk_${random(58)}`,
  () => `bccf_sk_${random(60)}`,
  () => `bccf_xx_${random(59)}`,
  () => `abccf_sk_${random(59)}`,
];
const SETTINGS: readonly ((key: string) => string)[] = [
  (key) => `ANTHROPIC_AUTH_TOKEN=${key}`,
  (key) => `{"key": "${key}"}`,
  (key) => `  - name: TOKEN\n    value: '${key}'`,
  (key) => `curl -H "x-api-key: ${key}" localhost`,
  (key) => `https://x.example/?key=${key}&a=1`,
];

describe.each([
  ["gitleaks", gitleaksRule()],
  ["secretlint", secretlintRule()],
] as const)("%s", (_name, { pattern, keywords }) => {
  const found = (line: string): readonly string[] =>
    keywords.some((keyword) => line.includes(keyword)) ? (line.match(new RegExp(pattern, "g")) ?? []) : [];

  test("T-2.20 finds 50 keys among 5,000 random strings, and nothing else", () => {
    const types = ["sk", "ad", "st"] as const;
    const keys = Array.from({ length: 50 }, (_, at) =>
      composeClientKey(types[at % 3] ?? "sk", crypto.getRandomValues(new Uint8Array(CLIENT_KEY_RANDOM_BYTES))),
    );
    const noise = Array.from({ length: 5000 }, (_, at) => LOOK_ALIKES[at % LOOK_ALIKES.length]?.() ?? "");
    const lines = [...keys, ...noise].map((text, at) => SETTINGS[at % SETTINGS.length]?.(text) ?? text);
    const hits = lines.sort(() => Math.random() - 0.5).flatMap((line) => line.split("\n").flatMap(found));
    expect(hits.toSorted()).toEqual(keys.toSorted());
    expect(hits.every((hit) => parseClientKey(hit).ok)).toBe(true);
  });
});
