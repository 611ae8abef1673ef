import { z } from "zod";
import { type IpNetwork, parseIpNetwork } from "../domain/access/ip-address.ts";
import type { DurationMs } from "../kernel/time.ts";
import { durationMs } from "../kernel/time.ts";

/** Flags that change the configuration, named as commander names them (`--data-dir` is `dataDir`). */
export type ConfigFlags = {
  readonly config?: string | undefined;
  readonly port?: string | undefined;
  readonly host?: string | undefined;
  readonly dataDir?: string | undefined;
  readonly logLevel?: string | undefined;
  readonly logFormat?: string | undefined;
  readonly debug?: boolean | undefined;
};

export type FlagName = keyof ConfigFlags;

/** Where an operator may write a setting, besides the file. */
export type Names = { readonly env?: string; readonly flag?: FlagName };

/** One row of the table in settings.ts: how a raw value becomes a `Value`. */
export type Setting<Value> = Names & {
  /** Accepts what the file may hold and the text that env and flags hold. */
  readonly schema: z.ZodType<Value>;
  /** Ends the sentence "it must be ...". */
  readonly shape: string;
  /** In the file's notation; goes through `schema` like any other value. */
  readonly fallback: string | number | boolean;
  /** One line for `config check` and the docs. */
  readonly help: string;
};

type Row<Extra> = Names & Extra & { readonly help: string };
type NumberRow = Row<{ readonly min: number; readonly max: number; readonly fallback: number }>;

// Digits only: Number() would take "", " 8", "0x10" and "1e3".
const DECIMAL = /^\d+(\.\d+)?$/u;

function numberFromText(raw: unknown): unknown {
  return typeof raw === "string" && DECIMAL.test(raw) ? Number(raw) : raw;
}

function booleanFromText(raw: unknown): unknown {
  if (raw === "1" || raw === "true") return true;
  return raw === "0" || raw === "false" ? false : raw;
}

export function integer(row: NumberRow): Setting<number> {
  const schema = z.preprocess(numberFromText, z.number().int().min(row.min).max(row.max));
  return { ...row, schema, shape: `an integer from ${row.min} to ${row.max}` };
}

export function decimal(row: NumberRow): Setting<number> {
  const schema = z.preprocess(numberFromText, z.number().min(row.min).max(row.max));
  return { ...row, schema, shape: `a number from ${row.min} to ${row.max}` };
}

/** A span in whole milliseconds, from 1 ms (or `min`) to one day. */
export function span(row: Row<{ readonly min?: number; readonly fallback: number }>): Setting<DurationMs> {
  const { min = 1, ...names } = row;
  const whole = z.number().int().min(min).max(86_400_000);
  const schema = z.preprocess(numberFromText, whole).transform(durationMs);
  return { ...names, schema, shape: `whole milliseconds from ${min} to 86400000 (one day)` };
}

/** In env: 1, 0, true or false. */
export function switchable(row: Row<{ readonly fallback: boolean }>): Setting<boolean> {
  return { ...row, schema: z.preprocess(booleanFromText, z.boolean()), shape: "1, 0, true or false" };
}

export function text(row: Row<{ readonly fallback: string; readonly pattern: RegExp; readonly shape: string }>) {
  const { pattern, ...rest } = row;
  return { ...rest, schema: z.string().regex(pattern) } satisfies Setting<string>;
}

/**
 * Several values of one pattern: an array in the file; in env separated by commas, or the word none. At most 100.
 * The default is the empty list.
 */
export function list(row: Row<{ readonly pattern: RegExp; readonly shape: string }>): Setting<readonly string[]> {
  const { pattern, ...rest } = row;
  const schema = z.preprocess(listFromText, z.array(z.string().regex(pattern)).max(100));
  return { ...rest, schema, fallback: NO_ENTRIES };
}

/** Addresses and ranges of addresses, as `list`. `isNarrow`: a range that holds every address is refused. */
export function networks(row: Row<{ readonly isNarrow: boolean }>): Setting<readonly IpNetwork[]> {
  const { isNarrow, ...rest } = row;
  const network = z.string().transform((text, context): IpNetwork => {
    const parsed = parseIpNetwork(text);
    if (parsed.ok && !(isNarrow && parsed.value.prefixBits === 0)) return parsed.value;
    context.addIssue({ code: "custom" });
    return z.NEVER;
  });
  const shape = `a list of IP addresses and ranges, like 10.0.0.0/8, with no bits set behind the prefix${isNarrow ? " and none that holds every address" : ""}`;
  return {
    ...rest,
    schema: z.preprocess(listFromText, z.array(network).max(100)),
    shape,
    fallback: NO_ENTRIES,
  };
}

const NO_ENTRIES = "none";

function listFromText(raw: unknown): unknown {
  if (typeof raw !== "string") return raw;
  return raw === NO_ENTRIES ? [] : raw.split(",").map((entry) => entry.trim());
}

/** As `list` reads it. */
export function listText(entries: readonly unknown[]): string {
  return entries.length === 0 ? NO_ENTRIES : entries.map(entryText).join(",");
}

function entryText(entry: unknown): string {
  return typeof entry === "object" && entry !== null && "text" in entry ? String(entry.text) : String(entry);
}

export function oneOf<const Word extends string>(
  row: Row<{ readonly words: readonly Word[]; readonly fallback: Word }>,
): Setting<Word> {
  const { words, ...rest } = row;
  return { ...rest, schema: z.enum(words), shape: `one of ${words.join(", ")}` };
}
