import type { Command } from "commander";
import { CliFailure, type CliIo, EXIT, emit, type ImportReport } from "./cli-io.ts";
import { printable } from "./table.ts";

const EXAMPLES = `
Examples (stop the old gateway and this one first):
  import ~/.config/better-ccflare/better-ccflare.db --dry-run
  import ~/.config/better-ccflare/better-ccflare.db`;

export function addImportCommand(program: Command, io: CliIo): void {
  program
    .command("import")
    .description("Bring accounts, names of client keys and history over from a database of the old project")
    .argument("<database>", "its SQLite file; it is only read")
    .option("--dry-run", "say what would come over, and write nothing")
    .option("--json", "print JSON")
    .addHelpText("after", EXAMPLES)
    .action(async (path: string, options: { readonly dryRun?: boolean; readonly json?: boolean }) => {
      const imported = await io.importOld({ path, isDryRun: options.dryRun === true });
      if (!imported.ok) throw new CliFailure(EXIT.refused, imported.error);
      emit(io, options.json === true, imported.value, render);
      if (options.json === true || options.dryRun === true) return;
      io.stderr(`${path} still holds the old tokens in plain text: delete it when all is well\n`);
    });
}

function render({ accounts, clientKeys, requests, notes, isDryRun }: ImportReport): string {
  const counts = `${accounts} accounts, ${clientKeys} client keys (revoked) and ${requests} requests`;
  return [
    isDryRun ? `Would import ${counts}` : `Imported ${counts}`,
    ...notes.map((note) => `- ${printable(note)}`),
  ].join("\n");
}
