import { join } from "node:path";
import { checkFileLength } from "./check-file-length.ts";
import { checkForeignIdentity } from "./check-foreign-identity.ts";
import { checkLockfile, checkOnlyLockfile } from "./check-lockfile.ts";
import { checkMigrations } from "./check-migrations.ts";
import { checkReveal } from "./check-reveal.ts";
import { repositoryRoot, sourceFiles } from "./source-files.ts";

const files = await sourceFiles(repositoryRoot);
const complaints = [
  ...checkReveal(files),
  ...checkFileLength(files),
  ...checkMigrations(files),
  ...checkForeignIdentity(files),
  ...checkLockfile(await Bun.file(join(repositoryRoot, "package-lock.json")).json()),
  ...checkOnlyLockfile(repositoryRoot),
];
for (const complaint of complaints) console.error(complaint);
console.error(`Checked ${files.length} files: ${complaints.length} complaints`);
process.exitCode = complaints.length === 0 ? 0 : 1;
