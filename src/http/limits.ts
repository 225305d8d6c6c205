/**
 * How much a peer may make the parser hold or examine.
 *
 * @module
 */

import { checkNames, type Filled } from "../core/check.ts";

/** The limits of a response. What goes past one is refused with an `HttpParseError`. */
export interface ResponseLimits {
  /**
   * The longest status line or field line, in bytes, its CR LF not counted.
   *
   * @default {16384}
   */
  readonly maxLineBytes?: number | undefined;
  /**
   * The longest head, status line and field lines together, and the longest trailer section, in
   * bytes. It bounds what the parser holds at any time.
   *
   * @default {65536}
   */
  readonly maxHeadBytes?: number | undefined;
  /**
   * The most field lines in a head, and in a trailer section.
   *
   * @default {256}
   */
  readonly maxFields?: number | undefined;
  /**
   * The longest extensions of one chunk, in bytes. They are looked at and forgotten.
   *
   * @default {4096}
   */
  readonly maxChunkExtensionBytes?: number | undefined;
  /**
   * The most interim responses (100, 103) before the response itself.
   *
   * @default {16}
   */
  readonly maxInterimResponses?: number | undefined;
}

/** Limits that were checked, and can be shared by any number of parsers. */
export type CheckedLimits = Filled<ResponseLimits>;

/** The default limits. */
export const DEFAULT_LIMITS: CheckedLimits = Object.freeze({
  maxLineBytes: 16_384,
  maxHeadBytes: 65_536,
  maxFields: 256,
  maxChunkExtensionBytes: 4_096,
  maxInterimResponses: 16,
});

/** No limit goes past this: it keeps positions in a buffer small integers on every runtime. */
const MOST = 0x1000_0000;

/** A status line without its phrase, such as `HTTP/1.1 200 `, must fit. */
const LEAST_LINE = 13;

/**
 * Checks limits, and fills in those that are not named.
 *
 * @throws {TypeError} There is no such limit
 * @throws {RangeError} A limit is not an integer, or out of range: names it, its value, the range
 */
export function checkLimits(limits: ResponseLimits = DEFAULT_LIMITS): CheckedLimits {
  if (limits === DEFAULT_LIMITS) return DEFAULT_LIMITS;
  checkNames("responseLimits", limits, Object.keys(DEFAULT_LIMITS));
  return Object.freeze({
    maxLineBytes: check(limits, "maxLineBytes", LEAST_LINE),
    maxHeadBytes: check(limits, "maxHeadBytes", LEAST_LINE + 4),
    maxFields: check(limits, "maxFields", 0),
    maxChunkExtensionBytes: check(limits, "maxChunkExtensionBytes", 0),
    maxInterimResponses: check(limits, "maxInterimResponses", 0),
  });
}

function check(limits: ResponseLimits, name: keyof ResponseLimits, least: number): number {
  const value = limits[name] ?? DEFAULT_LIMITS[name];
  if (!Number.isInteger(value) || value < least || value > MOST) {
    throw new RangeError(
      `Option ${name} is ${String(value)}; it must be an integer from ${least} to ${MOST}`,
    );
  }
  return value;
}
