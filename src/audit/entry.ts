import type { AuditDraft, AuditValue } from "../control/audit-port.ts";
import { canonicalJson, type JsonValue } from "./canonical-json.ts";

/** Longer text is cut: an entry must stay small whatever a client put into a header. */
const MAX_TEXT = 256;
const MAX_VALUES = 32;

/** Makes a text safe to keep: credentials replaced, one line, nothing that drives a terminal. */
export type CleanText = (text: string) => string;

export type EntryPlace = {
  readonly seq: number;
  readonly atMs: number;
  /** When the entry before was made; null for the first. A clock that went back is said in the entry. */
  readonly previousAtMs: number | null;
};

/** The canonical JSON that is hashed and stored. */
export function entryText(draft: AuditDraft, place: EntryPlace, clean: CleanText): string {
  const text = (value: string) => clean(value.slice(0, MAX_TEXT)).slice(0, MAX_TEXT);
  const { actor, object } = draft;
  const entry: Record<string, JsonValue> = {
    v: 1,
    seq: place.seq,
    at: new Date(place.atMs).toISOString(),
    code: draft.code,
    outcome: draft.code.endsWith("I") ? "ok" : "failed",
    actor: { type: actor.type, id: text(actor.id), ip: actor.ip === null ? null : text(actor.ip) },
    object: {
      type: text(object.type),
      id: text(object.id),
      name: object.name === null ? null : text(object.name),
    },
  };
  if (draft.before !== undefined) entry["before"] = valuesOf(draft.before, text);
  if (draft.after !== undefined) entry["after"] = valuesOf(draft.after, text);
  if (draft.reason !== undefined) entry["reason"] = text(draft.reason);
  if (place.previousAtMs !== null && place.atMs < place.previousAtMs) entry["clockWentBack"] = true;
  return canonicalJson(entry);
}

/** Only what the type allows, also from a caller that went round the type: an object could hold anything. */
function valuesOf(values: Readonly<Record<string, AuditValue>>, text: CleanText): JsonValue {
  const kept = Object.entries(values).slice(0, MAX_VALUES);
  return Object.fromEntries(kept.map(([key, value]) => [text(key), scalarOf(value, text)]));
}

function scalarOf(value: unknown, text: CleanText): JsonValue {
  if (value === null || typeof value === "boolean") return value;
  if (typeof value === "number" && Number.isFinite(value)) return value;
  return typeof value === "string" ? text(value) : "[not recorded]";
}
