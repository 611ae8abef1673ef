/** Where in the top-level object the next byte is. */
export const START = 0;
export const MARK_2 = 1;
export const MARK_3 = 2;
export const OPEN = 3;
export const FIRST_KEY = 4;
export const KEY = 5;
export const NEXT_KEY = 6;
export const COLON = 7;
export const VALUE = 8;
export const STRING = 9;
export const NESTED = 10;
export const NESTED_STRING = 11;
export const SCALAR = 12;
export const AFTER_VALUE = 13;
export const END = 14;
export const BROKEN = 15;

const QUOTE = 0x22;
const COMMA = 0x2c;
const COLON_BYTE = 0x3a;
const OPEN_BRACE = 0x7b;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACE = 0x7d;

/** By phase and byte. Every other byte that is neither space nor the first of a value breaks the object. */
const NEXT_PHASE: ReadonlyMap<number, number> = new Map([
  [stepOf(START, OPEN_BRACE), FIRST_KEY],
  [stepOf(START, 0xef), MARK_2],
  [stepOf(MARK_2, 0xbb), MARK_3],
  [stepOf(MARK_3, 0xbf), OPEN],
  [stepOf(OPEN, OPEN_BRACE), FIRST_KEY],
  [stepOf(FIRST_KEY, QUOTE), KEY],
  [stepOf(FIRST_KEY, CLOSE_BRACE), END],
  [stepOf(NEXT_KEY, QUOTE), KEY],
  [stepOf(COLON, COLON_BYTE), VALUE],
  [stepOf(AFTER_VALUE, COMMA), NEXT_KEY],
  [stepOf(AFTER_VALUE, CLOSE_BRACE), END],
]);

/** The phase after one byte that is outside keys and values. A byte order mark may stand before everything. */
export function phaseAfter(phase: number, byte: number): number {
  if (isSpace(byte) && phase !== MARK_2 && phase !== MARK_3) return phase === START ? OPEN : phase;
  if (phase === VALUE) return valuePhase(byte);
  return NEXT_PHASE.get(stepOf(phase, byte)) ?? BROKEN;
}

function stepOf(phase: number, byte: number): number {
  return (phase << 8) | byte;
}

function valuePhase(byte: number): number {
  if (byte === QUOTE) return STRING;
  if (byte === OPEN_BRACE || byte === OPEN_BRACKET) return NESTED;
  return isScalarByte(byte) ? SCALAR : BROKEN;
}

/** May the byte stand in a number, `true`, `false` or `null`? */
export function isScalarByte(byte: number): boolean {
  const isDigit = byte >= 0x30 && byte <= 0x39;
  const lower = byte | 0x20;
  const isLetter = lower >= 0x61 && lower <= 0x7a;
  return isDigit || isLetter || byte === 0x2d || byte === 0x2b || byte === 0x2e;
}

function isSpace(byte: number): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;
}
