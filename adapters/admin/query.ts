/**
 * The query of a request, checked.
 *
 * @module
 */

import { quote } from "../../src/core/check.ts";
import { Refusal } from "./refusal.ts";

/** The parameters of a query that were given. */
export interface Query {
  readonly [name: string]: string | undefined;
}

/**
 * Reads a query.
 *
 * @throws {Refusal} It has a parameter that nobody knows, or one twice
 */
export function readQuery(url: string, known: readonly string[]): Query {
  const query: { [name: string]: string } = {};
  for (const [name, value] of new URL(url).searchParams) {
    if (!known.includes(name)) {
      const takes = known.length === 0 ? "there is none" : `there are ${known.join(", ")}`;
      throw new Refusal(
        400,
        `Unknown parameter ${quote(name)} in the query: ${takes}`,
      );
    }
    if (Object.hasOwn(query, name)) {
      throw new Refusal(400, `The parameter "${name}" stands twice in the query`);
    }
    query[name] = value;
  }
  return query;
}

/**
 * Reads a whole number of a query.
 *
 * @throws {Refusal} It is none, or out of its bounds
 */
export function readWhole(
  name: string,
  text: string | undefined,
  { fallback, max, min = 0 }: { readonly fallback: number; readonly min?: number; max: number },
): number {
  if (text === undefined) return fallback;
  const value = /^\d{1,16}$/.test(text) ? Number(text) : NaN;
  if (value >= min && value <= max) return value;
  throw new Refusal(400, `"${name}" must be a whole number from ${min} to ${max}`);
}

/**
 * Reads one of some words of a query.
 *
 * @throws {Refusal} It is none of them
 */
export function readWord<Word extends string>(
  name: string,
  text: string | undefined,
  words: readonly Word[],
): Word | undefined {
  if (text === undefined) return undefined;
  const word = words.find((word) => word === text);
  if (word !== undefined) return word;
  throw new Refusal(400, `"${name}" must be one of ${words.join(", ")}`);
}
