/**
 * What the command lines of the fuzzers and of the proof have in common.
 *
 * @module
 */

/** Reads a number above 0; undefined where none was given. */
export function readNumber(name: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const number = Number(text);
  if (!(number > 0)) throw new TypeError(`${name} must be a number above 0, got ${text}`);
  return number;
}

/** Reads a seed; a new one where none was given. */
export function readSeed(text: string | undefined): number {
  const seed = text === undefined ? Math.floor(Math.random() * 2 ** 32) : Number(text);
  if (!Number.isSafeInteger(seed)) throw new TypeError("--seed must be a whole number");
  return seed;
}

/** An error in full. */
export function textOf(error: unknown): string {
  return error instanceof Error ? error.stack ?? error.message : String(error);
}
