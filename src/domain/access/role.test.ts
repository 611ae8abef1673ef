import { expect, test } from "bun:test";
import { mayAssign, mayChangeUser, needsSecondFactor, parseRole, ROLES, type Role } from "./role.ts";

/** Per actor: whom it may change, and what it may make of somebody. */
const RULES: readonly (readonly [Role, readonly Role[], readonly Role[]])[] = [
  ["member", [], []],
  ["operator", [], []],
  ["auditor", [], []],
  ["admin", ["member", "operator", "auditor"], ["member", "operator"]],
  ["owner", ROLES, ROLES],
];

test.each(RULES)(
  "T-7.03 %s changes only who stands lower, and gives only what it may give",
  (actor, changes, gives) => {
    expect(ROLES.filter((target) => mayChangeUser(actor, target))).toEqual([...changes]);
    expect(ROLES.filter((role) => mayAssign(actor, role))).toEqual([...gives]);
  },
);

test("admins and owners need a second factor", () => {
  expect(ROLES.filter(needsSecondFactor)).toEqual(["admin", "owner"]);
});

test("only the names of roles are roles", () => {
  expect(ROLES.map(parseRole)).toEqual([...ROLES]);
  for (const text of ["", "Owner", "root", "__proto__", "constructor"]) expect(parseRole(text)).toBeNull();
});
