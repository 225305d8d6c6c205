/**
 * Checks of what users give, with errors that say the option, the value and what would be valid.
 *
 * @module
 */

/**
 * Gives a number back if it is one, within bounds.
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
 * Refuses names of options that nobody knows: a typing error must not pass as a default.
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
    const meant = known.find((option) => resembles(option.toLowerCase(), name.toLowerCase()));
    const hint = meant === undefined ? "" : `; did you mean ${meant}?`;
    throw new TypeError(
      `Unknown option ${quote(name)} of ${what}: it takes ${known.join(", ")}${hint}`,
    );
  }
}

/**
 * Refuses what is no list of statuses of final answers.
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

/** Whether names differ in their letters' case alone, or in the unit at the end. */
function resembles(known: string, given: string): boolean {
  return known === given || known === `${given}ms`;
}

/** The longest text that a message repeats whole, in characters. */
const MAX_QUOTED = 200;

/** A value as an error message shows it that may repeat a text: one where no secret is expected. */
export function quote(value: unknown): string {
  if (typeof value !== "string") return describe(value);
  const shown = JSON.stringify(value.slice(0, MAX_QUOTED));
  return value.length > MAX_QUOTED ? `${shown}… (${value.length} characters)` : shown;
}

/** The beginning of a text that was not written here, and may be of any length. */
export function shorten(text: string, max: number): string {
  return text.length > max ? `${text.slice(0, max)}…` : text;
}

/** A value as an error message shows it: never its contents, which may be secret. */
export function describe(value: unknown): string {
  if (value === null || value === undefined || typeof value === "number") return `${value}`;
  return Array.isArray(value) ? "an array" : typeof value;
}
