/**
 * Checks of what users pass, with errors that name the option, the value and what would be valid.
 *
 * @module
 */

/** Options with nothing left out, and nothing undefined. */
export type Filled<T> = { readonly [Name in keyof T]-?: Exclude<T[Name], undefined> };

/**
 * Returns a number if it is one, and within bounds.
 *
 * @throws {TypeError} It is not a number
 * @throws {RangeError} It is out of its bounds, or not whole where it must be
 */
export function checkNumber(
  name: string,
  value: unknown,
  bounds: { readonly min: number; readonly max?: number; readonly whole?: boolean },
): number {
  const { min, max = Infinity, whole = false } = bounds;
  const kind = whole ? "a whole number" : "a number";
  const valid = max === Infinity ? `${kind} of at least ${min}` : `${kind} from ${min} to ${max}`;
  if (typeof value !== "number" || Number.isNaN(value)) {
    throw new TypeError(`${name} must be ${valid}, got ${describe(value)}`);
  }
  if (value < min || value > max || (whole && value !== Infinity && !Number.isInteger(value))) {
    throw new RangeError(`${name} must be ${valid}, got ${value}`);
  }
  return value;
}

/**
 * Refuses what is neither true nor false.
 *
 * @throws {TypeError} It is something else
 */
export function checkFlag(name: string, value: unknown): void {
  if (typeof value === "boolean") return;
  throw new TypeError(`${name} must be true or false, got ${describe(value)}`);
}

/**
 * Refuses what is no signal, if anything is given: one of another realm will do.
 *
 * @throws {TypeError} It is something else
 */
export function checkSignal(value: unknown): void {
  if (value === undefined || value === null) return;
  const { aborted, addEventListener } = value as Partial<AbortSignal>;
  if (typeof aborted === "boolean" && typeof addEventListener === "function") return;
  throw new TypeError(`signal must be an AbortSignal, got ${describe(value)}`);
}

/**
 * Refuses unknown names of options: a typing error must not pass as a default.
 *
 * @throws {TypeError} Names the unknown option, and the known ones; or these are no options
 */
export function checkNames(what: string, options: object, known: readonly string[]): void {
  if (typeof options !== "object" || options === null) {
    throw new TypeError(
      `The options of ${what} must be an object, got ${describe(options)}: `
        + `it takes ${known.join(", ")}`,
    );
  }
  for (const name of Object.keys(options)) {
    if (known.includes(name)) continue;
    const meant = nearest(name, known);
    const it = meant === undefined ? "it" : `did you mean ${meant}? It`;
    throw new TypeError(
      `Unknown option ${quote(name)} of ${what}: ${it} takes ${known.join(", ")}`,
    );
  }
}

/** Reads the value of an option, whose name an error then begins with. */
export function named<T>(name: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof Error) error.message = `${name}: ${error.message}`;
    throw error;
  }
}

/**
 * Refuses what is not a list of statuses of final answers.
 *
 * @throws {TypeError | RangeError} It is none, or holds something else
 */
export function checkStatuses(name: string, statuses: unknown): void {
  if (!Array.isArray(statuses)) {
    throw new TypeError(
      `${name} must be a list of statuses such as [503], got ${describe(statuses)}`,
    );
  }
  for (const status of statuses) checkNumber(name, status, { min: 200, max: 599, whole: true });
}

/** The known name that was probably meant by an unknown one. */
function nearest(name: string, known: readonly string[]): string | undefined {
  const given = withoutUnit(name.slice(0, MAX_QUOTED));
  let best: string | undefined;
  // Up to a third of the letters may be wrong, or missing.
  let bound = Math.floor(given.length / 3) + 1;
  for (const option of known) {
    const distance = distanceOf(given, withoutUnit(option));
    if (distance >= bound) continue;
    bound = distance;
    best = option;
  }
  return best;
}

/** A name in lower case, without the unit at its end. */
function withoutUnit(name: string): string {
  return name.replace(/(?:Ms|Bytes)$/, "").toLowerCase();
}

/** How many letters must be added, removed or changed to turn one text into another. */
function distanceOf(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, i) => i);
  for (let i = 1; i <= from.length; i++) {
    const next = [i];
    for (let j = 1; j <= to.length; j++) {
      const change = row[j - 1]! + (from[i - 1] === to[j - 1] ? 0 : 1);
      next.push(Math.min(change, row[j]! + 1, next[j - 1]! + 1));
    }
    row = next;
  }
  return row[to.length]!;
}

/** How many items of a list a message names. */
const MAX_LISTED = 8;

/** The longest text that a message repeats whole, in characters. */
const MAX_QUOTED = 200;

/** A value as an error message shows it that may repeat a text: one where no secret is expected. */
export function quote(value: unknown): string {
  if (typeof value !== "string") return describe(value);
  const shown = JSON.stringify(value.slice(0, MAX_QUOTED));
  return value.length > MAX_QUOTED ? `${shown}… (${value.length} characters)` : shown;
}

/** The beginning of a foreign text, which may have any length. */
export function shorten(text: string, max: number): string {
  return text.length > max ? `${text.slice(0, max)}…` : text;
}

/** The first of `items` in a message, and how many more there are: there may be thousands. */
export function listed<T>(
  items: readonly T[],
  textOf: (item: T) => string,
  separator: string,
): string {
  const texts = items.slice(0, MAX_LISTED).map(textOf);
  if (items.length > MAX_LISTED) texts.push(`and ${items.length - MAX_LISTED} more`);
  return texts.join(separator);
}

/** A value as an error message shows it: never its contents, which may be secret. */
export function describe(value: unknown): string {
  if (value === null || value === undefined || typeof value === "number") return `${value}`;
  return Array.isArray(value) ? "an array" : typeof value;
}

/** Returns the message of something that was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
