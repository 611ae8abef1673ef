import { expect, test } from "bun:test";
import { account } from "../test/playbook/stage.ts";
import type { AccountReport } from "./control/accounts.ts";
import type { ClientKeyReport, KeyService } from "./control/keys.ts";
import { clientKeyId } from "./domain/access/client-key-id.ts";
import { OPEN_GRANT } from "./domain/access/key-grant.ts";
import { NO_LIMITS } from "./domain/access/key-limits.ts";
import { ok } from "./kernel/result.ts";
import { epochMs } from "./kernel/time.ts";
import { welcome } from "./welcome.ts";

const ACCOUNT: AccountReport = {
  account: account("a"),
  condition: { state: "ready", reason: null, cause: null, untilMs: null, windows: [] },
};
const KEY: ClientKeyReport = {
  state: "active",
  record: {
    id: clientKeyId("k1"),
    name: "laptop",
    hmac: new Uint8Array(0),
    pepperVersion: 1,
    ownerId: null,
    access: { grant: OPEN_GRANT, limits: NO_LIMITS, meterId: clientKeyId("k1") },
    rotatedTo: null,
    seal: null,
    createdAtMs: epochMs(0),
    revokedAtMs: null,
    expiresAtMs: null,
    lastUsedAtMs: null,
  },
};

type Start = {
  readonly accounts?: AccountReport[];
  readonly keys?: ClientKeyReport[];
  readonly hasKeyInEnv?: boolean;
  /** Absent: there is an owner. */
  readonly setup?: "fresh" | "shown";
};

async function printed(options: Start) {
  const created: string[] = [];
  const keys: Pick<KeyService, "list" | "create"> = {
    list: () => Promise.resolve(options.keys ?? []),
    create({ name }) {
      created.push(name);
      return Promise.resolve(ok({ id: clientKeyId("k1"), name, disclose: () => "the-first-key" }));
    },
  };
  const isShown = options.setup === "shown";
  const minted = { expiresAtMs: epochMs(0), disclose: () => "bccf_st_once" };
  const text = await welcome({
    setup: {
      isDone: () => options.setup === undefined,
      mint: () => Promise.resolve(isShown ? null : minted),
    },
    url: "http://127.0.0.1:8080",
    accounts: { list: () => options.accounts ?? [] },
    keys,
    config: { hasAnthropicApiKey: options.hasKeyInEnv ?? false },
  });
  return { text, created };
}

test("a first start prints the two lines for Claude Code, and how to add an account", async () => {
  const { text, created } = await printed({});
  expect(created).toEqual(["default"]);
  expect(text).toContain("listens on http://127.0.0.1:8080\n");
  expect(text).toContain("export ANTHROPIC_BASE_URL=http://127.0.0.1:8080\n");
  expect(text).toContain("export ANTHROPIC_AUTH_TOKEN=the-first-key\n");
  expect(text).toContain("account add main --key-stdin");
});

test("a key in the environment is offered, not read", async () => {
  const { text } = await printed({ hasKeyInEnv: true });
  expect(text).toContain('printf %s "$ANTHROPIC_API_KEY" |');
});

test("a later start says where it listens, and nothing else", async () => {
  const { text, created } = await printed({ accounts: [ACCOUNT], keys: [KEY] });
  expect(created).toEqual([]);
  expect(text).toBe("better-ccflare listens on http://127.0.0.1:8080\n");
});

test("until there is an owner, a start prints the setup secret and the command that uses it", async () => {
  const { text } = await printed({ accounts: [ACCOUNT], keys: [KEY], setup: "fresh" });
  expect(text).toContain("\n  bccf_st_once\n");
  expect(text).toContain("POST http://127.0.0.1:8080/auth/setup");
  expect(text).toContain("npm run -s cli -- setup --name NAME");
});

test("a setup secret that was shown already is not shown again", async () => {
  const { text } = await printed({ accounts: [ACCOUNT], keys: [KEY], setup: "shown" });
  expect(text).not.toContain("bccf_st_");
  expect(text).toContain("npm run -s cli -- setup --name NAME");
});
