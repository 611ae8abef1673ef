import { z } from "zod";

const UNIT_MS = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 } as const;

/** A span of time as people write it: a whole number and one of s, m, h, d, w ("90d"). */
export const spanSchema = z
  .string()
  .regex(/^[1-9][0-9]{0,5}[smhdw]$/, 'must be a whole number and one of s, m, h, d, w, like "24h"')
  .meta({ description: "A whole number and one of s, m, h, d, w", example: "24h" });

/** Milliseconds of a span, or null when the text is not one. */
export function spanMs(text: string): number | null {
  const match = /^([1-9][0-9]{0,5})([smhdw])$/.exec(text);
  const unit = match?.[2];
  if (match === null || unit === undefined || !isUnit(unit)) return null;
  return Number(match[1]) * UNIT_MS[unit];
}

function isUnit(text: string): text is keyof typeof UNIT_MS {
  return text in UNIT_MS;
}
