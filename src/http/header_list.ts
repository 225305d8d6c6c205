/**
 * Header fields as `fetch` is given them, and as they go out.
 *
 * @module
 */

import type { HeaderField } from "./field_check.ts";

type Given = ConstructorParameters<typeof Headers>[0];

/** A cookie and the next one, if they were joined as other fields are. */
const COOKIE_JOINT = /, (?=[!#$%&'*+\-.^_`|~\w]+=)/g;

let joinsCookies: boolean | undefined;

/** Header fields, checked. A name keeps the spelling that it was given in first. */
export class HeaderList implements Iterable<HeaderField> {
  #fields: HeaderField[] = [];

  /**
   * Takes what `Headers` takes. A given `Headers` has already lost its spelling.
   *
   * @throws {TypeError} A name or value cannot be sent
   */
  constructor(given: Given) {
    // Some can be iterated only once.
    const pairs = given !== undefined && Symbol.iterator in given ? [...given] : undefined;
    const headers = new Headers((pairs ?? given) as Given);
    const names = pairs ? pairs.map(([name]) => `${name}`) : Object.keys(given ?? {});
    const spelled = new Map<string, string>();
    for (const name of names) {
      const key = name.toLowerCase();
      if (!spelled.has(key)) spelled.set(key, name);
    }
    for (const [name, value] of headers) {
      const text = name === "cookie" ? cookiesOf(pairs, value) : value;
      this.#fields.push([spelled.get(name) ?? name, text]);
    }
  }

  /** Says whether there is a field of a name, in lower case. */
  has(name: string): boolean {
    return this.#fields.some(([given]) => given.toLowerCase() === name);
  }

  /** Adds a field. */
  add(field: HeaderField): void {
    this.#fields.push(field);
  }

  /** Removes fields, by their names in lower case. */
  remove(...names: readonly string[]): void {
    this.#fields = this.#fields.filter(([given]) => !names.includes(given.toLowerCase()));
  }

  /** Gives each field's name and value. */
  [Symbol.iterator](): IterableIterator<HeaderField> {
    return this.#fields[Symbol.iterator]();
  }
}

/** All cookies in one field, as they are to go out. */
function cookiesOf(pairs: readonly (readonly string[])[] | undefined, joined: string): string {
  // Deno joins cookies with a comma, which is wrong for cookies (RFC 9113 section 8.2.3).
  joinsCookies ??= new Headers([["cookie", "a"], ["cookie", "b"]]).get("cookie") === "a, b";
  if (!joinsCookies) return joined;
  const values = pairs?.filter(([name]) => `${name}`.toLowerCase() === "cookie") ?? [];
  if (values.length > 1) return values.map(([, value]) => `${value}`.trim()).join("; ");
  return joined.replace(COOKIE_JOINT, "; ");
}
