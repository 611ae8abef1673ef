/** The engine's extended result code, e.g. "SQLITE_BUSY_SNAPSHOT"; null for another kind of error. */
export function sqliteCode(cause: unknown): string | null {
  if (!(cause instanceof Error && cause.name === "SQLiteError" && "code" in cause)) return null;
  return typeof cause.code === "string" ? cause.code : null;
}

/** Another connection holds the lock: the statement did nothing and may be run again. */
export function isBusy(cause: unknown): boolean {
  const code = sqliteCode(cause);
  return code !== null && (code === "SQLITE_LOCKED" || code === "SQLITE_BUSY" || code.startsWith("SQLITE_BUSY_"));
}

/** A unique index other than the primary key refused the row. */
export function isUniqueViolation(cause: unknown): boolean {
  return sqliteCode(cause) === "SQLITE_CONSTRAINT_UNIQUE";
}
