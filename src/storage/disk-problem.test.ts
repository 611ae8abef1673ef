import { expect, test } from "bun:test";
import { describeDiskProblem } from "./disk-problem.ts";

const coded = (code: string, cause?: unknown) => Object.assign(new Error("raw words", { cause }), { code });

test.each([
  { name: "a full disk", cause: coded("ENOSPC"), expected: "the disk is full (ENOSPC)" },
  { name: "a full disk, said by the engine", cause: coded("SQLITE_FULL"), expected: "the disk is full (SQLITE_FULL)" },
  {
    name: "an extended code",
    cause: coded("SQLITE_BUSY_SNAPSHOT"),
    expected: "another process holds the database locked (SQLITE_BUSY_SNAPSHOT)",
  },
  {
    name: "the cause of an error",
    cause: new Error("Cannot migrate", { cause: coded("SQLITE_READONLY_DBMOVED") }),
    expected: "the database is read-only (SQLITE_READONLY_DBMOVED)",
  },
  { name: "a constraint", cause: coded("SQLITE_CONSTRAINT_UNIQUE"), expected: null },
  { name: "a code that only begins alike", cause: coded("SQLITE_FULLER"), expected: null },
  { name: "a bug", cause: new TypeError("x is not a function"), expected: null },
  { name: "what is no error", cause: "ENOSPC", expected: null },
])("says what is wrong with the disk: $name", ({ cause, expected }) => {
  expect(describeDiskProblem(cause)).toBe(expected);
});

test("looks at a bounded number of causes", () => {
  const loop = new Error("a loop");
  loop.cause = loop;
  expect(describeDiskProblem(loop)).toBeNull();
});
