/**
 * When a server says to come back: `Retry-After` (RFC 9110 section 10.2.3).
 *
 * @module
 */

import { quote } from "../core/check.ts";
import type { ResponseHeaders } from "./response_headers.ts";

/** What a response says about when to come back. Times are in milliseconds since 1970. */
export interface RetryAfter {
  /** When the response came. */
  readonly since: number;
  /** When to come back, by the server. The pool's limits are not applied. */
  readonly until: number;
}

/** What a request does when told to come back later: return that answer, or wait. */
export type RetryAfterMode = "tell" | "wait";

/**
 * Checks what requests do when told to come back later.
 *
 * @throws {TypeError} It is neither
 */
export function checkRetryAfter(value: unknown): RetryAfterMode {
  if (value === "tell" || value === "wait") return value;
  throw new TypeError(`retryAfter must be "tell" or "wait", got ${quote(value)}`);
}

/**
 * Anything longer counts as this, which is as good as never: more than thirty years, in seconds.
 */
const MOST_SECONDS = 1_000_000_000;

const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const MONTH = `(${MONTHS.join("|")})`;
const TIME = "(\\d\\d):(\\d\\d):(\\d\\d)";

/** The three forms of a date, of which a server may send any (RFC 9110 section 5.6.7). */
const IMF_DATE = new RegExp(`^[A-Z][a-z]{2}, (\\d\\d) ${MONTH} (\\d{4}) ${TIME} GMT$`);
const RFC_850_DATE = new RegExp(`^[A-Z][a-z]{5,8}, (\\d\\d)-${MONTH}-(\\d\\d) ${TIME} GMT$`);
const ASCTIME_DATE = new RegExp(`^[A-Z][a-z]{2} ${MONTH} ([ \\d]\\d) ${TIME} (\\d{4})$`);

/**
 * How long to stay away, in milliseconds, by the fields of a response; undefined if they do not
 * say, or cannot be read. A date is compared with the server's own, if it sends one: its clock may
 * be wrong.
 *
 * @param now The time, in milliseconds since 1970
 */
export function readRetryAfter(headers: ResponseHeaders, now: number): number | undefined {
  const values = headers.getAll("retry-after");
  const [value] = values;
  // Of two, it is unknown which one holds.
  if (value === undefined || values.length > 1) return undefined;
  if (/^\d+$/.test(value)) return Math.min(Number(value), MOST_SECONDS) * 1_000;
  const date = readDate(value, now);
  if (date === undefined) return undefined;
  const from = readDate(headers.get("date") ?? "", now) ?? now;
  return Math.min(Math.max(0, date - from), MOST_SECONDS * 1_000);
}

/** Reads a date as HTTP writes it; undefined if it is none. */
function readDate(text: string, now: number): number | undefined {
  let match = IMF_DATE.exec(text);
  if (match) return timeOf(match[3], match[2], match[1], match.slice(4));
  match = RFC_850_DATE.exec(text);
  if (match) return timeOf(fullYear(match[3], now), match[2], match[1], match.slice(4));
  match = ASCTIME_DATE.exec(text);
  return match ? timeOf(match[6], match[1], match[2], match.slice(3, 6)) : undefined;
}

/** A year of two digits is never more than fifty years ahead. */
function fullYear(digits: string | undefined, now: number): number {
  const thisYear = new Date(now).getUTCFullYear();
  const year = thisYear - thisYear % 100 + Number(digits);
  return year > thisYear + 50 ? year - 100 : year;
}

function timeOf(
  year: string | number | undefined,
  month: string | undefined,
  day: string | undefined,
  time: readonly string[],
): number | undefined {
  const [hours, minutes, seconds] = time.map(Number) as [number, number, number];
  const monthIndex = MONTHS.indexOf(month ?? "");
  const date = Number(day);
  // A leap second is valid, but no other time that no clock shows.
  if (hours > 23 || minutes > 59 || seconds > 60) return undefined;
  const at = Date.UTC(Number(year), monthIndex, date, hours, minutes, seconds);
  return new Date(Date.UTC(Number(year), monthIndex, date)).getUTCDate() === date ? at : undefined;
}
