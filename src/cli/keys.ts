import { resolve } from "node:path";
import type { Command } from "commander";
import {
  rotatedMasterKeySchema,
  type VaultStatusWire,
  type VaultVerificationWire,
  vaultStatusSchema,
  vaultVerificationSchema,
} from "../contract/vault.ts";
import type { AdminClient } from "./admin-client.ts";
import { CliFailure, type CliIo, EXIT, emit } from "./cli-io.ts";
import { renderTable, shortInstant } from "./table.ts";

type JsonOption = { readonly json?: boolean };

const MASTER_KEY_EXAMPLE = `
Example:
  (umask 077 && openssl rand -base64 32 > /root/new-master.key)
  keys rotate-master-key --new-key-file /root/new-master.key`;

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
    .description(
      "Wrap the data keys by another master key: 32 random bytes in a file that only the gateway's user reads",
    )
    .requiredOption("--new-key-file <path>", "on the gateway's machine")
    .option("--json", "print JSON")
    .addHelpText("after", MASTER_KEY_EXAMPLE)
    .action(async (options: JsonOption & { newKeyFile: string }) => {
      const body = { newKeyFile: resolve(options.newKeyFile) };
      const rotated = await client.post("/api/vault/rotate-master-key", rotatedMasterKeySchema, body);
      emit(io, options.json === true, rotated, ({ masterKeyId, previousMasterKeyId }) => {
        return `The master key is now ${masterKeyId} (it was ${previousMasterKeyId})`;
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

function renderStatus({ masterKeyId, masterKeyKind, dataKeys, isReencrypting }: VaultStatusWire): string {
  const rows = dataKeys.map((key) => [
    key.purpose,
    String(key.id),
    key.state,
    shortInstant(key.createdAt),
    String(key.uses),
  ]);
  const lines = [
    `Master key ${masterKeyId} (${masterKeyKind})`,
    renderTable(["PURPOSE", "ID", "STATE", "CREATED (UTC)", "USES"], rows),
  ];
  return isReencrypting ? [...lines, "Sealing anew with the active keys goes on"].join("\n") : lines.join("\n");
}

function renderVerification({ dataKeyCount, sealedCount, problems }: VaultVerificationWire): string {
  const summary = `Opened ${sealedCount} sealed values under ${dataKeyCount} data keys`;
  const rows = problems.map(({ table, column, rowId, problem }) => [`${table}.${column}`, rowId, problem]);
  return rows.length === 0 ? `${summary}: all well` : `${summary}\n${renderTable(["WHERE", "ROW", "PROBLEM"], rows)}`;
}
