import { expect, test } from "bun:test";
import { ok } from "../kernel/result.ts";
import { loadConfig } from "./load-config.ts";

const SECRET_ENV = "BETTER_CCFLARE_AUDIT_WEBHOOK_SECRET_FILE";
const URL_LINE = '[audit]\nwebhookUrl = "https://audit.example/in"';

function load(file: string, secret: string | null) {
  const fileOf = (text: string) => ok({ text, mode: 0o600, isOurs: true });
  const env = { HOME: "/h", BUN_CONFIG_MAX_HTTP_REQUESTS: "65535", BETTER_CCFLARE_CONFIG_PATH: "/c.toml" };
  return loadConfig({
    flags: {},
    env: secret === null ? env : { ...env, [SECRET_ENV]: "/s" },
    readFile: (path) => fileOf(path === "/c.toml" ? file : (secret ?? "")),
  });
}

test("a webhook has an address and a secret", () => {
  const loaded = load(URL_LINE, "0123456789abcdef0123456789abcdef\n");
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.error));
  expect(loaded.value.config.audit.webhookUrl).toBe("https://audit.example/in");
  expect(String(loaded.value.secrets.auditWebhook)).toBe("[secret webhook secret]");
});

test.each([
  ["an address alone", URL_LINE, null, "audit.webhookUrl", "no secret to sign with"],
  ["a secret alone", "", "0123456789abcdef0123456789abcdef", SECRET_ENV, "no audit.webhookUrl"],
  ["a short secret", URL_LINE, "short", SECRET_ENV, "fewer than 32 characters"],
])("%s is refused", (_, file, secret, key, reason) => {
  const loaded = load(file, secret);
  expect(loaded).toMatchObject({ ok: false, error: [{ key, reason: expect.stringContaining(reason) }] });
});
