/**
 * The tables of HPACK (RFC 7541 section 2.3): the static one, and a dynamic one for a direction.
 *
 * @module
 */

/** A header field as bytes: its name, and its value right behind it. */
export interface FieldBytes {
  /** The memory that holds it. */
  bytes: Uint8Array;
  /** Where its name begins. */
  start: number;
  /** Where its name ends and its value begins. */
  middle: number;
  /** Where its value ends. */
  end: number;
  /** A reader's verdict on it; 0 until it has looked. */
  verdict: number;
}

/** The static table (appendix A): names, and the values that some have. */
const STATIC: readonly (readonly [name: string, value: string])[] = [
  [":authority", ""],
  [":method", "GET"],
  [":method", "POST"],
  [":path", "/"],
  [":path", "/index.html"],
  [":scheme", "http"],
  [":scheme", "https"],
  ...["200", "204", "206", "304", "400", "404", "500"].map((code) => [":status", code] as const),
  ["accept-charset", ""],
  ["accept-encoding", "gzip, deflate"],
  ...("accept-language accept-ranges accept access-control-allow-origin age allow authorization "
    + "cache-control content-disposition content-encoding content-language content-length "
    + "content-location content-range content-type cookie date etag expect expires from host "
    + "if-match if-modified-since if-none-match if-range if-unmodified-since last-modified link "
    + "location max-forwards proxy-authenticate proxy-authorization range referer refresh "
    + "retry-after server set-cookie strict-transport-security transfer-encoding user-agent vary "
    + "via www-authenticate").split(" ").map((name) => [name, ""] as const),
];

/** How many fields the static table has. */
export const STATIC_LENGTH: number = STATIC.length;

const encoder = new TextEncoder();

/** The static table's fields, the first at 1. */
export const STATIC_FIELDS: readonly FieldBytes[] = [["", ""] as const, ...STATIC].map(
  ([name, value]) => {
    const bytes = encoder.encode(name + value);
    return { bytes, start: 0, middle: name.length, end: bytes.length, verdict: 0 };
  },
);

/** The static table's indices, by name, and by name and value with a line feed between them. */
export const STATIC_INDICES: ReadonlyMap<string, number> = new Map(
  // The first index of a name counts, so later ones are set first.
  STATIC.flatMap(([name, value], i) => [[name, i + 1], [`${name}\n${value}`, i + 1]] as const)
    .reverse(),
);

/** What a field takes of a table besides its text, in bytes (section 4.1). */
export const FIELD_OVERHEAD = 32;

/** The default size of the table, in bytes. */
export const DEFAULT_TABLE_BYTES = 4_096;

interface Sized {
  /** What it takes of the table, in bytes. */
  readonly size: number;
}

/** A dynamic table: the newest field stands first, and the oldest go if there is no room. */
export class DynamicTable<F extends Sized> {
  /** How often it has changed: as long as this stays the same, so do the indices. */
  version = 0;
  #fields: (F | undefined)[] = new Array<undefined>(16);
  /** Where the newest one stands, in a ring. */
  #newest = 0;
  #length = 0;
  #size = 0;
  #maxBytes: number = DEFAULT_TABLE_BYTES;
  readonly #evicted: ((field: F) => void) | undefined;

  /** Makes an empty table. `evicted` is called with each field that goes. */
  constructor(evicted?: (field: F) => void) {
    this.#evicted = evicted;
  }

  /** Sets what its fields may take. */
  resize(maxBytes: number): void {
    this.#maxBytes = maxBytes;
    this.version++;
    this.#evict(maxBytes);
  }

  /** The field at an index, 0 being the newest. */
  at(index: number): F | undefined {
    const { length } = this.#fields;
    return index < this.#length ? this.#fields[(this.#newest + index) & (length - 1)] : undefined;
  }

  /** Adds a field. One that is larger than the table empties it, and is not kept. */
  add(field: F): boolean {
    this.version++;
    this.#evict(this.#maxBytes - field.size);
    if (field.size > this.#maxBytes) return false;
    if (this.#length === this.#fields.length) this.#grow();
    this.#newest = (this.#newest - 1) & (this.#fields.length - 1);
    this.#fields[this.#newest] = field;
    this.#length++;
    this.#size += field.size;
    return true;
  }

  #evict(maxBytes: number): void {
    while (this.#size > maxBytes && this.#length > 0) {
      const at = (this.#newest + --this.#length) & (this.#fields.length - 1);
      const field = this.#fields[at]!;
      this.#fields[at] = undefined;
      this.#size -= field.size;
      this.#evicted?.(field);
    }
  }

  #grow(): void {
    const fields = Array.from({ length: this.#length * 2 }, (_, i) => this.at(i));
    this.#fields = fields;
    this.#newest = 0;
  }
}
