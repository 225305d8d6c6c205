/**
 * Header blocks from and to texts.
 *
 * @module
 */

import { latin1 } from "../../../src/http/chars.ts";
import type { HpackDecoder } from "../../../src/http/h2/hpack_decoder.ts";
import {
  type BlockField,
  blockField,
  type HpackEncoder,
  type Indexing,
  mostBlockBytes,
} from "../../../src/http/h2/hpack_encoder.ts";

/** A field. */
export type Field = [name: string, value: string];

/** Reads a block. */
export function decode(decoder: HpackDecoder, block: Uint8Array): Field[] {
  const fields: Field[] = [];
  decoder.decode(block, 0, block.length, {
    onField: ({ bytes, end, middle, start }) => {
      fields.push([latin1(bytes, start, middle), latin1(bytes, middle, end)]);
    },
  });
  return fields;
}

/** Writes a block. */
export function encode(
  encoder: HpackEncoder,
  fields: readonly (readonly [name: string, value: string])[],
  indexing: Indexing = "auto",
): Uint8Array {
  return encodeFields(encoder, fields.map(([name, value]) => blockField(name, value, indexing)));
}

/** Writes a block of fields. */
export function encodeFields(encoder: HpackEncoder, fields: readonly BlockField[]): Uint8Array {
  const bytes = new Uint8Array(mostBlockBytes(fields));
  const end = encoder.encode(fields, bytes, 0);
  if (end > bytes.length) throw new Error("The block is longer than was said");
  return bytes.subarray(0, end);
}
