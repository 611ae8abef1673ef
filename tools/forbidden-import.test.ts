import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { cpSync, mkdtempSync, realpathSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { repositoryRoot } from "./source-files.ts";

/** An import that a room must not be able to make: the compiler says that the file is not in its project. */
const IMPORTS = [
  ["kernel", "domain"],
  ["domain", "gateway"],
  ["domain", "control"],
  ["gateway", "http"],
  ["gateway", "control"],
  ["gateway", "config"],
  ["control", "gateway"],
  ["contract", "kernel"],
  ["http", "storage"],
  ["upstream", "keyring"],
  ["storage", "upstream"],
  ["keyring", "storage"],
  ["gateway", "cluster"],
  ["cluster", "storage"],
  ["observe", "config"],
  ["config", "observe"],
  ["cli", "storage"],
].map(([room = "", to = ""]) => ({ room, to, module: `src/${to}/${fileOf(to)}` }));

/** What pure rooms must not be able to name. */
const NAMES = [
  { room: "domain", code: 'export const a = fetch("x");', expected: "TS2304" },
  { room: "domain", code: "export const a = process.env;", expected: "TS2591" },
  { room: "domain", code: "setTimeout(() => 0, 1);", expected: "TS2304" },
  { room: "domain", code: 'console.log("x");', expected: "TS2584" },
  { room: "domain", code: "export const a = Bun.version;", expected: "TS2868" },
  { room: "domain", code: 'import "node:fs";', expected: "TS2882" },
  { room: "kernel", code: 'export const a = new URL("x");', expected: "TS2304" },
  { room: "kernel", code: "export const a = new TextDecoder();", expected: "TS2304" },
];

/** The files to write, beside the room's own. */
const FORBIDDEN = [...IMPORTS.map(({ room, module }) => ({ room, code: `import "../../${module}";` })), ...NAMES].map(
  ({ room, code }, at) => ({ path: `src/${room}/forbidden-${at}.ts`, code }),
);

/** Any module of a room: the borders stand whatever the files are called. */
function fileOf(room: string): string {
  const files = [...new Bun.Glob("**/*.ts").scanSync({ cwd: join(repositoryRoot, "src", room) })];
  const found = files.toSorted().find((path) => !path.endsWith(".test.ts"));
  if (found === undefined) throw new Error(`Cannot test the border of ${room}: it holds no module`);
  return found;
}

let copy = "";
let untouched: Built = { exitCode: -1, output: "" };
let spoilt: Built = { exitCode: -1, output: "" };

type Built = { readonly exitCode: number; readonly output: string };

function build(): Built {
  const tsc = join(repositoryRoot, "node_modules", ".bin", "tsc");
  const { exitCode, stdout } = Bun.spawnSync([tsc, "-b", "src", "--pretty", "false"], { cwd: copy });
  return { exitCode, output: stdout.toString() };
}

beforeAll(async () => {
  copy = realpathSync(mkdtempSync(join(tmpdir(), "forbidden-import-")));
  // sim/ because src/ refers to it, for the demo.
  for (const folder of ["src", "sim"]) {
    const filter = (path: string) => !path.endsWith(".test.ts");
    cpSync(join(repositoryRoot, folder), join(copy, folder), { recursive: true, filter });
  }
  cpSync(join(repositoryRoot, "tsconfig.base.json"), join(copy, "tsconfig.base.json"));
  cpSync(join(repositoryRoot, "package.json"), join(copy, "package.json"));
  symlinkSync(join(repositoryRoot, "node_modules"), join(copy, "node_modules"));
  untouched = build();
  await Promise.all(FORBIDDEN.map(({ path, code }) => Bun.write(join(copy, path), `${code}\nexport {};\n`)));
  spoilt = build();
}, 120_000);

afterAll(() => rmSync(copy, { recursive: true, force: true }));

describe("the borders between rooms", () => {
  test("let the tree through as it is", () => {
    expect(untouched).toEqual({ exitCode: 0, output: "" });
  });

  // Which of several importers the compiler names is its own affair; the module and the project are not.
  test.each(IMPORTS)("stop $room from importing $to", ({ room, module }) => {
    const project = join(copy, "src", room, "tsconfig.json");
    const fact = `error TS6307: File '${join(copy, module)}' is not listed within the file list of project '${project}'`;
    expect(spoilt.output).toContain(fact);
  });

  test.each(NAMES)("stop $room from writing $code", ({ code, expected }) => {
    const path = FORBIDDEN.find((file) => file.code === code)?.path ?? "";
    const errors = spoilt.output.split("\n").filter((line) => line.startsWith(`${path}(`));
    expect(errors.join("\n")).toContain(`error ${expected}:`);
  });
});
