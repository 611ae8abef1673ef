import { type EpochMs, epochMs } from "../../kernel/time.ts";
import { civilOfDigits } from "./instant-text.ts";

/**
 * "You have reached your specified [workspace] API usage limits. You will regain access on 2025-06-01 at 00:00 UTC."
 * arrives as 400 (a Claude Code workspace: 429). Source: protocol P44. The credit text arrives as 400 too.
 */
const SPEND_LIMIT = /reached your specified (?:[a-z]+ ){0,3}?api usage limits?|credit balance is too low/i;
const REGAIN_DATE = /regain access on (\d{4})-(\d\d)-(\d\d)(?:(?: at |T| )(\d\d):(\d\d)(?::(\d\d))?)?/i;

/** Does this message say that the account has nothing left to spend? */
export function saysSpendLimit(message: string | null): boolean {
  return message !== null && SPEND_LIMIT.test(message);
}

/** When the message says that access returns, in UTC; null when it does not say, or names no date of the calendar. */
export function regainsAccessAt(message: string | null): EpochMs | null {
  const match = message === null ? null : REGAIN_DATE.exec(message);
  if (match === null) {
    return null;
  }
  const [, year, month, day, hour = "0", minute = "0", second = "0"] = match;
  const instant = civilOfDigits({ year, month, day, hour, minute, second });
  return instant === null ? null : epochMs(instant);
}
