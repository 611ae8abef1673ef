import { expect, test } from "bun:test";
import { epochMs } from "../../kernel/time.ts";
import { type Account, accountId, limitGroupOf } from "../account/account.ts";
import { modelClassOf } from "../account/model-class.ts";
import { probesLost, resetAccount, subjectOf } from "./pool-event.ts";

const account: Account = {
  id: accountId("a1"),
  name: "first",
  provider: "anthropic",
  baseUrl: "https://api.anthropic.com",
  credentialKind: "api_key",
  priority: 100,
  weight: 1,
  organization: "org-1",
  workspace: null,
  isPaused: false,
  createdAtMs: epochMs(0),
  models: [],
};

test("names the account, its limit group and its upstream", () => {
  const modelClass = modelClassOf("claude-opus-4-5");
  expect(subjectOf(account, "claude-opus-4-5", modelClass)).toEqual({
    accountId: account.id,
    limitGroup: limitGroupOf(account),
    origin: "https://api.anthropic.com",
    model: "claude-opus-4-5",
    modelClass,
  });
  expect(resetAccount(account)).toEqual({
    type: "reset_account",
    accountId: account.id,
    limitGroup: limitGroupOf(account),
  });
});

test("turns the start of a probe into its loss, and nothing else", () => {
  const on = subjectOf(account, null, modelClassOf(null));
  expect(probesLost([{ type: "probe_started", on, atMs: epochMs(5) }])).toEqual([
    { type: "probe_lost", on, atMs: epochMs(5) },
  ]);
  expect(probesLost([resetAccount(account)])).toEqual([]);
  expect(probesLost([])).toEqual([]);
});
