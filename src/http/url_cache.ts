/**
 * What was read from URLs, so that none is read twice.
 *
 * @module
 */

/** How many URLs are remembered. */
const MAX_URLS = 1_000;

/** The longest URL that is remembered. */
const MAX_LENGTH = 512;

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/** Remembers something for each URL, as the caller spells it. */
export class UrlCache<T> {
  readonly #known = new Map<string, T>();

  /** Returns what is remembered for a URL; if nothing is, reads it. A very long one is read each time. */
  get(url: string, read: (url: string) => T): T {
    const known = this.#known.get(url);
    if (known) return known;
    if (url.length > MAX_LENGTH) return read(url);
    // Cut out of a page, the text would keep the whole page in memory: a copy does not.
    const own = decoder.decode(encoder.encode(url));
    const value = read(own);
    if (this.#known.size >= MAX_URLS) this.#known.clear();
    this.#known.set(own, value);
    return value;
  }
}
