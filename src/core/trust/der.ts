/**
 * Reads DER (X.690), as far as certificates need it: definite lengths, one byte of tag.
 *
 * @module
 */

/** One value: its tag, its contents, and all of it with tag and length. */
export interface DerValue {
  readonly tag: number;
  readonly contents: Uint8Array;
  readonly whole: Uint8Array;
}

/** The tags that are looked for. */
export const DER = {
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  objectIdentifier: 0x06,
  utcTime: 0x17,
  sequence: 0x30,
} as const;

/**
 * Reads the one value that fills `bytes`.
 *
 * @throws {RangeError} It is malformed, of another tag, or followed by more
 */
export function readDer(bytes: Uint8Array, tag: number): DerValue {
  const [value, ...more] = readAll(bytes);
  if (value === undefined || more.length > 0) throw new RangeError("not exactly one value of DER");
  return expectTag(value, tag);
}

/**
 * Reads the values in a value's contents, one after the other.
 *
 * @throws {RangeError} One is malformed
 */
export function readAll(contents: Uint8Array): DerValue[] {
  const values: DerValue[] = [];
  for (let at = 0; at < contents.length;) {
    const value = readAt(contents, at);
    values.push(value);
    at += value.whole.length;
  }
  return values;
}

/**
 * Returns a value if there is one, with this tag.
 *
 * @throws {RangeError} There is none, or it is of another tag
 */
export function expectTag(value: DerValue | undefined, tag: number): DerValue {
  if (value?.tag === tag) return value;
  throw new RangeError(`expected tag ${tag}, found ${value?.tag ?? "nothing"}`);
}

/** An object identifier in its dotted form, such as `2.5.29.17`. */
export function identifierOf(value: DerValue | undefined): string {
  const { contents } = expectTag(value, DER.objectIdentifier);
  const parts: number[] = [];
  let part = 0;
  for (const byte of contents) {
    part = part * 128 + (byte & 0x7f);
    if (byte >= 0x80) continue;
    if (parts.length > 0) parts.push(part);
    else {
      const first = Math.min(Math.floor(part / 40), 2);
      parts.push(first, part - 40 * first);
    }
    part = 0;
  }
  return parts.join(".");
}

/** Whether two values, or parts of them, are the same byte for byte. */
export function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}

function readAt(bytes: Uint8Array, at: number): DerValue {
  const tag = bytes[at]!;
  const first = bytes[at + 1];
  // Tags of several bytes do not occur, and lengths of five would be gigabytes.
  if (first === undefined || (tag & 0x1f) === 0x1f || first === 0x80 || first > 0x84) {
    throw new RangeError("malformed DER");
  }
  let length = first;
  let start = at + 2;
  if (first > 0x80) {
    length = 0;
    for (const end = start + first - 0x80; start < end; start++) {
      length = length * 256 + (bytes[start] ?? NaN);
    }
  }
  const end = start + length;
  if (!(end <= bytes.length)) throw new RangeError("DER that is cut off");
  return { tag, contents: bytes.subarray(start, end), whole: bytes.subarray(at, end) };
}
