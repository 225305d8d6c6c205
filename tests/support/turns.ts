/**
 * Lets everything happen that waits for nothing but its turn.
 *
 * @module
 */

/** Lets so many microtasks pass, more than any chain of promises here is long. */
export async function turns(count = 60): Promise<void> {
  for (let turn = 0; turn < count; turn++) await null;
}
