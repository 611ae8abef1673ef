/** What the system calls say, as the end of a sentence. */
const SYSTEM_PROBLEMS: ReadonlyMap<string, string> = new Map([
  ["ENOSPC", "the disk is full"],
  ["EDQUOT", "the disk quota is used up"],
  ["EROFS", "the disk is read-only"],
  ["EACCES", "this user may not write there"],
  ["EPERM", "the system does not let this user write there"],
  ["ENOTDIR", "a part of the path is not a directory"],
  ["EEXIST", "it is not a directory"],
  ["ELOOP", "a part of the path is a link to itself"],
  ["ENAMETOOLONG", "the path is too long"],
  ["EIO", "the disk fails"],
]);

/** The same for result codes of SQLite; extended ones begin with the primary one. The first that fits counts. @see https://sqlite.org/rescode.html */
const ENGINE_PROBLEMS: readonly (readonly [code: string, problem: string])[] = [
  ["SQLITE_FULL", "the disk is full"],
  ["SQLITE_READONLY", "the database is read-only"],
  ["SQLITE_BUSY", "another process holds the database locked"],
  ["SQLITE_LOCKED", "another connection holds the database locked"],
  ["SQLITE_CANTOPEN", "the database cannot be opened"],
  ["SQLITE_IOERR_SHMSIZE", "the disk is full"],
  ["SQLITE_IOERR", "the disk fails"],
  ["SQLITE_CORRUPT", "the database is damaged; restore it from a backup"],
  ["SQLITE_NOTADB", "the file is not a database"],
  ["SQLITE_PERM", "this user may not open the database"],
];

const MAX_CAUSES = 4;

/** What is wrong with the disk or the database file; null when the error, and what caused it, says nothing of them. */
export function describeDiskProblem(cause: unknown): string | null {
  let current = cause;
  for (let depth = 0; depth < MAX_CAUSES && current instanceof Error; depth += 1) {
    const code = "code" in current && typeof current.code === "string" ? current.code : "";
    const problem = SYSTEM_PROBLEMS.get(code) ?? ENGINE_PROBLEMS.find(([name]) => isUnder(code, name))?.[1];
    if (problem !== undefined) return `${problem} (${code})`;
    current = current.cause;
  }
  return null;
}

function isUnder(code: string, primary: string): boolean {
  return code === primary || code.startsWith(`${primary}_`);
}
