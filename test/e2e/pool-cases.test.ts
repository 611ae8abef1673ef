import { afterEach, expect, test } from "bun:test";
import { type PoolWorld, type PoolWorldOptions, startPoolWorld } from "./pool-world.ts";

// The cases that the pool is judged by, each with a client, the simulator and the clock (docs/guide/selection.md).

let world: PoolWorld;

async function begin(options: PoolWorldOptions): Promise<PoolWorld> {
  world = await startPoolWorld(options);
  return world;
}

afterEach(async () => {
  await world.close();
});

const OPUS = "claude-opus-5-5";
const SONNET = "claude-sonnet-5-5";
/** 100,000 tokens of prefix: writing them again for Opus costs more than half a minute of waiting is worth. */
const LONG_PREFIX_BYTES = 400_000;
const limited = (seconds: number) =>
  ({ kind: "status", status: 429, headers: { "retry-after": String(seconds) } }) as const;

/** The account that served the one request made by `act`. */
async function servedBy(act: () => Promise<unknown>): Promise<string | null> {
  const before = world.sent();
  await act();
  const after = world.sent();
  const names = Object.keys(after).filter((name) => after[name] !== before[name]);
  return names.at(-1) ?? null;
}

test("a weekly cap of one model class leaves the other classes of the account usable", async () => {
  const { accounts, ask, account } = await begin({ accounts: [{ name: "a" }] });
  const resetsAt = Math.round(Date.now() / 1000) + 3 * 86_400;
  accounts["a"]?.enqueue({
    kind: "status",
    status: 429,
    headers: {
      "anthropic-ratelimit-unified-status": "rejected",
      "anthropic-ratelimit-unified-representative-claim": "seven_day_opus",
      "anthropic-ratelimit-unified-reset": String(resetsAt),
      "retry-after": String(3 * 86_400),
    },
  });
  expect((await ask({ session: "s", model: OPUS })).status).toBe(429);
  const sentBefore = world.sent()["a"];
  const refused = await ask({ session: "s", model: OPUS });
  expect(refused.status).toBe(429);
  expect(refused.text).toContain("opus");
  expect(world.sent()["a"], "nothing is sent to what is known to be limited").toBe(sentBefore);
  expect((await ask({ session: "s", model: SONNET })).status).toBe(200);
  expect(Date.parse((await account("a")).until ?? "") / 1000).toBe(resetsAt);
});

test("two keys of one organization share its limit, even when only upstream named the organization", async () => {
  const { accounts, ask } = await begin({
    accounts: [{ name: "a", hiddenOrganization: "org-1" }, { name: "b", hiddenOrganization: "org-1" }, { name: "c" }],
  });
  // Both keys must have been heard of once: the organization is learned from their answers.
  for (let turn = 0; turn < 9; turn += 1) await ask({ session: `warm-${turn}` });
  expect(Math.min(...Object.values(world.sent()))).toBeGreaterThan(0);
  for (const account of Object.values(accounts)) account.setDefault({ kind: "auto" });
  accounts["a"]?.setDefault(limited(60));
  accounts["b"]?.setDefault(limited(60));
  const before = world.sent();
  const replies = await Promise.all(Array.from({ length: 12 }, (_, turn) => world.ask({ session: `storm-${turn}` })));
  expect(replies.map(({ status }) => status)).toEqual(Array.from({ length: 12 }, () => 200));
  const after = (name: string) => (world.sent()[name] ?? 0) - (before[name] ?? 0);
  const calm = await Promise.all(Array.from({ length: 6 }, (_, turn) => world.ask({ session: `calm-${turn}` })));
  expect(calm.every(({ status, attempts }) => status === 200 && attempts === 1)).toBeTrue();
  // One refusal benches both; only what was under way at that moment may have been refused beside it.
  expect(after("a") + after("b")).toBeLessThanOrEqual(12);
  expect(after("c")).toBe(18);
});

test("a 529 storm on every account is relayed as it is and benches nobody", async () => {
  const { accounts, ask, account } = await begin({ accounts: [{ name: "a" }, { name: "b" }] });
  for (const each of Object.values(accounts)) each.setDefault({ kind: "status", status: 529 });
  const storm = await ask({ session: "s" });
  expect(storm.status).toBe(529);
  expect(storm.text).toContain("overloaded_error");
  expect(storm.text).not.toContain("GW_");
  for (const each of Object.values(accounts)) each.setDefault({ kind: "auto" });
  expect((await ask({ session: "s" })).status).toBe(200);
  expect([(await account("a")).state, (await account("b")).state]).toEqual(["ready", "ready"]);
});

test("after a switch the next account is not stormed, and its acceleration 429 is waited for exactly", async () => {
  const { accounts, ask } = await begin({
    accounts: [
      { name: "a", priority: 1 },
      { name: "b", priority: 2 },
    ],
  });
  for (let turn = 0; turn < 3; turn += 1) await ask({ session: `s-${turn}` });
  accounts["a"]?.setDefault(limited(600));
  const switchedAtMs = Date.now();
  expect((await ask({ session: "first" })).status).toBe(200);
  accounts["b"]?.enqueue(...Array.from({ length: 4 }, () => ({ kind: "auto" }) as const), limited(2));
  const replies = await Promise.all(Array.from({ length: 60 }, (_, turn) => ask({ session: `burst-${turn}` })));
  const refused = replies.filter(({ status }) => status !== 200);
  expect(refused.map(({ text }) => text)).toEqual([]);
  const starts = (accounts["b"]?.requests ?? []).map(({ arrivedAtMs }) => arrivedAtMs - switchedAtMs);
  expect(starts.filter((ms) => ms < 2_000).length, "starts right after the switch").toBeLessThanOrEqual(25);
  const longestPauseMs = Math.max(...starts.slice(1).map((ms, index) => ms - (starts[index] ?? 0)));
  expect(longestPauseMs, "nobody is sent while the limit holds").toBeGreaterThan(1_700);
}, 40_000);

