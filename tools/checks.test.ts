import { describe, expect, test } from "bun:test";
import { checkFileLength } from "./check-file-length.ts";
import { checkForeignIdentity } from "./check-foreign-identity.ts";
import { checkLockfile, completeLockfile } from "./check-lockfile.ts";
import { checkMigrations } from "./check-migrations.ts";
import { checkReveal } from "./check-reveal.ts";

describe("where a secret may be revealed", () => {
  test.each([
    { path: "src/upstream/a.ts", text: "secret.reveal()", complaints: 0 },
    { path: "src/keyring/a.ts", text: "secret.reveal()", complaints: 0 },
    { path: "src/gateway/a.test.ts", text: "secret.reveal()", complaints: 0 },
    { path: "src/kernel/secret.ts", text: "reveal(): string", complaints: 0 },
    { path: "src/gateway/a.ts", text: "isRevealed.revealed", complaints: 0 },
    { path: "src/gateway/a.ts", text: "x\nsecret.reveal()", complaints: 1 },
    { path: "src/app.ts", text: "secret?.reveal()", complaints: 1 },
    { path: "src/http/a.ts", text: "const { reveal } = secret;", complaints: 1 },
    { path: "src/http/a.ts", text: 'secret["reveal"]()', complaints: 1 },
  ])("$path with $text has $complaints complaints", ({ path, text, complaints }) => {
    expect(checkReveal([{ path, text }])).toHaveLength(complaints);
  });

  test("is told with path and line", () => {
    expect(checkReveal([{ path: "src/app.ts", text: "a\nb\nc.reveal()" }])[0]).toStartWith("src/app.ts:3 ");
  });
});

describe("the length of a file", () => {
  const lines = (count: number) => "x\n".repeat(count);
  test.each([
    { path: "src/a.ts", text: lines(300), complaints: 0 },
    { path: "src/a.ts", text: lines(301), complaints: 1 },
    { path: "src/a.ts", text: `// Longer than 300 lines: one table\n${lines(301)}`, complaints: 0 },
    { path: "src/a.ts", text: `// Longer than 300 lines:\n${lines(301)}`, complaints: 1 },
    { path: "src/a.ts", text: `${lines(301)}// Longer than 300 lines: said too late\n`, complaints: 1 },
    { path: "src/a.test.ts", text: lines(600), complaints: 0 },
    { path: "src/a.test.ts", text: lines(601), complaints: 1 },
  ])("is judged: case %#", ({ path, text, complaints }) => {
    expect(checkFileLength([{ path, text }])).toHaveLength(complaints);
  });
});

describe("migrations", () => {
  const tree = (names: readonly string[], listed: readonly string[]) => [
    ...names.map((name) => ({ path: `src/storage/migrations/${name}.ts`, text: "" })),
    { path: "src/storage/migrations/all-migrations.ts", text: listed.map((name) => `  "${name}": {},`).join("\n") },
  ];
  test.each([
    { names: ["0001-a", "0002-b"], listed: ["0001-a", "0002-b"], complaints: 0 },
    { names: ["0001-a", "0003-b"], listed: ["0001-a", "0003-b"], complaints: 1 },
    { names: ["0001-a", "0001-b"], listed: ["0001-a", "0001-b"], complaints: 1 },
    { names: ["0001-a", "0002-b"], listed: ["0002-b", "0001-a"], complaints: 1 },
    { names: ["0001-a", "0002-b"], listed: ["0001-a"], complaints: 1 },
    { names: ["0001-a", "second"], listed: ["0001-a"], complaints: 2 },
  ])("$names listed as $listed have $complaints complaints", ({ names, listed, complaints }) => {
    expect(checkMigrations(tree(names, listed))).toHaveLength(complaints);
  });
});

describe("another product's identity", () => {
  // In pieces: this file is checked as well.
  const claim = ["You are Claude", "Code, Anthropic's CLI"].join(" ");
  const agent = ['"claude', 'cli/2.1"'].join("-");
  const copilot = ["Iv1", "b507a08c87ecfe98"].join(".");
  test.each([
    { path: "src/a.ts", text: `const id = "${copilot}";`, complaints: 1 },
    { path: "test/a.test.ts", text: copilot, complaints: 1 },
    { path: "src/a.ts", text: `"${claim}"`, complaints: 1 },
    { path: "src/a.ts", text: agent, complaints: 1 },
    { path: "sim/a.ts", text: `${claim} ${agent}`, complaints: 0 },
    { path: "src/a.ts", text: '"0193e5a0-7e57-7000-8000-000000000000"', complaints: 0 },
  ])("is found: case %#", ({ path, text, complaints }) => {
    expect(checkForeignIdentity([{ path, text }])).toHaveLength(complaints);
  });
});

describe("the lockfile", () => {
  const lock = {
    packages: {
      "": {},
      "node_modules/tool": { dev: true, integrity: "x", optionalDependencies: { "tool-linux-x64-musl": "1.2.3" } },
    },
  };

  test("needs an entry for every optional package", () => {
    expect(checkLockfile(lock)).toEqual(["package-lock.json: no entry for optional tool-linux-x64-musl"]);
    const complete = completeLockfile(lock);
    expect(checkLockfile(complete)).toEqual([]);
    expect(complete.packages["node_modules/tool-linux-x64-musl"]).toEqual({
      version: "1.2.3",
      dev: true,
      optional: true,
      ...{ cpu: ["x64"], os: ["linux"], libc: ["musl"] },
    });
    expect(completeLockfile(complete)).toEqual(complete);
  });

  test.each([
    { locked: { version: "1" }, complaints: 1 },
    { locked: { version: "1", optional: true }, complaints: 1 },
    { locked: { version: "1", dev: true }, complaints: 1 },
    { locked: { version: "1", dev: true, optional: true }, complaints: 0 },
    { locked: { version: "1", integrity: "sha512-x" }, complaints: 0 },
  ])("needs a hash for whatever may run: $locked", ({ locked, complaints }) => {
    expect(checkLockfile({ packages: { "node_modules/a": locked } })).toHaveLength(complaints);
  });

  test("of this repository is complete", async () => {
    expect(checkLockfile(await Bun.file("package-lock.json").json())).toEqual([]);
  });
});
