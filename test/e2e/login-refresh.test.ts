import { afterEach, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type SimulatedTokenEndpoint, startTokenEndpoint } from "../../sim/token-endpoint.ts";
import { StoreUnavailable } from "../../src/control/store-unavailable.ts";
import type { AccountId } from "../../src/domain/account/account.ts";
import { epochMs } from "../../src/kernel/time.ts";
import { createTokenEndpoint } from "../../src/upstream/token-endpoint.ts";
import { createUpstream, type UpstreamClient } from "../../src/upstream/upstream.ts";
import { insertLogin, type LoginDatabase, openLoginDatabase, refresherOver } from "./login-database.ts";
import { runRefreshKills } from "./refresh-kill.ts";
import { runRefresh } from "./refresh-run.ts";

setDefaultTimeout(60_000);

let folder: string;
let endpoint: SimulatedTokenEndpoint;
let upstream: UpstreamClient;
let database: LoginDatabase;
let id: AccountId;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "bccf-login-"));
  endpoint = await startTokenEndpoint({ clientId: "operator-client" });
  upstream = createUpstream({ allowPrivate: true });
  database = await openLoginDatabase(join(folder, "gateway.db"), randomBytes(32));
  id = await insertLogin(database, "login", endpoint);
});
afterEach(async () => {
  database.close();
  await upstream.stop();
  await endpoint.stop();
  rmSync(folder, { recursive: true, force: true });
});

function refresher(owner = "a") {
  return refresherOver(database, { endpoint: createTokenEndpoint(upstream), owner });
}

/** The refresh token that is stored, opened. */
async function storedToken(): Promise<string> {
  const login = await database.logins.read(id);
  if (login?.refreshToken == null) throw new Error("Cannot test: there is no refresh token");
  const place = { id, generation: login.generation, tokenUrl: login.client.tokenUrl };
  const opened = database.vault.openRefreshToken(place, login.refreshToken);
  if (!opened.ok) throw new Error(opened.error);
  return opened.value.reveal();
}

test("T-12.10 five hundred who ask at the same time cost one request, and get one token", async () => {
  const one = refresher();
  const all = await Promise.all(Array.from({ length: 500 }, () => one.refresh(id, 1)));
  const tokens = new Set(all.map((each) => (each.kind === "renewed" ? each.accessToken.reveal() : each.kind)));
  expect({ requests: endpoint.counters.requests, tokens: tokens.size }).toEqual({ requests: 1, tokens: 1 });
});

test("T-12.11 100 expiries with 8 refreshers in 2 processes: one rotation each, no reuse", async () => {
  const figures = await runRefresh({ processes: 2, refreshersEach: 4, accounts: 10, expiriesEach: 10, latencyMs: 20 });
  expect(figures).toMatchObject({ expiries: 100, rotations: 100, reuses: 0, requests: 100, generations: [11] });
  expect(Object.keys(figures.answers)).toEqual(["renewed"]);
  expect(figures.auditedRotations).toBe(100);
});

test("T-12.13 kill -9 in the middle leaves a whole login, with tokens that work or were lost on the way", async () => {
  const figures = await runRefreshKills(5);
  expect(figures).toMatchObject({ kills: 5, broken: 0 });
});

test("T-12.12 a lease that its owner left behind ends, and another takes over", async () => {
  const nowMs = Date.now();
  await database.logins.takeLease(id, { owner: "dead", nowMs: epochMs(nowMs), untilMs: epochMs(nowMs + 400) });
  expect((await refresher().refresh(id, 1)).kind).toBe("renewed");
  expect(Date.now() - nowMs).toBeGreaterThanOrEqual(400);
});

