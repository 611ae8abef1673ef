import { existsSync } from "node:fs";
import { join } from "node:path";
import type { Complaint } from "./source-files.ts";

export type LockedPackage = {
  readonly version?: string;
  readonly integrity?: string;
  readonly dev?: boolean;
  readonly optional?: boolean;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
  readonly hasInstallScript?: boolean;
};
export type Lockfile = { readonly packages: Readonly<Record<string, LockedPackage>> };

const PLATFORM =
  /(android|darwin|linux|win32|freebsd|openharmony)-(arm64|x64|ia32|arm|ppc64|riscv64|s390x)(?:-(.*))?$/u;

/**
 * One lockfile; every package that may run has a hash; every optional package has an entry, or `npm ci` refuses on the
 * machine that wants it. npm leaves out those that its registry does not offer: `bun tools/fix-lockfile.ts`
 * writes them in (development tools for other systems, without hash).
 */
export function checkLockfile(lock: Lockfile): readonly Complaint[] {
  const complaints = missingOptional(lock).map(({ name }) => `package-lock.json: no entry for optional ${name}`);
  for (const [path, locked] of Object.entries(lock.packages)) {
    const mayLackHash = path === "" || (locked.dev === true && locked.optional === true);
    if (!mayLackHash && locked.integrity === undefined) complaints.push(`package-lock.json: ${path} has no integrity`);
  }
  return complaints;
}

export function checkOnlyLockfile(root: string): readonly Complaint[] {
  return ["bun.lock", "bun.lockb", "yarn.lock", "pnpm-lock.yaml"]
    .filter((name) => existsSync(join(root, name)))
    .map((name) => `${name}: the one lockfile is package-lock.json`);
}

type Missing = { readonly name: string; readonly version: string; readonly isDev: boolean };

function missingOptional(lock: Lockfile): readonly Missing[] {
  return Object.entries(lock.packages).flatMap(([path, locked]) =>
    Object.entries(locked.optionalDependencies ?? {})
      .filter(
        ([name]) => !(`node_modules/${name}` in lock.packages) && !(`${path}/node_modules/${name}` in lock.packages),
      )
      .map(([name, version]) => ({ name, version, isDev: locked.dev === true })),
  );
}

/** The lockfile with an entry for each missing package, limited to the system that its name states. */
export function completeLockfile(lock: Lockfile): Lockfile {
  const { "": root = {}, ...rest } = lock.packages;
  const added = missingOptional(lock).map(({ name, version, isDev }) => {
    const [, os, cpu, abi] = PLATFORM.exec(name) ?? [];
    if (os === undefined || cpu === undefined) throw new Error(`Cannot lock ${name}: its name states no system`);
    const libc = os === "linux" && abi !== undefined ? { libc: [abi.includes("musl") ? "musl" : "glibc"] } : {};
    const entry = { version, cpu: [cpu], ...(isDev ? { dev: true } : {}), ...libc, optional: true, os: [os] };
    return [`node_modules/${name}`, entry] as const;
  });
  const sorted = [...Object.entries(rest), ...added].toSorted(([a], [b]) => (a < b ? -1 : 1));
  return { ...lock, packages: { "": root, ...Object.fromEntries(sorted) } };
}
