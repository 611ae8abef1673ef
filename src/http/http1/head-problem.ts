import type { Refusal } from "../../gateway/refusal.ts";

/** Why a request head is refused: a key of `PROBLEMS`, negative so that it cannot be taken for a length. */
export type HeadProblem = keyof typeof PROBLEMS;

export const BAD_METHOD = -1;
export const BAD_TARGET = -2;
export const LONG_TARGET = -3;
export const BAD_VERSION = -4;
export const OTHER_VERSION = -5;
export const BAD_REQUEST_LINE = -6;
export const BAD_NAME = -7;
export const FOLDED_LINE = -8;
export const BARE_LINE_END = -9;
export const CONTROL_CHARACTER = -10;
export const LONG_HEAD = -11;
export const MANY_FIELDS = -12;
export const NO_HOST = -13;
export const BAD_HOST = -14;
export const REPEATED = -15;
export const BAD_LENGTH = -16;
export const BAD_CODING = -17;
export const TWO_FRAMINGS = -18;
export const OLD_CODING = -19;
export const UNWANTED_BODY = -20;
export const UPGRADE = -21;
export const BAD_EXPECT = -22;
export const DISGUISED_NAME = -23;
export const NOT_ASCII = -24;
export const BAD_CHUNK = -25;
export const BAD_TRAILER = -26;

export const MAX_HEAD_BYTES = 16 * 1024;
export const MAX_FIELDS = 100;
export const MAX_TARGET_BYTES = 8 * 1024;

const PROBLEMS = {
  [BAD_METHOD]: bad("its method is not GET, HEAD, POST, PUT, PATCH, DELETE or OPTIONS"),
  [BAD_TARGET]: bad("its target is not a path of visible ASCII"),
  [LONG_TARGET]: refusal("GW_TARGET_TOO_LONG", `its target is longer than ${MAX_TARGET_BYTES} bytes`),
  [BAD_VERSION]: bad("its request line does not end with HTTP/1.1"),
  [OTHER_VERSION]: refusal("GW_HTTP_VERSION", "its HTTP version is not 1.1 or 1.0"),
  [BAD_REQUEST_LINE]: bad("its request line is malformed"),
  [BAD_NAME]: bad("a field name is empty, holds an illegal character or is not followed by a colon"),
  [FOLDED_LINE]: bad("a field line is folded"),
  [BARE_LINE_END]: bad("a line ends with a bare CR or LF"),
  [CONTROL_CHARACTER]: bad("a field value holds a control character"),
  [LONG_HEAD]: refusal("GW_HEAD_TOO_LARGE", `its head is larger than ${MAX_HEAD_BYTES} bytes`),
  [MANY_FIELDS]: refusal("GW_HEAD_TOO_LARGE", `its head has more than ${MAX_FIELDS} fields`),
  [NO_HOST]: bad("it has no Host"),
  [BAD_HOST]: bad("its Host is not a name or an address with an optional port"),
  [REPEATED]: bad("a field that may stand once is repeated"),
  [BAD_LENGTH]: bad("its Content-Length is not a plain decimal number"),
  [BAD_CODING]: bad("its Transfer-Encoding is not exactly chunked"),
  [TWO_FRAMINGS]: bad("it has both Content-Length and Transfer-Encoding"),
  [OLD_CODING]: bad("it has a Transfer-Encoding under HTTP/1.0"),
  [UNWANTED_BODY]: bad("its method takes no body"),
  [UPGRADE]: bad("it asks for another protocol"),
  [BAD_EXPECT]: refusal("GW_EXPECT", "its Expect is not exactly 100-continue"),
  [DISGUISED_NAME]: bad("a field name imitates one that the gateway relies on"),
  [NOT_ASCII]: bad("a field that the gateway relies on holds a character outside ASCII"),
  [BAD_CHUNK]: bad("its chunked body is malformed"),
  [BAD_TRAILER]: bad("the trailer of its body is malformed or holds a field that belongs in the head"),
} as const satisfies Record<number, Refusal>;

export function problemRefusal(problem: HeadProblem): Refusal {
  return PROBLEMS[problem];
}

function bad(fact: string): Refusal {
  return refusal("GW_BAD_REQUEST", fact);
}

function refusal(code: Refusal["code"], fact: string): Refusal {
  return { code, message: `Cannot read the request: ${fact}` };
}
