import { randomBytes } from "node:crypto";
import { existsSync, renameSync, rmSync } from "node:fs";
import { dirname } from "node:path";
import { KEY_BYTES } from "./aead.ts";
import { type MasterKey, masterKeyFromBytes } from "./master-key.ts";
import { readMasterKeyFile } from "./master-key-file.ts";
import type { MasterKeySource } from "./master-key-source.ts";
import { syncDirectory, writePrivately } from "./private-file.ts";

/** The gateway's own file. A rotation lays the new key beside it first, and renames it when it is in use. */
export function fileSource(path: string): MasterKeySource {
  return {
    kind: "file",
    load: async (expectedKekId) => loadFromFile(path, expectedKekId),
    async prepare({ file, currentKekId }) {
      const bytes = file === null ? randomBytes(KEY_BYTES) : readMasterKeyFile(file, false);
      // A rotation before may have ended half-way: what lies beside can be the only copy of the key in use.
      takeIfNeeded(path, currentKekId);
      writePrivately(nextOf(path), bytes);
      return masterKeyFromBytes(bytes);
    },
    settle: () => takeNext(path),
    nextStep: (from) =>
      from === "file"
        ? null
        : "let the next start read its own file: unset BETTER_CCFLARE_MASTER_KEY_SOURCE, BETTER_CCFLARE_ENCRYPTION_KEY, BETTER_CCFLARE_ENCRYPTION_KEY_FILE and BETTER_CCFLARE_PASSPHRASE_FILE, and vault.masterKeySource in the config file",
  };
}

/** The key of the file, after a rotation that a crash interrupted was ended one way or the other. */
function loadFromFile(path: string, expectedKekId: string | null): MasterKey {
  takeIfNeeded(path, expectedKekId);
  const masterKey = masterKeyFromBytes(readMasterKeyFile(path, expectedKekId === null));
  // The data keys were not wrapped anew: what was laid beside counts for nothing.
  if (masterKey.id === expectedKekId) rmSync(nextOf(path), { force: true });
  return masterKey;
}

/** What was laid beside takes its place when it is the key in use. */
function takeIfNeeded(path: string, kekId: string | null): void {
  if (!existsSync(nextOf(path))) return;
  const next = masterKeyFromBytes(readMasterKeyFile(nextOf(path), false));
  next.erase();
  if (next.id === kekId) takeNext(path);
}

function takeNext(path: string): void {
  renameSync(nextOf(path), path);
  syncDirectory(dirname(path));
}

function nextOf(path: string): string {
  return `${path}.next`;
}
