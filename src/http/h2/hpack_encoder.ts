/**
 * Writes header blocks (RFC 7541).
 *
 * @module
 */

import {
  DEFAULT_TABLE_BYTES,
  DynamicTable,
  FIELD_OVERHEAD,
  STATIC_INDICES,
  STATIC_LENGTH,
} from "./header_table.ts";
import { huffmanEncode, huffmanLength } from "./huffman.ts";

/** How a field stands in a block. */
export type Indexing = "auto" | "without" | "never";

/** A field to write, with what is looked up of it. */
export interface BlockField {
  /** Its name, in lower case. */
  readonly name: string;
  /** Its value, each character a byte. */
  readonly value: string;
  /** Name and value, as a key. */
  readonly key: string;
  /** Whether the peer may keep it: `never` also binds those who pass it on. */
  readonly indexing: Indexing;
}

/** Makes a field. */
export function blockField(name: string, value: string, indexing: Indexing): BlockField {
  return { name, value, key: `${name}\n${value}`, indexing };
}

interface TableField {
  readonly key: string;
  readonly size: number;
  /** How many were added before it. */
  readonly order: number;
}

/** How many fields are remembered, for the peer to keep when they come again. */
const MOST_SEEN = 64;

/** The most that is written besides the text of a field, and before the first one, in bytes. */
const OVERHEAD = 12;

/** How many bytes a block of these fields has at the most. */
export function mostBlockBytes(fields: readonly BlockField[]): number {
  let bytes = OVERHEAD;
  for (const { key } of fields) bytes += key.length + OVERHEAD;
  return bytes;
}

/** Writes the header blocks of one connection, one after the other. */
export class HpackEncoder {
  readonly #indices = new Map<string, number>();
  readonly #table: DynamicTable<TableField> = new DynamicTable((field) => {
    if (this.#indices.get(field.key) === field.order) this.#indices.delete(field.key);
  });
  /** Fields that came once: one that never comes again is not worth its place in the table. */
  readonly #seen = new Set<string>();
  #added = 0;
  #maxBytes = DEFAULT_TABLE_BYTES;
  /** The smallest size since the last block, if the size has changed; -1 if not. */
  #smallest = -1;

  /** How often the dynamic table has changed: a block may be sent again as long as it has not. */
  get version(): number {
    return this.#table.version;
  }

  /** Whether the next block begins with what is owed to the peer, which no other block may repeat. */
  get owes(): boolean {
    return this.#smallest >= 0;
  }

  /** Takes the size that the peer allows the dynamic table, in bytes; 4,096 at most are used. */
  setMaxBytes(bytes: number): void {
    const maxBytes = Math.min(bytes, DEFAULT_TABLE_BYTES);
    if (maxBytes === this.#maxBytes) return;
    this.#smallest = this.#smallest < 0 ? maxBytes : Math.min(this.#smallest, maxBytes);
    this.#maxBytes = maxBytes;
    this.#table.resize(maxBytes);
  }

  /**
   * Writes a block, and returns the position behind it. `into` must have room for
   * `mostBlockBytes()`.
   */
  encode(fields: readonly BlockField[], into: Uint8Array, at: number): number {
    if (this.#smallest >= 0) {
      if (this.#smallest < this.#maxBytes) at = writeNumber(0x20, 5, this.#smallest, into, at);
      at = writeNumber(0x20, 5, this.#maxBytes, into, at);
      this.#smallest = -1;
    }
    for (let i = 0; i < fields.length; i++) at = this.#field(fields[i]!, into, at);
    return at;
  }

  #field(field: BlockField, into: Uint8Array, at: number): number {
    const { indexing, key, name, value } = field;
    if (indexing !== "never") {
      const index = STATIC_INDICES.get(key);
      if (index !== undefined) return writeNumber(0x80, 7, index, into, at);
    }
    const nameIndex = STATIC_INDICES.get(name) ?? 0;
    if (indexing === "auto") {
      const order = this.#indices.get(key);
      if (order !== undefined) {
        return writeNumber(0x80, 7, STATIC_LENGTH + this.#added - order, into, at);
      }
      if (this.#isWorthKeeping(key)) {
        at = writeNumber(0x40, 6, nameIndex, into, at);
        const size = name.length + value.length + FIELD_OVERHEAD;
        const order = this.#added;
        if (this.#table.add({ key, size, order })) {
          this.#added++;
          this.#indices.set(key, order);
        }
      } else at = writeNumber(0, 4, nameIndex, into, at);
    } else at = writeNumber(indexing === "never" ? 0x10 : 0, 4, nameIndex, into, at);
    if (nameIndex === 0) at = writeString(name, into, at);
    return writeString(value, into, at);
  }

  /** Whether a field has come before, and leaves room for others. */
  #isWorthKeeping(key: string): boolean {
    if (key.length + FIELD_OVERHEAD > this.#maxBytes >> 1) return false;
    if (this.#seen.delete(key)) return true;
    if (this.#seen.size >= MOST_SEEN) this.#seen.clear();
    this.#seen.add(key);
    return false;
  }
}

/** Writes a number behind the first bits of a byte (section 5.1). */
function writeNumber(
  first: number,
  bits: number,
  value: number,
  into: Uint8Array,
  at: number,
): number {
  const most = (1 << bits) - 1;
  if (value < most) {
    into[at++] = first | value;
    return at;
  }
  into[at++] = first | most;
  let rest = value - most;
  for (; rest >= 0x80; rest >>>= 7) into[at++] = rest & 0x7f | 0x80;
  into[at++] = rest;
  return at;
}

/** Writes a string, in the Huffman code if that is shorter (section 5.2). */
function writeString(text: string, into: Uint8Array, at: number): number {
  const coded = huffmanLength(text);
  if (coded < text.length) {
    return huffmanEncode(text, into, writeNumber(0x80, 7, coded, into, at));
  }
  at = writeNumber(0, 7, text.length, into, at);
  for (let i = 0; i < text.length; i++) into[at++] = text.charCodeAt(i);
  return at;
}
