/**
 * Fuzzes one target, or all of them.
 *
 *     npm run fuzz -- codec --seconds 60 [--seed N]
 *     npm run fuzz -- all --seconds 20
 *     npm run fuzz -- codec --input FILE
 *
 * The targets are `codec`, `h2`, `websocket`, `address` and `admin`. Without `--seconds` it goes on until somebody
 * stops it. An input that goes wrong is made short, shown and saved; `--input` looks at it again,
 * and `--seed` repeats the whole run.
 *
 * @module
 */

import process from "node:process";
import { fuzzProgram } from "./program.ts";
import { targets } from "./targets.ts";

await fuzzProgram(targets, process.argv.slice(2));
