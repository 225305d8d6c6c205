/**
 * The fuzzer's program over targets with planted faults, for its own test.
 *
 * @module
 */

import process from "node:process";
import type { FuzzTarget } from "./fuzzer.ts";
import { planted } from "./planted.ts";
import { fuzzProgram } from "./program.ts";

const hangs: FuzzTarget = {
  ...planted,
  name: "hangs",
  check(input) {
    while (input.includes("evil"));
    return "";
  },
};

await fuzzProgram([planted, hangs], process.argv.slice(2), 500);
