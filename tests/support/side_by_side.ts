/**
 * Tests that mostly wait for real time, which they do together.
 *
 * @module
 */

import test from "node:test";

/**
 * Makes a test of each, by its name. When the first of them begins, all of them do: so they must have
 * nothing in common.
 */
export function testSideBySide(
  tests: { readonly [name: string]: () => Promise<void> },
  options: { readonly skip?: string | false | undefined } = {},
): void {
  let begun: Map<string, Promise<void>> | undefined;
  for (const name of Object.keys(tests)) {
    test(name, { skip: options.skip ?? false }, () => {
      begun ??= new Map(Object.entries(tests).map(([name, run]) => [name, begin(run)]));
      return begun.get(name);
    });
  }
}

/** Begins a test, whose failure is told when its turn comes. */
function begin(run: () => Promise<void>): Promise<void> {
  const running = run();
  running.catch(() => {});
  return running;
}
