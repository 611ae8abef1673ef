/**
 * Everything that the audit log knows, by its stable code. A code ends in I when it was done, in E when it failed or
 * was refused: KEY001I, KEY001E. Codes are never given a second meaning. docs/guide/audit-codes.md is printed from here.
 */
export const AUDIT_ACTIONS = {
  ACC001: "Add an account",
  ACC002: "Pause an account",
  ACC003: "Resume an account",
  ACC004: "Remove an account",
  ACC005: "Keep the organization that an answer named",
  ACC006: "Keep the models that the provider lists",
  AUD001: "Export the audit log",
  CFG001: "Set the strategy",
  CFG002: "Change the log level, until the gateway stops",
  IMP001: "Import a database of the old project",
  KEY001: "Create a client key",
  KEY002: "Revoke a client key",
  KEY003: "Present a client key (refusals are added up per minute)",
  OAU001: "Begin a login",
  OAU002: "Add an account by a login, its terms confirmed",
  OAU003: "Log an account in again",
  OAU004: "Renew the tokens of a login",
  OAU005: "Give a login up until its owner logs in again",
  SYS001: "Start the gateway",
  SYS002: "Stop the gateway",
  VLT001: "Give a purpose a new data key",
  VLT002: "Destroy a data key that nothing needs",
  VLT003: "Wrap the data keys by another master key",
  VLT004: "Open every sealed value, to verify it",
} as const;

export type AuditAction = keyof typeof AUDIT_ACTIONS;

export type AuditCode = `${AuditAction}${"I" | "E"}`;
