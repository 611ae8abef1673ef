import { closeSync, constants, openSync, readFileSync, rmSync, writeSync } from "node:fs";
import { join } from "node:path";
import type { SetupFile } from "../../control/people-ports.ts";

const NAME = "setup-secret";

/** The data directory is ours alone (0700), and so is the file. */
export function createSetupFile(dataDir: string): SetupFile {
  const path = join(dataDir, NAME);
  return {
    read() {
      try {
        return readFileSync(path, { encoding: "utf8", flag: constants.O_RDONLY | constants.O_NOFOLLOW }).trim();
      } catch (cause) {
        if (isAbsent(cause)) return null;
        throw cause;
      }
    },
    write(text) {
      rmSync(path, { force: true });
      const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
      const file = openSync(path, flags, 0o600);
      try {
        writeSync(file, `${text}\n`);
      } finally {
        closeSync(file);
      }
    },
    remove: () => rmSync(path, { force: true }),
  };
}

function isAbsent(cause: unknown): boolean {
  return cause instanceof Error && "code" in cause && (cause.code === "ENOENT" || cause.code === "ELOOP");
}
