/**
 * The examples in doc comments and in documents, as programs that run on any of the runtimes.
 *
 * @module
 */

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { pathToFileURL } from "node:url";

/** An example, and where it stands. */
export interface Example {
  /** Such as `adapters/memory.ts:5`. */
  readonly place: string;
  readonly code: string;
}

/**
 * Finds the examples of a file that may be run: those fenced as `ts` and nothing else. What needs
 * another machine is fenced as `ts no-run`, which checks its types.
 */
export function examplesOf(file: string, text: string): Example[] {
  const examples: Example[] = [];
  const blocks = text.matchAll(/^( \* | {3}\* |)```ts\n([\s\S]*?)^\1```$/gm);
  for (const { 0: block, 1: margin = "", 2: body = "", index } of blocks) {
    const line = text.slice(0, index).split("\n").length;
    const lines = body.split("\n").map((text) => text.slice(margin.length));
    if (block !== "") examples.push({ place: `${file}:${line}`, code: lines.join("\n") });
  }
  return examples;
}

/** What the blocks of a file are fenced as: in a document, or in comments. */
export function fencesOf(text: string): string[] {
  const fences = [...text.matchAll(/^(?: *\* |)```(.*)$/gm)].map(([, fence = ""]) => fence);
  return fences.filter((_, index) => index % 2 === 0);
}

/**
 * Puts URLs in place of the names of packages that code imports.
 *
 * @param resolve Gives the URL of a package, or undefined to leave its name
 */
export function withResolved(
  code: string,
  resolve: (specifier: string) => string | undefined,
): string {
  return code.replace(/(\bfrom )"([^"]+)"/g, (text, from: string, specifier: string) => {
    const url = resolve(specifier);
    return url === undefined ? text : `${from}${JSON.stringify(url)}`;
  });
}

/**
 * Runs code, whatever the name of its file, to its end. What it prints is dropped: on its output
 * Node's runner has the results of tests, and takes one for the other (nodejs/node#64061).
 */
export async function runCode(code: string): Promise<void> {
  const folder = mkdtempSync(path.join(tmpdir(), "hotconn-example-"));
  const { info, log } = console;
  console.info = console.log = () => {};
  try {
    const file = path.join(folder, "example.mts");
    writeFileSync(file, code);
    await import(pathToFileURL(file).href);
  } finally {
    Object.assign(console, { info, log });
    rmSync(folder, { recursive: true });
  }
}
