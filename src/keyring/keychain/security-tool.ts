import { complaintOf, type Keychain, KeychainFailure, runCommand, type SystemEnvironment } from "./keychain.ts";

const SERVICE = "better-ccflare master key";
/** errSecItemNotFound, as `security` ends with it. */
const NOT_FOUND = 44;

/** macOS: `security` and the login keychain. See security(1). */
export function securityTool(env: SystemEnvironment): Keychain {
  return {
    name: "the keychain (security)",
    async read(entry) {
      const result = await runCommand(["security", "find-generic-password", "-s", SERVICE, "-a", entry, "-w"], { env });
      if (result.code === 0) return result.stdout.replace(/\n$/, "");
      if (result.code === NOT_FOUND) return null;
      throw new KeychainFailure(complaintOf(result));
    },
    async write(entry, text) {
      // Commands come over stdin: the arguments of a process can be seen by every other one.
      const command = `add-generic-password -U -s "${SERVICE}" -a "${entry}" -w "${text}"\n`;
      const result = await runCommand(["security", "-i"], { env, stdin: command });
      if (result.code !== 0 || result.stderr.trim() !== "") throw new KeychainFailure(complaintOf(result));
    },
  };
}
