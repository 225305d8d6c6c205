/**
 * What was read from URLs, so that none is read twice.
 *
 * @module
 */

/** How many URLs are remembered. */
const MAX_URLS = 1_000;

/** The longest URL that is remembered. */
const MAX_LENGTH = 512;

/** Remembers something for each URL, as the caller spells it. */
export class UrlCache<T> {
  readonly #known = new Map<string, T>();

  /** What is remembered for a URL; undefined if nothing is. */
  get(url: string): T | undefined {
    return this.#known.get(url);
  }

  /** Remembers something for a URL, unless that is very long. */
  set(url: string, value: T): void {
    if (url.length > MAX_LENGTH) return;
    if (this.#known.size >= MAX_URLS) this.#known.clear();
    this.#known.set(url, value);
  }
}
