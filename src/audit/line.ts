import { canonicalJson } from "./canonical-json.ts";

/** One line of an export and of audit.log: the same lines in the same order, so one verifier reads both. */
export type AuditLine =
  | { readonly type: "log"; readonly logId: string; readonly publicKey: Uint8Array }
  | { readonly type: "entry"; readonly entry: string; readonly hash: Uint8Array }
  | { readonly type: "checkpoint"; readonly statement: string; readonly signature: Uint8Array }
  /** Right behind the first line: what was before was removed when its time was over. */
  | { readonly type: "pruned"; readonly statement: string; readonly signature: Uint8Array };

/** Without the line break. Entry and statement are strings inside the line: their bytes are what is hashed and signed. */
export function formatLine(line: AuditLine): string {
  switch (line.type) {
    case "log":
      return canonicalJson({ type: "log", v: 1, log: line.logId, publicKey: hexOf(line.publicKey) });
    case "entry":
      return canonicalJson({ type: "entry", entry: line.entry, hash: hexOf(line.hash) });
    case "checkpoint":
    case "pruned":
      return canonicalJson({ type: line.type, statement: line.statement, signature: hexOf(line.signature) });
  }
}

/** Null when it is none of the lines that `formatLine` makes. */
export function parseLine(text: string): AuditLine | null {
  const value = parseObject(text);
  if (value === null) return null;
  const { type, log, publicKey, entry, hash, statement, signature } = value;
  if (type === "log" && typeof log === "string")
    return withBytes(publicKey, (key) => ({ type, logId: log, publicKey: key }));
  if (type === "entry" && typeof entry === "string") return withBytes(hash, (bytes) => ({ type, entry, hash: bytes }));
  if ((type === "checkpoint" || type === "pruned") && typeof statement === "string") {
    return withBytes(signature, (bytes) => ({ type, statement, signature: bytes }));
  }
  return null;
}

type Fields = { readonly [key: string]: unknown };

/** Null when the text is not a JSON object. */
export function parseObject(text: string): Fields | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null && !Array.isArray(value) ? { ...value } : null;
  } catch {
    return null;
  }
}

export function hexOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}

function withBytes(hex: unknown, make: (bytes: Uint8Array) => AuditLine): AuditLine | null {
  // Buffer.from skips what is not hex: only the one spelling counts.
  return typeof hex === "string" && /^([0-9a-f]{2})+$/u.test(hex) ? make(Buffer.from(hex, "hex")) : null;
}
