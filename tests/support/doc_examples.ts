/**
 * The examples in doc comments and in the README, as programs that run on any of the runtimes.
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
 * another machine is fenced as `ts no-run`, which checks its types, or `ts ignore`.
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

/**
 * Runs an example to its end.
 *
 * @param resolve Gives the URL of a package that the example imports, where it is not the runtime's
 */
export async function runExample(
  { code }: Example,
  resolve: (specifier: string) => string | undefined,
): Promise<void> {
  const folder = mkdtempSync(path.join(tmpdir(), "hotconn-example-"));
  try {
    const file = path.join(folder, "example.mts");
    const resolved = code.replace(
      /(\bfrom )"([^"]+)"/g,
      (text, from: string, specifier: string) => {
        const url = resolve(specifier);
        return url === undefined ? text : `${from}${JSON.stringify(url)}`;
      },
    );
    writeFileSync(file, resolved);
    await import(pathToFileURL(file).href);
  } finally {
    rmSync(folder, { recursive: true });
  }
}
