/**
 * Builds the site of the documents, with the reference in it, into `docs/.vitepress/dist/`. Ends
 * with 1 where a link leads nowhere.
 *
 *     node --import tsx tools/site.ts
 *
 * @module
 */

import { cpSync } from "node:fs";
import path from "node:path";
import process from "node:process";
import { root, run } from "../tests/support/programs.ts";

const site = "docs/.vitepress/dist";

/** Runs a program, and ends this one where that fails. */
async function need(program: string, ...args: readonly string[]): Promise<void> {
  const { broken, code, output } = await run(program, args);
  if (code === 0 && broken === undefined) return;
  console.error(output, broken ?? "");
  process.exit(1);
}

await need("node", "--import", "tsx", "tools/reference.ts");
await need("vitepress", "build", "docs");
cpSync(path.join(root, "reference"), path.join(root, site, "reference"), { recursive: true });
console.log(`Written to ${site}/index.html: look at it with npx vitepress preview docs`);
