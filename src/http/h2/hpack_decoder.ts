/**
 * Reads header blocks (RFC 7541), without making a text of any field.
 *
 * @module
 */

import { connectionError, type Http2Error } from "./error_codes.ts";
import {
  DEFAULT_TABLE_BYTES,
  DynamicTable,
  FIELD_OVERHEAD,
  type FieldBytes,
  STATIC_FIELDS,
  STATIC_LENGTH,
} from "./header_table.ts";
import { huffmanDecode } from "./huffman.ts";

/** Takes the fields of a block, in their order. */
export interface FieldSink {
  /**
   * Takes a field. Its bytes are the sink's only until it returns.
   *
   * @throws {Http2Error} The connection must end, as for a block that goes on and on
   */
  onField(field: FieldBytes): void;
}

/** A field that the dynamic table has. It never changes, so it may stand there more than once. */
export interface TableField extends FieldBytes {
  readonly size: number;
}

const NO_FIELDS: readonly TableField[] = [];

/** No meaningful number in a block is larger. */
const MOST = 0x1000_0000;

/** Reads the header blocks of one connection, one after the other. */
export class HpackDecoder {
  readonly #table = new DynamicTable<TableField>();
  readonly #limit: number;
  #bytes: Uint8Array = new Uint8Array(0);
  #at = 0;
  #end = 0;
  #scratch = new Uint8Array(1_024);
  #added: TableField[] | undefined;
  #isFree = true;
  #field: FieldBytes = { bytes: this.#scratch, start: 0, middle: 0, end: 0, verdict: 0 };

  /** Makes a decoder. The peer may make the dynamic table as large as `maxTableBytes`. */
  constructor(maxTableBytes: number = DEFAULT_TABLE_BYTES) {
    this.#limit = maxTableBytes;
    this.#table.resize(maxTableBytes);
  }

  /** How often the dynamic table has changed: a block means the same as long as it has not. */
  get version(): number {
    return this.#table.version;
  }

  /** Whether the block that was read last means the same whatever the dynamic table has. */
  get isFree(): boolean {
    return this.#isFree;
  }

  /** What the block that was read last has added to the dynamic table. */
  get added(): readonly TableField[] {
    return this.#added ?? NO_FIELDS;
  }

  /** Adds what a block would that is the same as an earlier one. */
  replay(fields: readonly TableField[]): void {
    for (let i = 0; i < fields.length; i++) this.#table.add(fields[i]!);
  }

  /**
   * Reads a block, from `start` to `end`.
   *
   * @throws {Http2Error} It is not valid: nothing of the connection can be read any more
   */
  decode(bytes: Uint8Array, start: number, end: number, sink: FieldSink): void {
    this.#bytes = bytes;
    this.#at = start;
    this.#end = end;
    this.#added = undefined;
    this.#isFree = true;
    // Only the first of a block may change the table's size, twice at the most (section 4.2).
    let sizes = 0;
    while (this.#at < end) {
      const first = bytes[this.#at]!;
      if (first >= 0x80) sink.onField(this.#indexed(this.#number(7)));
      else if (first >= 0x40) this.#literal(6, true, sink);
      else if (first < 0x20) this.#literal(4, false, sink);
      else {
        if (sizes < 0 || ++sizes > 2) throw invalid("a table size stands in the wrong place");
        const size = this.#number(5);
        if (size > this.#limit) throw invalid("the table is made larger than its limit");
        this.#table.resize(size);
        this.#isFree = false;
        continue;
      }
      sizes = -1;
    }
  }

  #indexed(index: number): FieldBytes {
    const field = index <= STATIC_LENGTH
      ? index > 0 ? STATIC_FIELDS[index] : undefined
      : this.#table.at(index - STATIC_LENGTH - 1);
    if (!field) throw invalid("an index has no field");
    if (index > STATIC_LENGTH) this.#isFree = false;
    return field;
  }

  #literal(bits: number, isKept: boolean, sink: FieldSink): void {
    const index = this.#number(bits);
    const field = this.#field;
    let middle: number;
    if (index > 0) {
      const { bytes, middle: end, start } = this.#indexed(index);
      middle = end - start;
      this.#reserve(0, middle);
      // Names are short, and a loop is the quickest way.
      for (let i = 0; i < middle; i++) this.#scratch[i] = bytes[start + i]!;
    } else middle = this.#string(0);
    const end = this.#string(middle);
    field.bytes = this.#scratch;
    field.middle = middle;
    field.end = end;
    field.verdict = 0;
    if (!isKept) {
      sink.onField(field);
      return;
    }
    const kept: TableField = {
      bytes: this.#scratch.slice(0, end),
      start: 0,
      middle,
      end,
      verdict: 0,
      size: end + FIELD_OVERHEAD,
    };
    this.#table.add(kept);
    (this.#added ??= []).push(kept);
    sink.onField(kept);
  }

  /** Reads a string to a position of the scratch, and returns the position behind it. */
  #string(to: number): number {
    const isCoded = this.#at < this.#end && this.#bytes[this.#at]! >= 0x80;
    const length = this.#number(7);
    const start = this.#at;
    const end = start + length;
    if (end > this.#end) throw invalid("a string is longer than its block");
    this.#at = end;
    if (!isCoded) {
      this.#reserve(to, length);
      this.#scratch.set(this.#bytes.subarray(start, end), to);
      return to + length;
    }
    this.#reserve(to, (length * 8 >> 2) + 8);
    const stop = huffmanDecode(this.#bytes, start, end, this.#scratch, to);
    if (stop < 0) throw invalid("a string's Huffman code is not valid");
    return stop;
  }

  /** Reads a number whose first bits are in the current byte (section 5.1). */
  #number(bits: number): number {
    const most = (1 << bits) - 1;
    if (this.#at >= this.#end) throw invalid("it ends within a field");
    let value = this.#bytes[this.#at++]! & most;
    if (value < most) return value;
    for (let shift = 0;; shift += 7) {
      if (this.#at >= this.#end) throw invalid("it ends within a number");
      const byte = this.#bytes[this.#at++]!;
      if (shift > 28) throw invalid("a number is too large");
      value += (byte & 0x7f) * 2 ** shift;
      if (value > MOST) throw invalid("a number is too large");
      if (byte < 0x80) return value;
    }
  }

  #reserve(at: number, length: number): void {
    if (at + length <= this.#scratch.length) return;
    const scratch = new Uint8Array(Math.max(at + length, this.#scratch.length * 2));
    scratch.set(this.#scratch.subarray(0, at));
    this.#scratch = scratch;
  }
}

function invalid(what: string): Http2Error {
  return connectionError("COMPRESSION_ERROR", `a header block is not valid: ${what}`);
}
