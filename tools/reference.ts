/**
 * Writes the reference, which is made of the doc comments, as a site of static pages.
 *
 *     node --import tsx tools/reference.ts
 *
 * @module
 */

import { readFileSync, rmSync } from "node:fs";
import path from "node:path";
import process from "node:process";
import { root, run } from "../tests/support/programs.ts";

const folder = "reference";
const { exports }: { readonly exports: { readonly [entry: string]: string } } = JSON.parse(
  readFileSync(path.join(root, "deno.json"), "utf8"),
);

// Pages of what is there no more would stay.
rmSync(path.join(root, folder), { recursive: true, force: true });
const { broken, code, output } = await run("deno", [
  "doc",
  "--html",
  "--name=hotconn",
  `--output=${folder}`,
  ...Object.values(exports),
]);
if (code === 0 && broken === undefined) console.log(`Written to ${folder}/index.html`);
else {
  console.error(output, broken ?? "");
  process.exitCode = 1;
}
