/**
 * Reads the first record that a TLS client sends: what it truly offers, whatever its runtime says.
 *
 * @module
 */

/** What a ClientHello offers (RFC 8446 section 4.1.2). */
export interface ClientHello {
  /** The server name, or null where none was sent. */
  readonly sni: string | null;
  /** The ALPN protocols. */
  readonly alpn: readonly string[];
  /** The cipher suites' numbers, in order, without GREASE. */
  readonly ciphers: readonly number[];
  /** The key exchange groups' numbers, in order, without GREASE. */
  readonly groups: readonly number[];
  /** The versions' numbers, such as 0x0304 for TLS 1.3. */
  readonly versions: readonly number[];
  /** Whether it offers to resume a session, by a ticket or a pre-shared key. */
  readonly offersSession: boolean;
}

/** Reads a ClientHello; null until `bytes` hold all of it, or where they are something else. */
export function parseClientHello(bytes: Uint8Array): ClientHello | null {
  try {
    return parse(new Cursor(bytes));
  } catch (error) {
    if (error instanceof RangeError) return null;
    throw error;
  }
}

function parse(record: Cursor): ClientHello | null {
  if (record.uint(1) !== 22) return null;
  record.skip(2);
  const message = record.block(2);
  if (message.uint(1) !== 1) return null;
  const hello = message.block(3);
  const legacyVersion = hello.uint(2);
  hello.skip(32);
  hello.block(1);
  const ciphers = hello.block(2).numbers(2);
  hello.block(1);
  let sni: string | null = null;
  let alpn: string[] = [];
  let groups: number[] = [];
  let versions: number[] = [legacyVersion];
  let offersSession = false;
  const extensions = hello.rest() > 0 ? hello.block(2) : new Cursor(new Uint8Array());
  while (extensions.rest() > 0) {
    const type = extensions.uint(2);
    const body = extensions.block(2);
    if (type === 0) {
      const list = body.block(2);
      list.skip(1);
      sni = list.block(2).text();
    } else if (type === 10) groups = body.block(2).numbers(2);
    else if (type === 16) {
      const list = body.block(2);
      alpn = [];
      while (list.rest() > 0) alpn.push(list.block(1).text());
    } else if (type === 43) versions = body.block(1).numbers(2);
    // An empty session ticket only says that tickets are understood (RFC 5077 section 3.2).
    else if (type === 35) offersSession ||= body.rest() > 0;
    else if (type === 41) offersSession = true;
  }
  return { sni, alpn, ciphers, groups, versions, offersSession };
}

class Cursor {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  rest(): number {
    return this.#bytes.length - this.#at;
  }

  skip(count: number): void {
    if (count > this.rest()) throw new RangeError("The record is cut off");
    this.#at += count;
  }

  uint(size: number): number {
    const from = this.#at;
    this.skip(size);
    let value = 0;
    for (let i = from; i < this.#at; i++) value = value * 256 + this.#bytes[i]!;
    return value;
  }

  block(sizeOfLength: number): Cursor {
    const length = this.uint(sizeOfLength);
    const from = this.#at;
    this.skip(length);
    return new Cursor(this.#bytes.subarray(from, this.#at));
  }

  numbers(size: number): number[] {
    const list = [];
    while (this.rest() > 0) {
      const value = this.uint(size);
      if ((value & 0x0f0f) !== 0x0a0a) list.push(value);
    }
    return list;
  }

  text(): string {
    return String.fromCharCode(...this.#bytes.subarray(this.#at));
  }
}
