import { describe, expect, test } from "bun:test";
import { accountId, cacheGroupOf, limitGroupOf } from "./account.ts";

const id = accountId("a1");

describe("limitGroupOf", () => {
  test("is the organization when it is known, else the account itself", () => {
    expect(String(limitGroupOf({ id, organization: "org-1" }))).toBe("organization:org-1");
    expect(String(limitGroupOf({ id, organization: null }))).toBe("account:a1");
  });
});

describe("cacheGroupOf", () => {
  const other = accountId("a2");

  test("is one for two accounts of one workspace, and for two without a declared one", () => {
    const inWorkspace = { organization: "org-1", workspace: "w1" };
    expect(cacheGroupOf({ id, ...inWorkspace })).toBe(cacheGroupOf({ id: other, ...inWorkspace }));
    const inDefault = { organization: "org-1", workspace: null };
    expect(cacheGroupOf({ id, ...inDefault })).toBe(cacheGroupOf({ id: other, ...inDefault }));
  });

  test.each([
    {
      case: "workspaces",
      left: { organization: "org-1", workspace: "w1" },
      right: { organization: "org-1", workspace: null },
    },
    {
      case: "organizations",
      left: { organization: "org-1", workspace: "w1" },
      right: { organization: "org-2", workspace: "w1" },
    },
    {
      case: "unknown organizations",
      left: { organization: null, workspace: "w1" },
      right: { organization: null, workspace: "w1" },
    },
  ])("differs between two $case", ({ left, right }) => {
    expect(cacheGroupOf({ id, ...left })).not.toBe(cacheGroupOf({ id: other, ...right }));
  });
});
