/**
 * Header fields as `request()` takes them.
 *
 * @module
 */

import { describe } from "../core/check.ts";
import type { HeaderField } from "./field_check.ts";

/** A request's header fields. */
export type RequestHeaders =
  | Headers
  | readonly HeaderField[]
  | { readonly [name: string]: string | undefined };

const NO_FIELDS: readonly HeaderField[] = [];

/** Whether fields include one of a name, in lower case. */
export function hasField(headers: readonly HeaderField[], name: string): boolean {
  return headers.some(([given]) => given.length === name.length && given.toLowerCase() === name);
}

/** Header fields, with some of them replaced or added. */
export function withFields(
  headers: RequestHeaders | undefined,
  more: readonly HeaderField[],
): readonly HeaderField[] {
  const others = readHeaders(headers).filter(([name]) => !hasField(more, name.toLowerCase()));
  return [...others, ...more];
}

/**
 * Reads header fields, or trailers.
 *
 * @throws {TypeError} They are not in any of the accepted forms
 */
export function readHeaders(
  headers: RequestHeaders | undefined,
  what: "Header" | "Trailer" = "Header",
): readonly HeaderField[] {
  if (headers === undefined) return NO_FIELDS;
  if (typeof headers !== "object" || headers === null) {
    throw new TypeError(
      `${what.toLowerCase()}s must be an object, a list of pairs or Headers, got ${
        describe(headers)
      }`,
    );
  }
  if (Symbol.iterator in headers) {
    const fields = [...headers];
    fields.forEach((field, index) => checkPair(field, index, what));
    return fields;
  }
  const fields: HeaderField[] = [];
  for (const [name, value] of Object.entries(headers as { [name: string]: unknown })) {
    if (value === undefined) continue;
    if (typeof value !== "string") {
      throw new TypeError(`${what} ${name} must be a text, got ${describe(value)}`);
    }
    fields.push([name, value]);
  }
  return fields;
}

function checkPair(field: unknown, index: number, what: string): void {
  const isPair = Array.isArray(field) && field.length === 2
    && typeof field[0] === "string" && typeof field[1] === "string";
  if (!isPair) {
    throw new TypeError(`The ${what.toLowerCase()} at index ${index} must be a pair of texts`);
  }
}
