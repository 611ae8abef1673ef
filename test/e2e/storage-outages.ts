import { Database } from "bun:sqlite";
import {
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Outage } from "./storage-outage.ts";

const DATABASE_FILES = ["gateway.db", "gateway.db-wal", "gateway.db-shm"];

/** Another process holds the write lock. */
export function lockedDatabase(): Outage {
  let holder: Database | null = null;
  return {
    begin(dataDir) {
      holder = new Database(join(dataDir, "gateway.db"));
      holder.run("pragma busy_timeout = 5000");
      holder.run("begin exclusive");
    },
    end() {
      holder?.close();
      holder = null;
    },
    warning: /The database refuses ledger rows: .*database is locked/,
  };
}

/** Somebody moved the database away, and puts it back. */
export function absentDatabase(): Outage {
  const move = (from: string, to: string) => {
    for (const name of DATABASE_FILES) {
      if (existsSync(join(from, name))) renameSync(join(from, name), join(to, name));
    }
  };
  const elsewhere = (dataDir: string) => join(dataDir, "elsewhere");
  return {
    begin(dataDir) {
      mkdirSync(elsewhere(dataDir), { mode: 0o700 });
      move(dataDir, elsewhere(dataDir));
    },
    end(dataDir) {
      if (!existsSync(elsewhere(dataDir))) return;
      move(elsewhere(dataDir), dataDir);
      rmSync(elsewhere(dataDir), { recursive: true });
    },
    warning: /The database refuses ledger rows: .*(no such file|unable to open)/i,
  };
}

/** Every write to database and spool is refused, and no file can be made; reading works. Needs `canFreeze`. */
export function frozenDisk(): Outage {
  const frozen = (dataDir: string) => [
    ...["gateway.db", "gateway.db-wal"].map((name) => join(dataDir, name)),
    ...readdirSync(join(dataDir, "spool")).map((name) => join(dataDir, "spool", name)),
    join(dataDir, "spool"),
    dataDir,
  ];
  const change = (flag: "+i" | "-i", dataDir: string) => Bun.spawnSync(["chattr", flag, ...frozen(dataDir)]);
  return {
    begin: (dataDir) => void change("+i", dataDir),
    end: (dataDir) => void change("-i", dataDir),
    warning: /The disk refuses the ledger spool: entries wait in memory.*(EPERM|operation not permitted)/i,
  };
}

/** No byte is left on the disk of the data directory. */
export function fullDisk(): Outage {
  const ballast = (dataDir: string) => join(dataDir, "ballast");
  return {
    begin: (dataDir) => fill(ballast(dataDir)),
    end: (dataDir) => rmSync(ballast(dataDir), { force: true }),
    warning: /The disk refuses the ledger spool: entries wait in memory.*(ENOSPC|disk is full)/i,
    mayTakeChanges: true,
  };
}

/** Writes until the disk takes nothing more, last byte by byte. */
export function fill(path: string): void {
  const fd = openSync(path, "w", 0o600);
  for (const size of [1 << 20, 1 << 12, 1]) {
    try {
      for (;;) writeSync(fd, Buffer.alloc(size));
    } catch (cause) {
      if (!(cause instanceof Error && "code" in cause && cause.code === "ENOSPC")) throw cause;
    }
  }
  closeSync(fd);
}

/** A small disk of its own in memory; null where mounting is not allowed. */
export function mountSmallDisk(
  sizeBytes: number,
): { readonly path: string; remount(options: string): boolean; unmount(): void } | null {
  const path = mkdtempSync(join(tmpdir(), "bccf-disk-"));
  const run = (...argv: string[]) => Bun.spawnSync(argv, { stderr: "ignore" }).exitCode === 0;
  if (process.geteuid?.() !== 0 || !run("mount", "-t", "tmpfs", "-o", `size=${sizeBytes},mode=0700`, "tmpfs", path)) {
    rmSync(path, { recursive: true });
    return null;
  }
  return {
    path,
    remount: (options) => run("mount", "-o", `remount,${options}`, path),
    unmount() {
      run("umount", "--lazy", path);
      rmSync(path, { recursive: true, force: true });
    },
  };
}

/** A small ext4 disk on a loop device; null where that is not allowed. `fail` does what the kernel does on a bad sector. */
export function mountFailingDisk(sizeBytes: number): FailingDisk | null {
  const folder = mkdtempSync(join(tmpdir(), "bccf-ext4-"));
  const image = join(folder, "image");
  const path = join(folder, "disk");
  mkdirSync(path);
  const run = (...argv: string[]) => Bun.spawnSync(argv, { stdout: "ignore", stderr: "ignore" }).exitCode === 0;
  const mount = () => run("mount", "-o", "loop", image, path);
  writeFileSync(image, "");
  truncateSync(image, sizeBytes);
  const unmount = () => {
    run("umount", path);
    rmSync(folder, { recursive: true, force: true });
  };
  if (process.geteuid?.() !== 0 || !run("mkfs.ext4", "-q", image) || !mount()) {
    unmount();
    return null;
  }
  return {
    path,
    fail() {
      // With clean pages the next write through a map has to ask the disk.
      run("sync", "-f", path);
      run("mount", "-o", "remount,abort", path);
    },
    repair() {
      run("umount", path);
      run("fsck.ext4", "-y", image);
      if (!mount()) throw new Error(`Cannot mount ${image} again`);
    },
    unmount,
  };
}

export type FailingDisk = {
  readonly path: string;
  fail(): void;
  /** Only when nobody uses it. */
  repair(): void;
  unmount(): void;
};

/** True when an immutable flag stops writes through descriptors that are open already: as root, on ext4. */
export function canFreeze(): boolean {
  const path = mkdtempSync(join(tmpdir(), "bccf-freeze-"));
  const file = join(path, "file");
  const fd = openSync(file, "a");
  const isSet = Bun.spawnSync(["chattr", "+i", file], { stderr: "ignore" }).exitCode === 0;
  try {
    return isSet && writeSync(fd, "x") === 0;
  } catch {
    // EPERM is the answer that we hope for.
    return true;
  } finally {
    Bun.spawnSync(["chattr", "-i", file], { stderr: "ignore" });
    closeSync(fd);
    rmSync(path, { recursive: true, force: true });
  }
}
