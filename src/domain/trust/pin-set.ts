import { err, ok, type Result } from "../../kernel/result.ts";
import { type EpochMs, epochMs } from "../../kernel/time.ts";

/** What an operator pinned for one upstream. */
export type PinSet = {
  /** Host name without port, in small letters. */
  readonly host: string;
  readonly mode: "report" | "enforce";
  /** From then on a mismatch is reported and nothing more, so that a forgotten pin cannot stop the gateway for good. */
  readonly untilMs: EpochMs;
  /** SHA-256 of a subjectPublicKeyInfo, base64 (RFC 7469 section 2.4). At least two: one must be a way out. */
  readonly pins: readonly string[];
};

export type PinVerdict = "matches" | "report" | "refuse";

/** "api.anthropic.com enforce 2027-06-30 sha256/... sha256/...": the shape alone, `parsePinSet` says the rest. */
export const PIN_SET =
  /^[0-9A-Za-z.:-]{1,253} (?:report|enforce) \d{4}-\d{2}-\d{2}(?: sha256\/[0-9A-Za-z+/]{43}=){1,10}$/u;

/** The error is a fact, e.g. "it has one pin". */
export function parsePinSet(text: string): Result<PinSet, string> {
  if (!PIN_SET.test(text)) return err("it is not host, mode, date and pins, with one space between them");
  const [host = "", mode = "", date = "", ...words] = text.split(" ");
  const untilMs = Date.parse(`${date}T00:00:00Z`);
  // The platform makes the 31st of February the 3rd of March.
  if (Number.isNaN(untilMs) || new Date(untilMs).toISOString().slice(0, 10) !== date)
    return err(`there is no day ${date}`);
  const pins = [...new Set(words.map((word) => word.slice("sha256/".length)))];
  if (pins.length < 2)
    return err("it has one pin, and a second one must be there for the day when that key is replaced");
  return ok({
    host: host.toLowerCase(),
    mode: mode === "enforce" ? "enforce" : "report",
    untilMs: epochMs(untilMs),
    pins,
  });
}

/** `keys`: pins of the certificate and of those that signed it, each signature checked. */
export function judgePins(set: PinSet, keys: readonly string[], nowMs: EpochMs): PinVerdict {
  if (keys.some((key) => set.pins.includes(key))) return "matches";
  return set.mode === "enforce" && nowMs < set.untilMs ? "refuse" : "report";
}
