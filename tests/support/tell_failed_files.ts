/**
 * Loaded before each of Node's batches: one in which a test fails names its files at its end. The runner
 * itself names the file that declares a test, which may be one that many have in common.
 *
 * @module
 */

import process from "node:process";
import { filesOf } from "./node_batches.ts";

process.on("exit", (code) => {
  const [, batch] = process.argv;
  if (code === 0 || batch === undefined || process.env.NODE_TEST_CONTEXT === undefined) return;
  process.stderr.write(`failed in one of ${filesOf(batch).join(" ")}\n`);
});
