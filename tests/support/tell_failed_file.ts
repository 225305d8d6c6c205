/**
 * Loaded before each of Node's test files: a file in which a test fails says so at its end. The runner
 * itself names the file that declares a test, which may be one that many have in common.
 *
 * @module
 */

import path from "node:path";
import process from "node:process";
import { root } from "./programs.ts";

process.on("exit", (code) => {
  const [, file] = process.argv;
  if (code === 0 || file === undefined || process.env.NODE_TEST_CONTEXT === undefined) return;
  process.stderr.write(`failed in ${path.relative(root, file)}\n`);
});
