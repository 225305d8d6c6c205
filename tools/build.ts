/**
 * Builds the package for npm: a folder that is the package's root, with the code and the types of
 * every source file, its manifest, and what people read.
 *
 *     node --import tsx tools/build.ts [folder, or else dist]
 *
 * The compiler alone does it, file by file. Nothing is bundled: whoever bundles a program leaves
 * out whole files that it does not use, and stack traces name the files that are here.
 *
 * @module
 */

import { copyFileSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import process from "node:process";
import { pathToFileURL } from "node:url";
import { root, run } from "../tests/support/programs.ts";
import { builtManifest, publishingRepository } from "./manifest.ts";

const READ_BY_PEOPLE = ["README.md", "CHANGELOG.md", "LICENSE"];

/** Needs types of the standard library that come later than ES2022. */
const DISPOSABLE = /\bSymbol\.(?:asyncDispose|dispose)\b|\b(?:Async)?Disposable\b/;

/**
 * Builds into a folder, and replaces what is in it.
 *
 * @throws {Error} The sources do not compile
 */
export async function buildPackage(folder: string): Promise<void> {
  const full = path.resolve(root, folder);
  rmSync(full, { recursive: true, force: true });
  const args = ["-p", "tsconfig.build.json", "--outDir", full];
  const { broken, code, output } = await run("tsc", args);
  if (code !== 0 || broken !== undefined) throw new Error(`${output}${broken ?? ""}`);
  for (const name of readdirSync(full, { recursive: true, encoding: "utf8" })) {
    const file = path.join(full, name);
    if (name.endsWith(".d.ts")) rewrite(file, declarations);
    else if (name.endsWith(".js.map")) rewrite(file, (text) => sourceMap(text, name));
  }
  const source = JSON.parse(readFileSync(path.join(root, "package.json"), "utf8"));
  const manifest = builtManifest(source, publishingRepository(process.env));
  writeFileSync(path.join(full, "package.json"), `${JSON.stringify(manifest, null, 2)}\n`);
  for (const name of READ_BY_PEOPLE) copyFileSync(path.join(root, name), path.join(full, name));
}

function rewrite(file: string, change: (text: string) => string): void {
  writeFileSync(file, change(readFileSync(file, "utf8")));
}

/**
 * The compiler leaves `.ts` in the imports of declarations, which asks every reader for an option;
 * and readers whose library is ES2022 have to be told of what is disposable. A directive in the
 * sources would be refused by JSR.
 */
function declarations(text: string): string {
  const imports = text.replace(/(\b(?:from |import\()"\.{1,2}\/[^"]+)\.ts"/g, "$1.js\"");
  return DISPOSABLE.test(imports)
    ? `/// <reference lib="esnext.disposable" />\n${imports}`
    : imports;
}

/** A map has its source in it, and tells nothing of where that was built. */
function sourceMap(text: string, name: string): string {
  return JSON.stringify({ ...JSON.parse(text), sources: [path.basename(name, ".js.map") + ".ts"] });
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  await buildPackage(process.argv[2] ?? "dist");
}