describe("T-12.14 an endpoint that gives no answer", () => {
  test("leaves the stored tokens as they are, and the next try renews them", async () => {
    endpoint.fail({ kind: "status", status: 503 }, { kind: "body", body: "<html>" }, { kind: "reset" });
    const before = await storedToken();
    for (let tries = 0; tries < 3; tries += 1) {
      expect(await refresher().refresh(id, 1)).toMatchObject({ kind: "later", failure: { kind: "temporary" } });
    }
    expect(await storedToken()).toBe(before);
    expect((await refresher().refresh(id, 1)).kind).toBe("renewed");
    expect(await storedToken()).not.toBe(before);
  });

  test("a refusal of the client is no reason to log in again", async () => {
    endpoint.fail({ kind: "status", status: 401, body: '{"error":"invalid_client"}' });
    expect(await refresher().refresh(id, 1)).toMatchObject({ kind: "later", failure: { kind: "refused" } });
    expect((await database.logins.read(id))?.state).toBe("active");
  });
});

describe("T-12.15 invalid_grant", () => {
  test("with a newer login in the store uses that one", async () => {
    expect((await refresher("b").refresh(id, 1)).kind).toBe("renewed");
    expect(await refresher("a").refresh(id, 1)).toMatchObject({ kind: "renewed", login: { generation: 2 } });
    expect(endpoint.counters.requests).toBe(1);
  });

  test("without one gives the login up, keeps its envelopes, and asks no more", async () => {
    endpoint.revokeAll();
    const before = await storedToken();
    expect((await refresher().refresh(id, 1)).kind).toBe("needs_reauth");
    expect(await storedToken()).toBe(before);
    expect((await refresher().refresh(id, 1)).kind).toBe("needs_reauth");
    expect(endpoint.counters.requests).toBe(1);
  });

  test("for a token that the owner replaced in the meantime gives nothing up", async () => {
    const held = { generation: 1, owner: "a" };
    const nowMs = Date.now();
    await database.logins.takeLease(id, { owner: "a", nowMs: epochMs(nowMs), untilMs: epochMs(nowMs + 10_000) });
    const login = await database.logins.read(id);
    if (login === null) throw new Error("Cannot test: there is no login");
    expect(await database.logins.rotate(id, 1, login)).toBeTrue();
    expect(await database.logins.markNeedsReauth(id, held)).toBeFalse();
    expect(await database.logins.rotate(id, 1, login)).toBeFalse();
  });
});

test("T-12.17 an endpoint that keeps the refresh token is no trouble", async () => {
  const before = await storedToken();
  endpoint.fail({ kind: "body", body: '{"access_token":"at-2","token_type":"Bearer","expires_in":60}' });
  expect(await refresher().refresh(id, 1)).toMatchObject({ kind: "renewed", login: { generation: 2 } });
  expect(await storedToken()).toBe(before);
});

test("T-12.22 tokens that the store refuses are kept until it takes them, and not used before", async () => {
  let refusals = 3;
  const told: number[] = [];
  const changes: typeof database.changes = {
    ...database.changes,
    change: (draft, work) => {
      refusals -= 1;
      if (refusals >= 0) return Promise.reject(new StoreUnavailable("disk full", {}));
      return database.changes.change(draft, work);
    },
  };
  const over = { ...database, changes };
  const endpointClient = createTokenEndpoint(upstream);
  const one = refresherOver(over, { endpoint: endpointClient, owner: "a", onUnstored: () => void told.push(refusals) });
  expect(await one.refresh(id, 1)).toMatchObject({ kind: "renewed", login: { generation: 2 } });
  expect({ told: told.length, rotations: endpoint.counters.rotations }).toEqual({ told: 3, rotations: 1 });
});

test("T-12.26 a token URL that somebody changed in the database gets no refresh token", async () => {
  const other = await startTokenEndpoint({ clientId: "operator-client" });
  database.database.run("update oauth_accounts set token_url = ?", [other.url]);
  expect(await refresher().refresh(id, 1)).toMatchObject({ kind: "later", failure: { kind: "refused" } });
  expect(other.counters.requests + endpoint.counters.requests).toBe(0);
  await other.stop();
});
