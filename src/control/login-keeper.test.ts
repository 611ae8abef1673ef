import { describe, expect, test } from "bun:test";
import { type Account, accountId } from "../domain/account/account.ts";
import { Secret } from "../kernel/secret.ts";
import { durationMs, epochMs } from "../kernel/time.ts";
import { createLoginKeeper } from "./login-keeper.ts";
import type { Refreshed } from "./login-refresher.ts";
import type { StoredLogin } from "./oauth-ports.ts";

const START = epochMs(1_000_000_000_000);
const HOUR = 3_600_000;
const BYTES = new Uint8Array(0);

function login(name: string, changes: Partial<StoredLogin> = {}): StoredLogin {
  return {
    accountId: accountId(name),
    client: { clientId: "c", authorizeUrl: "https://idp.example/a", tokenUrl: "https://idp.example/t", scopes: [] },
    generation: 1,
    state: "active",
    accessToken: BYTES,
    refreshToken: BYTES,
    issuedAtMs: START,
    expiresAtMs: epochMs(START + HOUR),
    ...changes,
  };
}

const LATER: Refreshed = {
  kind: "later",
  failure: { kind: "temporary", detail: "status 503", retryAfterMs: null },
};
const REFUSED: Refreshed = {
  kind: "later",
  failure: { kind: "refused", detail: "invalid_client", retryAfterMs: null },
};

/** Time is turned by hand, and each refresh ends when the test says so, unless it has an answer of its own. */
function world(logins: readonly StoredLogin[], answer?: () => Refreshed) {
  let nowMs = START;
  let look = (): void => undefined;
  const asked: string[] = [];
  const open: (() => void)[] = [];
  const tokens = new Map(logins.map(({ accountId: id }) => [id, new Secret(`${id}-1`, "t")]));
  const needsReauth: string[] = [];
  const renewed = (id: StoredLogin["accountId"], staleGeneration: number): Refreshed => ({
    kind: "renewed",
    login: login(id, {
      generation: staleGeneration + 1,
      issuedAtMs: epochMs(nowMs),
      expiresAtMs: epochMs(nowMs + HOUR),
    }),
    accessToken: new Secret(`${id}-${staleGeneration + 1}`, "t"),
  });
  const keeper = createLoginKeeper({
    logins: { list: async () => logins },
    refresher: {
      refresh(id, staleGeneration) {
        asked.push(id);
        if (answer !== undefined) return Promise.resolve(answer());
        return new Promise((resolve) => open.push(() => resolve(renewed(id, staleGeneration))));
      },
      stop: async () => undefined,
    },
    clock: {
      now: () => epochMs(nowMs),
      every(_span, callback) {
        look = callback;
        return () => undefined;
      },
    },
    random: () => 0.5,
    renewAtShare: 0.8,
    credential: (id) => tokens.get(id) ?? null,
    onRenewed: (id, token) => void tokens.set(id, token),
    onNeedsReauth: (id) => void needsReauth.push(id),
    onFailed: () => undefined,
    onBug: (cause) => {
      throw cause;
    },
  });
  const account = { id: accountId("a") } as Account;
  return {
    keeper,
    asked,
    open,
    tokens,
    needsReauth,
    refuse: () => keeper.renew(account, tokens.get(account.id) ?? new Secret("none", "t")),
    async advance(ms: number) {
      nowMs = epochMs(nowMs + ms);
      look();
      await Bun.sleep(0);
    },
  };
}

test("renews a login when 80 % of its life, or all but 5 min, are over, and not before", async () => {
  const { keeper, asked, open, tokens, advance } = world([login("a")]);
  await keeper.start();
  await advance(0.8 * HOUR - 1);
  expect(asked).toEqual([]);
  await advance(1);
  expect(asked).toEqual(["a"]);
  open.shift()?.();
  await advance(0);
  expect(tokens.get(accountId("a"))?.label).toBe("a-2");
  await advance(0.8 * HOUR - 1);
  expect(asked).toEqual(["a"]);
});

test("T-12.19 a thousand that end together are renewed ten at a time, all of them", async () => {
  const logins = Array.from({ length: 1_000 }, (_, at) => login(`l-${at}`));
  const { keeper, asked, open, advance } = world(logins);
  await keeper.start();
  await advance(HOUR);
  let most = 0;
  for (let ended = 0; ended < 1_000; ended += 1) {
    most = Math.max(most, open.length);
    open.shift()?.();
    if (open.length === 0) await Bun.sleep(0);
  }
  await Bun.sleep(0);
  expect({ asked: new Set(asked).size, calls: asked.length, most }).toEqual({ asked: 1_000, calls: 1_000, most: 10 });
});

describe("T-12.20 a clock that jumps", () => {
  test("two hours ahead costs one renewal, not a loop", async () => {
    const { keeper, asked, open, advance } = world([login("a")]);
    await keeper.start();
    await advance(2 * HOUR);
    open.shift()?.();
    for (let at = 0; at < 10; at += 1) await advance(1_000);
    expect(asked).toEqual(["a"]);
  });

  test("two hours back leaves the renewal to upstream's 401", async () => {
    const { keeper, asked, open, refuse, advance } = world([login("a")]);
    await keeper.start();
    await advance(-2 * HOUR);
    await advance(HOUR);
    expect(asked).toEqual([]);
    const renewing = refuse();
    open.shift()?.();
    expect(await renewing).toBe("renewed");
  });
});

test("T-12.16 an endpoint that refuses the client is asked at most five times in ten minutes", async () => {
  const { keeper, asked, advance } = world([login("a")], () => REFUSED);
  await keeper.start();
  await advance(HOUR);
  for (let second = 0; second < 600; second += 1) await advance(1_000);
  expect(asked.length).toBeGreaterThan(1);
  expect(asked.length).toBeLessThanOrEqual(5);
});

test("an endpoint that fails is asked with growing pauses, and a request never asks in between", async () => {
  const { keeper, asked, refuse, advance } = world([login("a")], () => LATER);
  await keeper.start();
  await advance(HOUR);
  expect(asked).toHaveLength(1);
  expect(await refuse()).toBe("later");
  expect(asked).toHaveLength(1);
  for (let second = 0; second < 600; second += 1) await advance(1_000);
  expect(asked.length).toBeLessThanOrEqual(7);
});

test("a token that is not the refused one any more is used at once", async () => {
  const { keeper, asked } = world([login("a")]);
  await keeper.start();
  const stale = new Secret("a-0", "t");
  expect(await keeper.renew({ id: accountId("a") } as Account, stale)).toBe("renewed");
  expect(await keeper.renew({ id: accountId("key") } as Account, stale)).toBeNull();
  expect(asked).toEqual([]);
});

test("T-12.15 a login that is over is told of once, and asked for no more", async () => {
  const { keeper, asked, needsReauth, advance } = world([login("a")], () => ({ kind: "needs_reauth", detail: "x" }));
  await keeper.start();
  await advance(HOUR);
  for (let at = 0; at < 10; at += 1) await advance(durationMs(60_000));
  expect({ asked, needsReauth }).toEqual({ asked: ["a"], needsReauth: ["a"] });
});
