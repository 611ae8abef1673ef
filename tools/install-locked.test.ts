import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { bunPackageFor, thisMachine } from "./find-bun.mjs";
import { isInstalled, stampFor } from "./install-locked.mjs";
import { repositoryRoot } from "./source-files.ts";

const STAMP = "node_modules/.better-ccflare-installed.json";
const LOCK = {
  packages: {
    "": { name: "x" },
    "node_modules/a": { version: "1.0.0" },
    "node_modules/b": { version: "2.0.0", dev: true },
    "node_modules/c": { version: "3.0.0", optional: true },
  },
};

let root = "";
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "install-locked-"));
  put("package-lock.json", LOCK);
  put(`node_modules/@oven/${bunPackageFor(thisMachine())}/bin/bun`, "");
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

function put(path: string, content: unknown): void {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), JSON.stringify(content));
}

function npmInstalled(versions: Readonly<Record<string, string>>): void {
  const packages = Object.entries(versions).map(([name, version]) => [`node_modules/${name}`, { version }]);
  put("node_modules/.package-lock.json", { packages: Object.fromEntries(packages) });
}

describe("what counts as installed", () => {
  test("is what our stamp says, at its level or below", () => {
    put(STAMP, stampFor(root, "production"));
    expect([isInstalled(root, "production"), isInstalled(root, "all")]).toEqual([true, false]);
    put(STAMP, stampFor(root, "all"));
    expect([isInstalled(root, "production"), isInstalled(root, "all")]).toEqual([true, true]);
  });

  test("is not the install of an older lockfile, or of another machine", () => {
    put(STAMP, stampFor(root, "all"));
    put("package-lock.json", { ...LOCK, name: "changed" });
    expect(isInstalled(root, "production")).toBe(false);
    put(STAMP, { ...stampFor(root, "all"), machine: "sunos-sparc" });
    expect(isInstalled(root, "production")).toBe(false);
  });

  test("is not half a stamp", () => {
    mkdirSync(join(root, "node_modules"), { recursive: true });
    writeFileSync(join(root, STAMP), '{"lock":');
    expect(isInstalled(root, "production")).toBe(false);
  });

  test.each([
    { versions: { a: "1.0.0", b: "2.0.0", c: "3.0.0" }, production: true, all: true },
    { versions: { a: "1.0.0", b: "2.0.0" }, production: true, all: true },
    { versions: { a: "1.0.0" }, production: true, all: false },
    { versions: { a: "1.0.1", b: "2.0.0" }, production: false, all: false },
    { versions: { b: "2.0.0" }, production: false, all: false },
    { versions: { a: "1.0.0", b: "2.0.0", c: "3.1.0" }, production: false, all: false },
  ])("is a finished npm install of $versions: production $production, all $all", ({ versions, production, all }) => {
    npmInstalled(versions);
    expect([isInstalled(root, "production"), isInstalled(root, "all")]).toEqual([production, all]);
  });

  test("is nothing without Bun itself", () => {
    put(STAMP, stampFor(root, "all"));
    rmSync(join(root, "node_modules/@oven"), { recursive: true });
    expect(isInstalled(root, "production")).toBe(false);
  });
});

describe("the launcher", () => {
  /** A clone whose "npm" is a script of ours: it takes a moment, and writes down that it ran. */
  function clone(program: string): Readonly<Record<string, string>> {
    cpSync(join(repositoryRoot, "tools"), join(root, "tools"), { recursive: true });
    rmSync(join(root, "node_modules"), { recursive: true });
    const bun = join("node_modules/@oven", bunPackageFor(thisMachine()), "bin");
    const install = `echo ran >> installs.log; sleep 0.3; mkdir -p ${bun}; ln -sf ${process.execPath} ${bun}/bun`;
    writeFileSync(join(root, "npm-cli.js"), `require("node:child_process").execSync(${JSON.stringify(install)})`);
    mkdirSync(join(root, "src"));
    writeFileSync(join(root, "src/main.ts"), program);
    return { ...process.env, npm_execpath: join(root, "npm-cli.js") } as Record<string, string>;
  }

  function launch(env: Readonly<Record<string, string>>, ...args: readonly string[]) {
    return Bun.spawn(["node", "tools/launch.mjs", ...args], { cwd: root, env, stdio: ["ignore", "pipe", "pipe"] });
  }

  const withNode = test.skipIf(Bun.which("node") === null);

  withNode("installs once when it is started twice at one time", async () => {
    const env = clone("console.log(process.argv.slice(2).join());");
    const both = [launch(env, "start", "--one"), launch(env, "start", "--two")];
    expect(await Promise.all(both.map((child) => child.exited))).toEqual([0, 0]);
    const printed = await Promise.all(both.map((child) => new Response(child.stdout).text()));
    expect(printed).toEqual(["start,--one\n", "start,--two\n"]);
    expect(readFileSync(join(root, "installs.log"), "utf8")).toBe("ran\n");
  });

  withNode("takes over the lock of a dead process", async () => {
    const env = clone("");
    const dead = Bun.spawn(["true"]);
    await dead.exited;
    put(".cache/install.lock/pid", dead.pid);
    expect(await launch(env, "start").exited).toBe(0);
  });

  withNode.each([
    { program: 'process.kill(process.pid, "SIGKILL"); await new Promise(() => {});', code: 137 },
    { program: "process.exit(3);", code: 3 },
  ])("ends with $code as the program does: $program", async ({ program, code }) => {
    expect(await launch(clone(program), "start").exited).toBe(code);
  });

  withNode("passes SIGTERM on and waits for the end", async () => {
    const env = clone('process.on("SIGTERM", () => process.exit(9)); setInterval(() => {}, 1e6); console.log("up");');
    const child = launch(env, "start");
    await child.stdout.getReader().read();
    child.kill("SIGTERM");
    expect(await child.exited).toBe(9);
  });

  withNode("refuses a command that it does not know, and names those it knows", async () => {
    const child = launch(clone(""), "strat");
    expect(await child.exited).toBe(2);
    expect(await new Response(child.stderr).text()).toContain("start, cli");
  });
});
