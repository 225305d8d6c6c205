/**
 * Batches of test files, each for a process of Node: loading the same modules anew for each file takes
 * longer than most files' tests.
 *
 * @module
 */

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import process from "node:process";
import { fileURLToPath, pathToFileURL } from "node:url";
import { root } from "./programs.ts";

const FILES_EACH = 6;

/** Writes a program for each batch, which is gone with this process. Returns their paths. */
export function writeBatches(files: readonly string[]): string[] {
  const folder = mkdtempSync(path.join(tmpdir(), "hotconn-batches-"));
  process.on("exit", () => rmSync(folder, { recursive: true }));
  const batches: string[] = [];
  for (let from = 0; from < files.length; from += FILES_EACH) {
    const batch = path.join(folder, `${from}_test.mjs`);
    // All are loaded before the first test begins.
    const imports = files.slice(from, from + FILES_EACH)
      .map((file) => `import ${JSON.stringify(pathToFileURL(path.resolve(root, file)).href)};\n`);
    writeFileSync(batch, imports.join(""));
    batches.push(batch);
  }
  return batches;
}

/** The files of a batch, by paths from the project's root. */
export function filesOf(batch: string): string[] {
  return [...readFileSync(batch, "utf8").matchAll(/^import "(.+)";$/gm)]
    .map(([, url = ""]) => path.relative(root, fileURLToPath(url)));
}
