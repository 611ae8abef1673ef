/** Where in the top-level object the next byte is. Phases up to `MARK_3` do not accept space. */
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

/** The phase after one byte that is outside keys and values. A byte order mark may stand before everything. */
export function phaseAfter(phase: number, byte: number): number {
  if (phase > MARK_3 && isSpace(byte)) return phase;
  switch (phase) {
    case START:
      return byte === 0xef ? MARK_2 : isSpace(byte) ? OPEN : byte === OPEN_BRACE ? FIRST_KEY : BROKEN;
    case MARK_2:
      return byte === 0xbb ? MARK_3 : BROKEN;
    case MARK_3:
      return byte === 0xbf ? OPEN : BROKEN;
    case OPEN:
      return byte === OPEN_BRACE ? FIRST_KEY : BROKEN;
    case FIRST_KEY:
      return byte === QUOTE ? KEY : byte === CLOSE_BRACE ? END : BROKEN;
    case NEXT_KEY:
      return byte === QUOTE ? KEY : BROKEN;
    case COLON:
      return byte === COLON_BYTE ? VALUE : BROKEN;
    case VALUE:
      return valuePhase(byte);
    case AFTER_VALUE:
      return byte === COMMA ? NEXT_KEY : byte === CLOSE_BRACE ? END : BROKEN;
    default:
      return BROKEN;
  }
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
