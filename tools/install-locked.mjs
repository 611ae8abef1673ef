// Plain Node 20 without dependencies: this runs before anything is installed.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { findBun } from "./find-bun.mjs";

/**
 * "production": what the gateway runs on. "all": the tools of development as well.
 * @typedef {"production" | "all"} Level
 */

/** @typedef {{ readonly lock: string, readonly machine: string, readonly level: Level }} Stamp */

const LOCKFILE = "package-lock.json";
// Inside node_modules, so that deleting it deletes the claim that it is complete.
const STAMP = join("node_modules", ".better-ccflare-installed.json");
const WAIT_STEP_MS = 200;
const MAX_WAIT_MS = 600_000;

/**
 * Installs what the lockfile says, unless it is there. Safe to call from several processes at one time.
 * @param {string} root
 * @param {Level} level
 * @throws Error when the installer fails.
 */
export function installLocked(root, level) {
  if (isInstalled(root, level)) return;
  const release = takeLock(join(root, ".cache", "install.lock"));
  try {
    // Somebody else may have done it while we waited.
    if (!isInstalled(root, level)) install(root, level);
  } finally {
    release();
  }
}

/**
 * @param {string} root
 * @param {Level} level
 */
export function isInstalled(root, level) {
  if (findBun(root) === null) return false;
  const wanted = stampFor(root, level);
  const found = readStamp(root);
  if (found !== null) {
    const covers = found.level === "all" || found.level === level;
    return found.lock === wanted.lock && found.machine === wanted.machine && covers;
  }
  return hasFinishedNpmInstall(root, level);
}

/**
 * @param {string} root
 * @param {Level} level
 * @returns {Stamp}
 */
export function stampFor(root, level) {
  const lock = createHash("sha256")
    .update(readFileSync(join(root, LOCKFILE)))
    .digest("hex");
  return { lock, machine: `${process.platform}-${process.arch}`, level };
}

/**
 * @param {string} root
 * @returns {Stamp | null}
 */
function readStamp(root) {
  const path = join(root, STAMP);
  if (!existsSync(path)) return null;
  try {
    return JSON.parse(readFileSync(path, "utf8"));
  } catch {
    // Half a stamp stamps nothing: install again.
    return null;
  }
}

/**
 * npm writes its hidden lockfile last, so one that agrees with ours proves a complete install (by hand, or in CI).
 * @param {string} root
 * @param {Level} level
 */
function hasFinishedNpmInstall(root, level) {
  const hidden = join(root, "node_modules", ".package-lock.json");
  if (!existsSync(hidden)) return false;
  const there = packagesIn(hidden);
  return Object.entries(packagesIn(join(root, LOCKFILE))).every(([path, locked]) => {
    if (path === "") return true;
    const version = there[path]?.version;
    const mayBeMissing = locked.optional === true || locked.devOptional === true;
    const isNotWanted = level === "production" && locked.dev === true;
    return version === locked.version || (version === undefined && (mayBeMissing || isNotWanted));
  });
}

/**
 * @typedef {{ version?: string, dev?: boolean, optional?: boolean, devOptional?: boolean }} LockedPackage
 * @param {string} path
 * @returns {Record<string, LockedPackage>}
 */
function packagesIn(path) {
  return JSON.parse(readFileSync(path, "utf8")).packages ?? {};
}

/**
 * @param {string} root
 * @param {Level} level
 */
function install(root, level) {
  const [command, ...args] = installerFor(level, process.versions.bun !== undefined, process.env);
  console.error(`Installing what ${LOCKFILE} locks (${level}) ...`);
  rmSync(join(root, STAMP), { force: true });
  // The installer's talk goes to stderr: stdout belongs to the command that was asked for.
  const done = spawnSync(command, args, { cwd: root, stdio: ["ignore", 2, 2], shell: process.platform === "win32" });
  if (done.status !== 0) {
    const fact = done.error?.message ?? `it ended with ${done.signal ?? `code ${done.status}`}`;
    throw new Error(`Cannot install the dependencies with "${[command, ...args].join(" ")}": ${fact}`);
  }
  if (findBun(root) === null)
    throw new Error("Cannot find Bun after the install: its package has none for this machine");
  const path = join(root, STAMP);
  writeFileSync(`${path}.new`, JSON.stringify(stampFor(root, level)));
  renameSync(`${path}.new`, path);
}

/**
 * One lockfile for both: Bun 1.4.5 reads package-lock.json, checks its hashes, refuses to run when package.json differs,
 * and with --frozen-lockfile writes no lockfile of its own (tried 2026-11-23).
 * @param {Level} level
 * @param {boolean} isBun
 * @param {Readonly<Record<string, string | undefined>>} env
 * @returns {[string, ...string[]]}
 */
export function installerFor(level, isBun, env) {
  if (isBun) {
    const production = level === "production" ? ["--production"] : [];
    return [process.execPath, "install", "--frozen-lockfile", "--ignore-scripts", ...production];
  }
  const scope = level === "production" ? "--omit=dev" : "--include=dev";
  const args = ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error", scope];
  const cli = env["npm_execpath"];
  return cli?.endsWith("npm-cli.js") ? [process.execPath, cli, ...args] : ["npm", ...args];
}

/**
 * One directory that only one process can make. A lock whose maker is dead is taken over.
 * @param {string} lock
 * @returns {() => void} gives it back
 */
function takeLock(lock) {
  mkdirSync(join(lock, ".."), { recursive: true });
  const owner = join(lock, "pid");
  const deadlineMs = Date.now() + MAX_WAIT_MS;
  let hasSaidSo = false;
  for (;;) {
    try {
      mkdirSync(lock);
      writeFileSync(owner, String(process.pid));
      return () => rmSync(lock, { recursive: true, force: true });
    } catch (cause) {
      if (!(cause instanceof Error && "code" in cause && cause.code === "EEXIST")) throw cause;
    }
    if (isAbandoned(lock, owner)) {
      takeAway(lock);
      continue;
    }
    if (Date.now() > deadlineMs) throw new Error(`Cannot install: another install holds ${lock} for over ten minutes`);
    if (!hasSaidSo) console.error("Waiting for another install to finish ...");
    hasSaidSo = true;
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, WAIT_STEP_MS);
  }
}

/**
 * Renamed first: of two that find the same dead lock, one gets it, and neither deletes a new one.
 * @param {string} lock
 */
function takeAway(lock) {
  const grave = `${lock}.${process.pid}`;
  try {
    renameSync(lock, grave);
  } catch {
    return; // The other was quicker.
  }
  rmSync(grave, { recursive: true, force: true });
}

/**
 * @param {string} lock
 * @param {string} owner
 */
function isAbandoned(lock, owner) {
  try {
    const pid = Number(readFileSync(owner, "utf8"));
    // Between mkdir and the pid there is a moment without one; it does not last seconds.
    if (pid === 0) return Date.now() - statSync(lock).mtimeMs > 5_000;
    return !isAlive(pid);
  } catch {
    return existsSync(lock) && Date.now() - statSync(lock).mtimeMs > 5_000;
  }
}

/** @param {number} pid */
function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (cause) {
    return cause instanceof Error && "code" in cause && cause.code === "EPERM";
  }
}