test.each(["SIGTERM", "SIGKILL"] as const)(
  "a cooldown and a home survive %s",
  async (signal) => {
    const { accounts, ask } = await begin({ accounts: [{ name: "a" }, { name: "b" }] });
    const home = (await servedBy(() => ask({ session: "mine" }))) ?? "";
    const other = home === "a" ? "b" : "a";
    accounts[other]?.enqueue(limited(600));
    // Something else finds out that the other account is limited.
    for (let turn = 0; turn < 6 && (await world.account(other)).state === "ready"; turn += 1) {
      await ask({ session: `other-${turn}` });
    }
    const before = await world.account(other);
    expect(before.state).toBe("limited");
    // Homes are written every five seconds, benches at once.
    if (signal === "SIGKILL") await Bun.sleep(6_000);
    await world.restart(signal);
    const after = await world.account(other);
    expect([after.state, after.until]).toEqual([before.state, before.until]);
    expect(await servedBy(() => world.ask({ session: "mine" }))).toBe(home);
    const quiet = world.sent()[other];
    for (let turn = 0; turn < 5; turn += 1) await world.ask({ session: `after-${turn}` });
    expect(world.sent()[other], "nothing is sent to a benched account after the restart").toBe(quiet);
  },
  30_000,
);

test("a dead key is left at once and said to the operator", async () => {
  const { accounts, ask, account } = await begin({
    accounts: [
      { name: "a", priority: 1 },
      { name: "b", priority: 2 },
    ],
  });
  accounts["a"]?.setDefault({ kind: "status", status: 401 });
  const reply = await ask({ session: "s" });
  expect([reply.status, reply.attempts]).toEqual([200, 2]);
  expect((await account("a")).state).toBe("dead");
  expect(world.gateway.output()).toContain("needs its operator");
  await ask({ session: "s" });
  expect(world.sent()["a"]).toBe(1);
});

test("a home that is benched for 10 s is waited for: its cache is worth it", async () => {
  const { accounts, ask } = await begin({ accounts: [{ name: "a" }, { name: "b" }] });
  const turn = { session: "long", model: OPUS, prefixBytes: LONG_PREFIX_BYTES };
  const home = (await servedBy(() => ask(turn))) ?? "";
  accounts[home]?.enqueue(limited(10));
  // A request of nobody in particular meets the limit, then the conversation comes back.
  await Promise.all(Array.from({ length: 8 }, (_, index) => ask({ session: `probe-${index}`, model: OPUS })));
  expect((await world.account(home)).state).toBe("limited");
  let waitedMs = 0;
  const server = await servedBy(async () => {
    waitedMs = (await ask(turn)).ms;
  });
  expect(server).toBe(home);
  expect(waitedMs).toBeGreaterThan(5_000);
  expect(waitedMs).toBeLessThan(15_000);
}, 30_000);

test("a home that is benched for 3 h is left for good", async () => {
  const { accounts, ask } = await begin({ accounts: [{ name: "a" }, { name: "b" }] });
  const turn = { session: "long", model: OPUS, prefixBytes: LONG_PREFIX_BYTES };
  const home = (await servedBy(() => ask(turn))) ?? "";
  const other = home === "a" ? "b" : "a";
  accounts[home]?.enqueue(limited(3 * 3_600));
  const moved = await ask(turn);
  expect([moved.status, moved.attempts]).toEqual([200, 2]);
  expect(moved.ms).toBeLessThan(2_000);
  await world.gateway.cli(["account", "resume", home]);
  expect(await servedBy(() => ask(turn)), "the conversation lives elsewhere now").toBe(other);
  const explained = await world.gateway.cli(["explain", moved.requestId]);
  expect(explained.code).toBe(0);
  expect(explained.stdout).toContain(home);
  expect(explained.stdout).toContain(other);
  expect(explained.stdout).toContain("retry-after");
  expect(explained.stdout).toMatch(/\$\d/);
});

test("mixed classes leave the queue in order: main, subagent, auxiliary", async () => {
  const { accounts, ask } = await begin({ accounts: [{ name: "a" }] });
  accounts["a"]?.enqueue(limited(5));
  expect((await ask({ session: "s-0" })).status).toBe(429);
  const classes = ["auxiliary", "subagent", "main", "auxiliary", "subagent", "main"] as const;
  const waiting: Promise<unknown>[] = [];
  const before = world.sent()["a"] ?? 0;
  for (const [index, name] of classes.entries()) {
    waiting.push(ask({ session: `q-${index}`, class: name }));
    await Bun.sleep(50);
  }
  await Promise.all(waiting);
  const order = (accounts["a"]?.requests ?? [])
    .filter(({ method }) => method === "POST")
    .slice(before)
    .map(({ headers }) => headers.find(([name]) => name.toLowerCase() === "x-claude-code-request-class")?.[1]);
  expect(order).toEqual(["main", "main", "subagent", "subagent", "auxiliary", "auxiliary"]);
}, 20_000);
