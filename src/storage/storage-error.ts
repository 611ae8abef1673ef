import { describeDiskProblem } from "./disk-problem.ts";

/** Another process has this data directory open. Two writers would count and bench behind each other's back. */
export class DataDirectoryInUse extends Error {
  readonly directory: string;

  constructor(directory: string, cause: unknown) {
    super(`Cannot open ${directory}: another process is using it; stop that one, or give this one its own directory`, {
      cause,
    });
    this.name = "DataDirectoryInUse";
    this.directory = directory;
  }
}

/** The database was written by a newer release. Nothing was changed. */
export class SchemaTooNew extends Error {
  readonly unknownMigration: string;

  constructor(path: string, unknownMigration: string) {
    super(`Cannot open ${path}: a newer release wrote it (migration ${unknownMigration}); start that release`);
    this.name = "SchemaTooNew";
    this.unknownMigration = unknownMigration;
  }
}

/** The engine's own check failed before a migration. Nothing was changed. */
export class DatabaseDamaged extends Error {
  constructor(path: string, complaint: string) {
    super(`Cannot migrate ${path}: it is damaged (${complaint}); restore it from a backup`);
    this.name = "DatabaseDamaged";
  }
}

/** The disk does not let the gateway keep its files there. */
export class DataDirectoryUnusable extends Error {
  constructor(directory: string, problem: string, cause: unknown) {
    super(`Cannot use the data directory ${directory}: ${problem}`, { cause });
    this.name = "DataDirectoryUnusable";
  }
}

/** Turns what the disk said while `directory` was opened into a sentence; gives back everything else. */
export function explainOpening(directory: string, cause: unknown): unknown {
  const isExplained = [DataDirectoryInUse, SchemaTooNew, DatabaseDamaged].some((kind) => cause instanceof kind);
  const problem = isExplained ? null : describeDiskProblem(cause);
  return problem === null ? cause : new DataDirectoryUnusable(directory, problem, cause);
}
