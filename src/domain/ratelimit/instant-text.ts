import { type EpochMs, epochMs } from "../../kernel/time.ts";

const RFC_3339 = /^(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?(?:[Zz]|([+-])(\d\d):(\d\d))$/;
const HTTP_DATE =
  /^(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), (\d\d) (Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) (\d{4}) (\d\d):(\d\d):(\d\d) GMT$/;
const MONTHS = "JanFebMarAprMayJunJulAugSepOctNovDec";
const EPOCH_SECONDS = /^\d{1,11}$/;

const MS_PER_MINUTE = 60_000;

/** Null for what is not RFC 3339, and for a date that the calendar does not have. */
export function readRfc3339(text: string): EpochMs | null {
  const match = RFC_3339.exec(text);
  if (match === null) {
    return null;
  }
  const [, year, month, day, hour, minute, second, fraction, sign, offsetHours, offsetMinutes] = match;
  const local = civil({ year, month: Number(month), day, hour, minute, second });
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
  const instant = civil({ year, month: MONTHS.indexOf(monthName) / 3 + 1, day, hour, minute, second });
  return instant === null ? null : epochMs(instant);
}

/** A reset: epoch seconds (unified headers) or RFC 3339 (all others). */
export function readResetInstant(text: string): EpochMs | null {
  return EPOCH_SECONDS.test(text) ? epochMs(Number(text) * 1000) : readRfc3339(text);
}

type CivilTime = {
  readonly year: string | undefined;
  /** 1..12 */
  readonly month: number;
  readonly day: string | undefined;
  readonly hour: string | undefined;
  readonly minute: string | undefined;
  readonly second: string | undefined;
};

/** UTC milliseconds; null when a field is out of its range (30 February, 25 o'clock). A leap second counts as :59. */
export function civil(time: CivilTime): number | null {
  const year = Number(time.year);
  const day = Number(time.day);
  const hour = Number(time.hour);
  const minute = Number(time.minute);
  const second = Number(time.second);
  const isDate = year >= 1970 && time.month >= 1 && time.month <= 12 && day >= 1 && day <= daysOf(year, time.month);
  if (!isDate || hour > 23 || minute > 59 || second > 60) {
    return null;
  }
  return Date.UTC(year, time.month - 1, day, hour, minute, Math.min(second, 59));
}

function daysOf(year: number, month: number): number {
  if (month === 2) {
    const isLeap = (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0;
    return isLeap ? 29 : 28;
  }
  return month === 4 || month === 6 || month === 9 || month === 11 ? 30 : 31;
}
