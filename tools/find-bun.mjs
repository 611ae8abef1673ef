// Plain Node 20 without dependencies: this runs before anything is installed.
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";

/** @typedef {{ readonly platform: string, readonly arch: string, readonly isMusl: boolean }} Machine */

/** @type {Readonly<Record<string, string>>} */
const SYSTEMS = { win32: "windows" };
/** @type {Readonly<Record<string, string>>} */
const PROCESSORS = { arm64: "aarch64" };

/** @returns {Machine} */
export function thisMachine() {
  const { platform, arch } = process;
  const loaders = platform === "linux" && existsSync("/lib") ? readdirSync("/lib") : [];
  return { platform, arch, isMusl: loaders.some((name) => name.startsWith("ld-musl-")) };
}

/**
 * The npm package that carries Bun's executable for a machine. The package needs no install script.
 * @param {Machine} machine
 */
export function bunPackageFor({ platform, arch, isMusl }) {
  const name = `bun-${SYSTEMS[platform] ?? platform}-${PROCESSORS[arch] ?? arch}`;
  return isMusl ? `${name}-musl` : name;
}

/**
 * Path of the pinned Bun in `root`; null when it is not installed.
 * @param {string} root
 * @param {Machine} machine
 */
export function findBun(root, machine = thisMachine()) {
  const executable = machine.platform === "win32" ? "bun.exe" : "bun";
  const path = join(root, "node_modules", "@oven", bunPackageFor(machine), "bin", executable);
  return existsSync(path) ? path : null;
}
