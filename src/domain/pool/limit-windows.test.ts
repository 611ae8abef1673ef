import { describe, expect, test } from "bun:test";
import { type EpochMs, epochMs } from "../../kernel/time.ts";
import { type Account, accountId, limitGroupOf } from "../account/account.ts";
import { modelClassOf } from "../account/model-class.ts";
import { readLimitFacts } from "../ratelimit/limit-headers.ts";
import { limitsOf, windowsOf } from "./limit-windows.ts";
import { type PoolEvent, subjectOf } from "./pool-event.ts";
import { applyPoolEvents, emptyPool, type PoolState } from "./pool-state.ts";

const T0 = Date.parse("2026-11-23T20:00:00Z");
const at = (seconds: number): EpochMs => epochMs(T0 + seconds * 1000);
const opus = modelClassOf("claude-opus-4-5");
const haiku = modelClassOf("claude-haiku-4-5");

const account: Account = {
  id: accountId("a"),
  name: "a",
  provider: "anthropic",
  baseUrl: "https://api.anthropic.com",
  credentialKind: "api_key",
  priority: 100,
  weight: 1,
  organization: "org",
  workspace: null,
  isPaused: false,
  createdAtMs: epochMs(0),
  models: [],
};
const group = limitGroupOf(account);
const unsaid = { status: null, limit: null, remaining: null, usedRatio: null, resetAtMs: null };

/** One answer for that class; names are without "anthropic-ratelimit-". */
function answer(modelClass: typeof opus, seconds: number, headers: Record<string, string>): PoolEvent {
  const fields = Object.entries(headers).map(([name, value]) => [`anthropic-ratelimit-${name}`, value] as const);
  const limits = readLimitFacts(fields, at(seconds));
  return { type: "served", on: subjectOf(account, null, modelClass), limits, atMs: at(seconds) };
}

function learned(...events: PoolEvent[]): PoolState {
  return applyPoolEvents(emptyPool, events);
}

/** "requests 5h@2": the windows that count for a class, and when its own were seen. */
function counted(pool: PoolState, modelClass: typeof opus): string | null {
  const limits = limitsOf(pool, group, modelClass);
  if (limits === null) {
    return null;
  }
  const windows = limits.windows.map(({ name, usedRatio }) => (usedRatio === null ? name : `${name}=${usedRatio}`));
  return `${windows.join(" ")} @${(limits.seenAtMs - T0) / 1000}`;
}

describe("the windows that a request counts against", () => {
  test("are none when nothing was said", () => {
    expect(counted(emptyPool, opus)).toBeNull();
    expect(counted(learned(answer(opus, 0, {})), opus)).toBeNull();
  });

  test("are those of its class, and of no other", () => {
    const pool = learned(answer(opus, 1, { "requests-limit": "50" }), answer(haiku, 2, { "tokens-limit": "9" }));
    expect(counted(pool, opus)).toBe("requests @1");
    expect(counted(pool, haiku)).toBe("tokens @2");
    expect(counted(pool, modelClassOf("claude-sonnet-4-5"))).toBeNull();
  });

  test("are the plan's too, as any class saw them last", () => {
    const pool = learned(
      answer(opus, 1, { "requests-limit": "50", "unified-5h-utilization": "0.2" }),
      answer(haiku, 5, { "unified-5h-utilization": "0.9", "tokens-limit": "9" }),
    );
    expect(counted(pool, opus)).toBe("requests 5h=0.9 @1");
    expect(counted(pool, haiku)).toBe("5h=0.9 tokens @5");
    expect(counted(pool, modelClassOf("claude-sonnet-4-5"))).toBe("5h=0.9 @5");
  });

  test("are the plan's too when the newest answer does not speak of it", () => {
    const pool = learned(
      answer(haiku, 1, { "unified-5h-utilization": "0.9" }),
      answer(opus, 3, { "requests-limit": "50" }),
    );
    expect(counted(pool, opus)).toBe("requests 5h=0.9 @3");
  });

  test("are not those of a plan that name another class", () => {
    const both = { "unified-7d-utilization": "0.3", "unified-7d_opus-utilization": "1" };
    const pool = learned(answer(haiku, 1, both));
    expect(counted(pool, haiku)).toBe("7d=0.3 @1");
    expect(counted(pool, opus)).toBe("7d=0.3 7d_opus=1 @1");
    const later = applyPoolEvents(pool, [
      answer(opus, 3, { ...both, "unified-7d_opus-utilization": "0.5" }),
      answer(haiku, 5, { "unified-7d-utilization": "0.4" }),
    ]);
    expect(counted(later, opus)).toBe("7d_opus=0.5 7d=0.4 @3");
  });

  test("cost nothing to look up for the class that answered last", () => {
    const pool = learned(answer(opus, 1, { "requests-limit": "50", "unified-5h-utilization": "0.2" }));
    expect(limitsOf(pool, group, opus)).toBe(limitsOf(pool, group, opus));
  });
});

describe("a person sees", () => {
  test("nothing when nothing was said", () => {
    expect(windowsOf(emptyPool, account)).toEqual([]);
  });

  test("a plan's window once, as last seen, and the others per model class", () => {
    const said = (used: string) => ({ "unified-5h-utilization": used, "requests-limit": "50" });
    const pool = learned(answer(haiku, 5, said("0.3")), answer(opus, 1, said("0.2")));
    expect(windowsOf(pool, account)).toEqual([
      { ...unsaid, name: "5h", modelClass: null, usedRatio: 0.3, seenAtMs: at(5) },
      { ...unsaid, name: "requests", modelClass: haiku, limit: 50, seenAtMs: at(5) },
      { ...unsaid, name: "requests", modelClass: opus, limit: 50, seenAtMs: at(1) },
    ]);
  });

  test("a plan's window of one class under that class, whichever class was told", () => {
    const pool = learned(answer(haiku, 5, { "unified-7d_opus-utilization": "0.5" }));
    expect(windowsOf(pool, account)).toEqual([
      { ...unsaid, name: "7d_opus", modelClass: opus, usedRatio: 0.5, seenAtMs: at(5) },
    ]);
  });

  test("rate-limit headers that we do not know, by name and value, and no other header", () => {
    const pool = learned(answer(opus, 1, { "unified-7d-surpassed-threshold": "0.75", colour: "red" }), {
      type: "served",
      on: subjectOf(account, null, haiku),
      limits: readLimitFacts([["anthropic-novelty", "1"]], at(1)),
      atMs: at(1),
    });
    expect(windowsOf(pool, account)).toEqual([
      { ...unsaid, name: "colour", modelClass: opus, status: "red", seenAtMs: at(1) },
      { ...unsaid, name: "unified-7d-surpassed-threshold", modelClass: opus, status: "0.75", seenAtMs: at(1) },
    ]);
  });
});
