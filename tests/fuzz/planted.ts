/**
 * A target with a planted fault.
 *
 * @module
 */

import type { FuzzTarget } from "./fuzzer.ts";

/** Goes wrong where a word stands behind the second comma. */
export const planted: FuzzTarget = {
  name: "planted",
  corpus: ["a,b,c", "good"],
  tokens: ["evil", ",", "good"],
  separators: [","],
  maxLength: 100,
  check(input) {
    const parts = input.split(",");
    if (parts[2]?.includes("evil")) throw new RangeError("The planted fault");
    return `${parts.length}${input.includes("evil")}`;
  },
};
