import { complaintOf, type Keychain, KeychainFailure, runCommand, type SystemEnvironment } from "./keychain.ts";

const ATTRIBUTES = ["service", "better-ccflare", "master-key"] as const;

/** Linux: `secret-tool` of libsecret, over the Secret Service (GNOME Keyring, KWallet, KeePassXC). See secret-tool(1). */
export function secretTool(env: SystemEnvironment): Keychain {
  return {
    name: "the keychain (secret-tool)",
    async read(entry) {
      const result = await runCommand(["secret-tool", "lookup", ...ATTRIBUTES, entry], { env });
      if (result.code === 0 && result.stdout !== "") return result.stdout.replace(/\n$/, "");
      if (result.stderr.trim() !== "") throw new KeychainFailure(complaintOf(result));
      // Exit code 1 and not a word: it is not there, or it is locked, which only a search tells apart.
      const found = await runCommand(["secret-tool", "search", ...ATTRIBUTES, entry], { env });
      if (found.stdout !== "") throw new KeychainFailure("it is locked: unlock it and start again");
      return null;
    },
    async write(entry, text) {
      const label = `--label=better-ccflare master key ${entry}`;
      const result = await runCommand(["secret-tool", "store", label, ...ATTRIBUTES, entry], { env, stdin: text });
      if (result.code !== 0) throw new KeychainFailure(complaintOf(result));
    },
  };
}
