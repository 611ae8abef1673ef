import { err, ok, type Result } from "../../kernel/result.ts";
import { base62FromNumber, base62FromRandom } from "./base62.ts";
import { type ClientKeyId, clientKeyId } from "./client-key-id.ts";
import { crc32OfAscii } from "./crc32.ts";

/** sk: data plane. ad: admin token. st: one-time setup. */
export type ClientKeyType = "sk" | "ad" | "st";

/** What a key says about itself. It proves nothing until its HMAC is found. */
export type ParsedClientKey = { readonly type: ClientKeyType; readonly keyId: ClientKeyId };

/**
 * `bccf_<type>_<kid 10><secret 43><crc 6>`, base62; published so that secret scanners find leaked keys.
 * 43 base62 characters hold 256 bits. The CRC is the CRC-32 of everything before it.
 */
export const clientKeyPattern: RegExp = /^bccf_(?:sk|ad|st)_[0-9A-Za-z]{59}$/;

/** Enough for `composeClientKey`: 53 characters are drawn, and 96 bytes run short once in 10^40 times. */
export const CLIENT_KEY_RANDOM_BYTES = 96;

const PREFIX_LENGTH = "bccf_sk_".length;
const KID_LENGTH = 10;
const SECRET_LENGTH = 43;
const CRC_LENGTH = 6;
const CHECKED_LENGTH = PREFIX_LENGTH + KID_LENGTH + SECRET_LENGTH;
const KEY_LENGTH = CHECKED_LENGTH + CRC_LENGTH;

/** Total and without crypto (below 1 us): noise is refused before anything costs. */
// hot path
export function parseClientKey(text: string): Result<ParsedClientKey, "format" | "checksum"> {
  if (text.length !== KEY_LENGTH || !clientKeyPattern.test(text)) return err("format");
  const type = clientKeyTypeOf(text.slice(5, 7));
  if (type === null) return err("format");
  // Comparing the spelling, not the number, also refuses a checksum above 2^32.
  const expected = base62FromNumber(crc32OfAscii(text, CHECKED_LENGTH), CRC_LENGTH);
  if (text.slice(CHECKED_LENGTH) !== expected) return err("checksum");
  return ok({ type, keyId: clientKeyId(text.slice(PREFIX_LENGTH, PREFIX_LENGTH + KID_LENGTH)) });
}

/**
 * @param randomBytes `CLIENT_KEY_RANDOM_BYTES` from a CSPRNG, used for this key alone.
 * @throws RangeError when there are too few.
 */
export function composeClientKey(type: ClientKeyType, randomBytes: Uint8Array): string {
  const checked = `bccf_${type}_${base62FromRandom(randomBytes, KID_LENGTH + SECRET_LENGTH)}`;
  return checked + base62FromNumber(crc32OfAscii(checked, CHECKED_LENGTH), CRC_LENGTH);
}

/**
 * A provider's own credential that arrives where a client key belongs: it is refused with an explanation and never
 * forwarded. `claude_ai_token`: a personal claude.ai OAuth token. `provider_key`: a Console API key.
 */
export function looksLikeProviderCredential(text: string): "claude_ai_token" | "provider_key" | null {
  if (text.startsWith("sk-ant-oat") || text.startsWith("sk-ant-ort")) return "claude_ai_token";
  return text.startsWith("sk-ant-api") ? "provider_key" : null;
}

function clientKeyTypeOf(text: string): ClientKeyType | null {
  return text === "sk" || text === "ad" || text === "st" ? text : null;
}
