import { join } from "node:path";
import { Secret } from "../kernel/secret.ts";
import { MasterKeyRefused } from "./keyring-error.ts";
import { masterKeyFromBytes } from "./master-key.ts";
import { readMasterKeyFile } from "./master-key-file.ts";
import type { MasterKeySource } from "./master-key-source.ts";
import { keyBytesFromText, refuseWeakKey } from "./master-key-text.ts";
import { keyFromPassphrase } from "./passphrase.ts";
import { readPrivately } from "./private-file.ts";

const MAX_WORDS_BYTES = 4096;

/**
 * Base64 or hex of 32 bytes that the operator hands over at each start, from `BETTER_CCFLARE_ENCRYPTION_KEY`. Only the
 * operator can change what the next start is given.
 * @param value Null: none is given, so that it can only be rotated to.
 */
export function valueSource(value: Secret | null): MasterKeySource {
  const name = "the value of BETTER_CCFLARE_ENCRYPTION_KEY";
  return {
    kind: "value",
    async load() {
      const text = value?.reveal() ?? "";
      if (text.length === 0) {
        throw new MasterKeyRefused("empty", name, "it is empty; make one with: openssl rand -base64 32");
      }
      const bytes = keyBytesFromText(text);
      if (bytes === null) {
        throw new MasterKeyRefused(
          "length",
          name,
          "it is not 32 bytes as base64 (44 characters) or hex (64 characters); make one with: openssl rand -base64 32",
        );
      }
      refuseWeakKey(bytes, name);
      return masterKeyFromBytes(bytes);
    },
    prepare: async ({ file }) => masterKeyFromBytes(readMasterKeyFile(requireFile(file, "the new key"), false)),
    settle: () => undefined,
    nextStep: (from) =>
      `give the next start the new key: BETTER_CCFLARE_ENCRYPTION_KEY_FILE must name its file, or BETTER_CCFLARE_ENCRYPTION_KEY hold it${from === "value" ? "" : ", and no other source of the master key may be configured"}`,
  };
}

/**
 * Words of a person, with the salt and the costs of scrypt in `master.kdf` of the data directory.
 * @param words Null: none are given, so that they can only be rotated to.
 */
export function passphraseSource(dataDir: string, words: Secret | null): MasterKeySource {
  const path = join(dataDir, "master.kdf");
  return {
    kind: "passphrase",
    async load(expectedKekId) {
      const given = words ?? new Secret("passphrase", "");
      return masterKeyFromBytes(await keyFromPassphrase(given, path, expectedKekId === null));
    },
    async prepare({ file }) {
      const wordsFile = requireFile(file, "the new passphrase");
      const read = readPrivately(wordsFile, MAX_WORDS_BYTES);
      if (read === null) throw new MasterKeyRefused("absent", wordsFile, "there is no such file");
      const next = new Secret("passphrase", read.content.toString("utf8").replace(/\r?\n$/, ""));
      read.content.fill(0);
      // The salt belongs to the installation, not to the words: a crash can never part them.
      return masterKeyFromBytes(await keyFromPassphrase(next, path, true));
    },
    settle: () => undefined,
    nextStep: (from) =>
      `give the next start the new passphrase: BETTER_CCFLARE_PASSPHRASE_FILE must name its file${from === "passphrase" ? "" : ", and no other source of the master key may be configured"}`,
  };
}

function requireFile(file: string | null, what: string): string {
  if (file !== null) return file;
  throw new MasterKeyRefused("absent", what, "no file was named; give it with --new-key-file");
}
