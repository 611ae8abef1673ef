import { expect, test } from "bun:test";
import { moveKind } from "../affinity/move.ts";
import { createRoster, entryOf, kindOf } from "./roster.ts";
import { account } from "./scene-for-tests.ts";

const accounts = [
  account("a"),
  account("b"),
  account("c", { organization: "one" }),
  account("d", { organization: "one", workspace: "w" }),
  account("e", { organization: "one", baseUrl: "https://api.anthropic.com/proxy" }),
  account("f", { organization: "one", baseUrl: "https://elsewhere.example" }),
  account("g", { organization: "two", baseUrl: "https://elsewhere.example" }),
];
const roster = createRoster(accounts);
const { entries } = roster.all;

test("names the kind of every move as `moveKind` does", () => {
  for (const from of entries) {
    for (const to of entries) {
      expect(kindOf(from, to)).toBe(moveKind(from.account, to.account));
    }
  }
});

test("has circles of organizations and platforms, in order", () => {
  const names = (id: string, circle: "organizationOf" | "platformOf") => {
    const entry = entries.find((one) => one.account.name === id) ?? entryOf(account(id));
    return roster[circle](entry)
      .entries.map((one) => one.account.name)
      .join("");
  };
  expect(names("c", "organizationOf")).toBe("cdef");
  expect(names("a", "organizationOf")).toBe("a");
  expect(names("e", "platformOf")).toBe("abcde");
  expect(names("g", "platformOf")).toBe("fg");
});

test("finds accounts by id, and none that is gone", () => {
  const [first] = accounts;
  expect(roster.find(account("a").id)?.account).toBe(first as (typeof accounts)[0] & object);
  expect(roster.find(account("z").id)).toBeNull();
});
