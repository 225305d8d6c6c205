/**
 * Content codings: which a body has, and which can be decoded (RFC 9110 section 8.4.1).
 *
 * @module
 */

import type { BodyReader } from "./body_reader.ts";

/** Decodes one coding of a body. An empty body has none, whatever its head says. */
export type Decoder = (coded: BodyReader) => BodyReader;

/** What can be decoded, by the name in HTTP. */
export type Decoders = ReadonlyMap<string, Decoder>;

/** More codings than this are refused: a head has room for thousands, and each costs memory. */
const MAX_CODINGS = 5;

/** The value of Accept-Encoding that asks for what can be decoded, and nothing else. */
export function acceptEncoding(decoders: Decoders): string {
  return decoders.size === 0 ? "identity" : [...decoders.keys()].join(", ");
}

/**
 * The decoders for a body, in order; none if one of its codings cannot be decoded, so that the body
 * must stay as it is.
 *
 * @throws {TypeError} There are too many
 */
export function decodersOf(contentEncoding: string | null, decoders: Decoders): readonly Decoder[] {
  if (contentEncoding === null) return [];
  const codings = contentEncoding.toLowerCase().split(",")
    .map((coding) => coding.trim().replace(/^x-(?=gzip$)/, ""))
    .filter((coding) => coding !== "" && coding !== "identity");
  if (codings.length > MAX_CODINGS) {
    throw new TypeError(`The body has ${codings.length} codings; at most ${MAX_CODINGS} are taken`);
  }
  const found = codings.reverse().map((coding) => decoders.get(coding));
  return found.every((decoder) => decoder !== undefined) ? found as Decoder[] : [];
}
