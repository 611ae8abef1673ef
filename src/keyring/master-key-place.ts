import { existsSync, renameSync, rmSync } from "node:fs";
import { dirname } from "node:path";
import type { MasterKeyKind } from "../control/vault.ts";
import { loadMasterKey, type MasterKey, masterKeyFromBytes } from "./master-key.ts";
import { readMasterKeyFile } from "./master-key-file.ts";
import { syncDirectory, writePrivately } from "./private-file.ts";

/** Where the next start looks for the master key, and how a rotation puts another one there. */
export type MasterKeyPlace = {
  readonly kind: MasterKeyKind;
  /**
   * Reads the key of a rotation, and lays it beside the one in use where the gateway owns the place.
   * @param currentKekId The key that wraps the stored data keys now.
   */
  prepare(keyFile: string, currentKekId: string): MasterKey;
  /** The stored data keys are wrapped by the prepared key: it takes the old one's place. */
  settle(): void;
  /** What the operator must do before the next start; null when nothing. */
  readonly nextStep: string | null;
};

/**
 * The gateway's own file. A rotation lays the new key beside it first: whenever the process dies, the key that wraps
 * the data keys is one of the two.
 */
export function filePlace(path: string): MasterKeyPlace {
  return {
    kind: "file",
    prepare(keyFile, currentKekId) {
      const bytes = readMasterKeyFile(keyFile, false);
      // A rotation before may have ended half-way: what lies beside can be the only copy of the key in use.
      loadFromPlace(path, currentKekId).erase();
      writePrivately(nextOf(path), bytes);
      return masterKeyFromBytes(bytes);
    },
    settle: () => takeNext(path),
    nextStep: null,
  };
}

/** A key that the operator hands over at each start: only the operator can change what the next start is given. */
export function givenPlace(kind: "value" | "passphrase"): MasterKeyPlace {
  return {
    kind,
    prepare: (path) => loadMasterKey({ kind: "file", path, createIfAbsent: false }),
    settle: () => undefined,
    nextStep:
      kind === "value"
        ? "give the next start the new key: BETTER_CCFLARE_ENCRYPTION_KEY_FILE must name its file, or BETTER_CCFLARE_ENCRYPTION_KEY hold it"
        : "give the next start the new key: set BETTER_CCFLARE_ENCRYPTION_KEY_FILE to its file, and unset BETTER_CCFLARE_PASSPHRASE_FILE",
  };
}

/**
 * The key of the gateway's own file, after a rotation that a crash interrupted was ended one way or the other.
 * @param expectedKekId The key that wraps the stored data keys; null at the first start, which makes the file.
 */
export function loadFromPlace(path: string, expectedKekId: string | null): MasterKey {
  const masterKey = loadMasterKey({ kind: "file", path, createIfAbsent: expectedKekId === null });
  if (!existsSync(nextOf(path))) return masterKey;
  if (masterKey.id === expectedKekId) {
    // The data keys were not wrapped anew: what was laid beside counts for nothing.
    rmSync(nextOf(path), { force: true });
    return masterKey;
  }
  const next = loadMasterKey({ kind: "file", path: nextOf(path), createIfAbsent: false });
  if (next.id !== expectedKekId) {
    next.erase();
    return masterKey;
  }
  takeNext(path);
  masterKey.erase();
  return next;
}

function takeNext(path: string): void {
  renameSync(nextOf(path), path);
  syncDirectory(dirname(path));
}

function nextOf(path: string): string {
  return `${path}.next`;
}
