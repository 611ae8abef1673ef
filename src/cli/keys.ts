import { resolve } from "node:path";
import { type Command, Option } from "commander";
import {
  rotatedMasterKeySchema,
  rotateMasterKeySchema,
  type VaultStatusWire,
  type VaultVerificationWire,
  vaultStatusSchema,
  vaultVerificationSchema,
} from "../contract/vault.ts";
import type { AdminClient } from "./admin-client.ts";
import { CliFailure, type CliIo, EXIT, emit } from "./cli-io.ts";
import { renderTable, shortInstant } from "./table.ts";

type JsonOption = { readonly json?: boolean };
type RotateOptions = JsonOption & { readonly to?: string; readonly newKeyFile?: string };

const MASTER_KEY_EXAMPLES = `
Examples:
  keys rotate-master-key                    another key, kept where the one in use is kept
  keys rotate-master-key --to keychain      a new key in the keychain of the operating system
  keys rotate-master-key --to pkcs11        a new key that never leaves the token
  (umask 077 && openssl rand -base64 32 > /root/new-master.key)
  keys rotate-master-key --to value --new-key-file /root/new-master.key`;

/** `key` is about the callers' keys, `keys` about those of the vault. */
export function addVaultCommands(program: Command, io: CliIo, client: AdminClient): void {
  const keys = program.command("keys").description("The vault's own keys: what seals credentials at rest");

  keys
    .command("status")
    .description("Show the master key's id and every data key")
    .option("--json", "print JSON")
    .action(async (options: JsonOption) => {
      emit(io, options.json === true, await client.get("/api/vault", vaultStatusSchema), renderStatus);
    });

  keys
    .command("rotate-data-key")
    .description("Make a new data key, and seal everything anew with it in the background")
    .argument("[purpose]", "accounts or apikey-pepper, as `keys status` lists them; all when it is left out")
    .option("--json", "print JSON")
    .action(async (purpose: string | undefined, options: JsonOption) => {
      const body = purpose === undefined ? {} : { purpose };
      const rotated = await client.post("/api/vault/rotate-data-key", vaultStatusSchema, body);
      emit(io, options.json === true, rotated, renderStatus);
    });

  keys
    .command("rotate-master-key")
    .description("Wrap the data keys by another master key, kept in the same place or in another one")
    .addOption(
      new Option("--to <source>", "where the new key is kept; as before when it is left out").choices(
        rotateMasterKeySchema.shape.to.unwrap().options,
      ),
    )
    .option("--new-key-file <path>", "the key, or for a passphrase the words, in a file on the gateway's machine")
    .option("--json", "print JSON")
    .addHelpText("after", MASTER_KEY_EXAMPLES)
    .action(async ({ to, newKeyFile, ...options }: RotateOptions) => {
      const body = {
        ...(to === undefined ? {} : { to }),
        ...(newKeyFile === undefined ? {} : { newKeyFile: resolve(newKeyFile) }),
      };
      const rotated = await client.post("/api/vault/rotate-master-key", rotatedMasterKeySchema, body);
      emit(io, options.json === true, rotated, ({ masterKeyId, masterKeyKind, previousMasterKeyId }) => {
        return `The master key is now ${masterKeyId} (${masterKeyKind}; it was ${previousMasterKeyId})`;
      });
      if (rotated.nextStep !== null) io.stderr(`Before the next start: ${rotated.nextStep}\n`);
    });

  keys
    .command("verify")
    .description("Open every sealed value; exits 1 when one does not open")
    .option("--json", "print JSON")
    .action(async (options: JsonOption) => {
      const found = await client.post("/api/vault/verify", vaultVerificationSchema);
      emit(io, options.json === true, found, renderVerification);
      if (found.isOk) return;
      throw new CliFailure(EXIT.refused, `Cannot open everything: ${found.problemCount} problems`);
    });
}

function renderStatus(status: VaultStatusWire): string {
  const { masterKeyId, masterKeyKind, dataKeys, isReencrypting } = status;
  const rows = dataKeys.map((key) => [
    key.purpose,
    String(key.id),
    key.state,
    shortInstant(key.createdAt),
    String(key.encryptions),
    String(key.uses),
  ]);
  const lines = [
    `Master key ${masterKeyId} (${masterKeyKind})`,
    ...(status.isMasterKeyReachable ? [] : ["Degraded: the master key does not answer, so that no key can be changed"]),
    renderTable(["PURPOSE", "ID", "STATE", "CREATED (UTC)", "ENCRYPTIONS", "USES"], rows),
  ];
  return isReencrypting ? [...lines, "Sealing anew with the active keys goes on"].join("\n") : lines.join("\n");
}

function renderVerification({ dataKeyCount, sealedCount, problems }: VaultVerificationWire): string {
  const summary = `Opened ${sealedCount} sealed values under ${dataKeyCount} data keys`;
  const rows = problems.map(({ table, column, rowId, problem }) => [`${table}.${column}`, rowId, problem]);
  return rows.length === 0 ? `${summary}: all well` : `${summary}\n${renderTable(["WHERE", "ROW", "PROBLEM"], rows)}`;
}
