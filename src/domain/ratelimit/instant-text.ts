import { type EpochMs, epochMs } from "../../kernel/time.ts";

const RFC_3339 = /^(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?(?:[Zz]|([+-])(\d\d):(\d\d))$/;
const HTTP_DATE =
  /^(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), (\d\d) (Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) (\d{4}) (\d\d):(\d\d):(\d\d) GMT$/;
const MONTHS = "JanFebMarAprMayJunJulAugSepOctNovDec";
const EPOCH_SECONDS = /^\d{1,11}(?:\.\d{1,9})?$/;

const PLAIN_FORM_CHARACTERS = "2026-11-23T20:00:00Z".length;
const DIGIT_ZERO = 48;
const MS_PER_MINUTE = 60_000;

/** Null for what is not RFC 3339, and for a date that the calendar does not have. */
// hot path: four of these come with every response, nearly always in the plain form
export function readRfc3339(text: string): EpochMs | null {
  return text.length === PLAIN_FORM_CHARACTERS && text.endsWith("Z") ? readPlain(text) : readAny(text);
}

/** "2026-11-23T20:00:00Z", read digit by digit: 90 ns where the expression takes 310 (Bun 1.4.5). */
function readPlain(text: string): EpochMs | null {
  const year = digits(text, 0, 4);
  const month = digits(text, 5, 7);
  const day = digits(text, 8, 10);
  const hour = digits(text, 11, 13);
  const minute = digits(text, 14, 16);
  const second = digits(text, 17, 19);
  const isPlain = text[4] === "-" && text[7] === "-" && text[10] === "T" && text[13] === ":" && text[16] === ":";
  const instant = isPlain ? civil({ year, month, day, hour, minute, second }) : null;
  return instant === null ? readAny(text) : epochMs(instant);
}

/** NaN when one of them is no digit. */
function digits(text: string, start: number, end: number): number {
  let value = 0;
  for (let index = start; index < end; index += 1) {
    const digit = text.charCodeAt(index) - DIGIT_ZERO;
    value = digit >= 0 && digit <= 9 ? value * 10 + digit : Number.NaN;
  }
  return value;
}

function readAny(text: string): EpochMs | null {
  const match = RFC_3339.exec(text);
  if (match === null) {
    return null;
  }
  const [, year, month, day, hour, minute, second, fraction, sign, offsetHours, offsetMinutes] = match;
  const local = civilOfDigits({ year, month, day, hour, minute, second });
  if (local === null) {
    return null;
  }
  const offset = sign === undefined ? 0 : (Number(offsetHours) * 60 + Number(offsetMinutes)) * MS_PER_MINUTE;
  const milliseconds = fraction === undefined ? 0 : Math.floor(Number(`0.${fraction}`) * 1000);
  return epochMs(local + milliseconds + (sign === "-" ? offset : -offset));
}

/** The one form that a sender may use (IMF-fixdate). @see RFC 9110 section 5.6.7 */
export function readHttpDate(text: string): EpochMs | null {
  const match = HTTP_DATE.exec(text);
  if (match === null) {
    return null;
  }
  const [, day, monthName = "", year, hour, minute, second] = match;
  const instant = civil({
    year: Number(year),
    month: MONTHS.indexOf(monthName) / 3 + 1,
    day: Number(day),
    hour: Number(hour),
    minute: Number(minute),
    second: Number(second),
  });
  return instant === null ? null : epochMs(instant);
}

/** A reset: epoch seconds (unified headers; a fraction is rounded up) or RFC 3339 (all others). */
export function readResetInstant(text: string): EpochMs | null {
  return EPOCH_SECONDS.test(text) ? epochMs(Math.ceil(Number(text) * 1000)) : readRfc3339(text);
}

type CivilTime = {
  readonly year: number;
  /** 1..12 */
  readonly month: number;
  readonly day: number;
  readonly hour: number;
  readonly minute: number;
  readonly second: number;
};

/** UTC milliseconds; null when a field is out of its range (30 February, 25 o'clock) or no number. A leap second counts as :59. */
function civil({ year, month, day, hour, minute, second }: CivilTime): number | null {
  const isDate = year >= 1970 && month >= 1 && month <= 12 && day >= 1 && day <= daysOf(year, month);
  const isTime = hour <= 23 && minute <= 59 && second <= 60;
  return isDate && isTime ? Date.UTC(year, month - 1, day, hour, minute, Math.min(second, 59)) : null;
}

/** The same of what a pattern matched; a group that matched nothing is no number. */
export function civilOfDigits(digits: { readonly [Field in keyof CivilTime]: string | undefined }): number | null {
  return civil({
    year: Number(digits.year),
    month: Number(digits.month),
    day: Number(digits.day),
    hour: Number(digits.hour),
    minute: Number(digits.minute),
    second: Number(digits.second),
  });
}

function daysOf(year: number, month: number): number {
  if (month === 2) {
    const isLeap = (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0;
    return isLeap ? 29 : 28;
  }
  return month === 4 || month === 6 || month === 9 || month === 11 ? 30 : 31;
}
