/**
 * Proves one part of what the product promises, or all of them.
 *
 *     npm run prove -- model --seconds 60 [--seed N]
 *     npm run prove -- chaos --steps 10000 --runtime deno
 *     npm run prove -- all --json
 *
 * `--seconds` or `--steps` says how much, `--only` one kind of what a part does, `--runtime` where:
 * `deno`, `bun` or `node`. Each part ends with a line that sums it up, or with a line of JSON, and
 * the exit code is 1 where anything did not hold. `--seed` repeats a run.
 *
 * @module
 */

import process from "node:process";
import { parts } from "./parts.ts";
import { proveProgram } from "./program.ts";

await proveProgram(parts, process.argv.slice(2));
