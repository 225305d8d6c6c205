/**
 * Waiting without time.
 *
 * @module
 */

/** Lets everything run that is ready to run; no timer fires meanwhile. */
export async function settle(): Promise<void> {
  for (let turns = 0; turns < 32; turns++) await null;
}
