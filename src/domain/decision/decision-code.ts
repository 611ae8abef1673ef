/**
 * How a record is stored: JSON with a table of the words that occur, which are named by their place in it, and instants
 * as milliseconds after the first one.
 *   {"v":1,"s":strategy,"c":source|null,"b":base,"w":[word...],"t":[step...],"d":dropped}
 *   tried   [0, account, why, reason, status|null, cause|null, move|null, [skip...], skipCount]
 *   waited  [1, why, until, ms, move|null]
 *   refused [2, code, [skip...], skipCount, until|null]
 *   move    [from, kind, micro-dollars, home returns|null, sets home: 0 or 1]
 *   skip    [account, reason, until|null, cause|null]
 */
export const DECISION_VERSION = 1;

export const STEP_CODES = { tried: 0, waited: 1, refused: 2 } as const;

export const MAX_DECISION_CHARACTERS = 2_000;
export const MAX_STEPS = 12;
export const MAX_SKIPS = 8;
/** Of an id, a code or a cause. */
export const MAX_WORD_CHARACTERS = 80;
