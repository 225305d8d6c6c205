/**
 * What is asked and answered: each request has a number, and what is right follows from it.
 *
 * @module
 */

import { createHash } from "node:crypto";

/** The body of an answer. */
export function bodyOf(id: string, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  let state = Number(id) >>> 0;
  for (let at = 0; at < length; at++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    bytes[at] = state >>> 24;
  }
  return bytes;
}

/** The hash of a body, as it is told in a header. */
export function hashOf(bytes: Uint8Array): string {
  return createHash("sha1").update(bytes).digest("hex");
}
