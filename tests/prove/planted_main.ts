/**
 * The program of the proof over parts of which one does not hold, for its own test.
 *
 * @module
 */

import process from "node:process";
import type { Part } from "./part.ts";
import { proveProgram } from "./program.ts";

const parts: readonly Part[] = [
  {
    name: "good",
    what: "holds",
    seconds: 1,
    prove: ({ steps, tell }) => {
      tell("on its way");
      return Promise.resolve({ steps, summary: `${steps} steps`, broken: [], figures: { steps } });
    },
  },
  {
    name: "bad",
    what: "does not hold",
    seconds: 1,
    prove: ({ only = "nothing" }) => Promise.reject(new Error(`The planted fault of ${only}`)),
  },
];

await proveProgram(parts, process.argv.slice(2));
