/**
 * Work in steps.
 *
 * @module
 */

/** Work that stops after each step, so that others may have a turn before the next. */
export type Steps<T = void> = Generator<void, T, void>;

/** Does all of it at once. */
export function doAll<T>(steps: Steps<T>): T {
  for (;;) {
    const step = steps.next();
    if (step.done) return step.value;
  }
}
