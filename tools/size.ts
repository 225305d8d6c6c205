/**
 * Weighs the package that `npm run build` has left in `dist`, and fails where it weighs more than
 * `size_budget.json` allows. A larger budget is a decision: whoever takes it changes that file.
 *
 *     node --import tsx tools/size.ts
 *
 * @module
 */

import { build } from "esbuild";
import { readFileSync } from "node:fs";
import path from "node:path";
import process from "node:process";
import { pathToFileURL } from "node:url";
import { gzipSync } from "node:zlib";
import { root } from "../tests/support/programs.ts";
import { packPackage } from "./pack.ts";

/** A program that is bundled with what it imports of the package. */
export interface Bundle {
  /** Minified and compressed. */
  readonly gzippedBytes: number;
  /** The package's files that it has code of, such as `src/core/list.js`. */
  readonly modules: readonly string[];
}

/** What is weighed, in bytes. */
export interface Weights {
  /** What is downloaded to install the package, without its dependencies. */
  readonly packed: number;
  /** All of the main entry, every runtime's dialer and the dependencies in it. */
  readonly mainEntry: number;
  /** What a program has of the main entry that imports `ConnectionManager` alone. */
  readonly connectionManagerAlone: number;
}

/**
 * Bundles some names of a built package's main entry.
 *
 * @param names Such as `*` or `{ createPool }`
 */
export async function bundleOf(folder: string, names: string): Promise<Bundle> {
  const { metafile, outputFiles: [file] } = await build({
    absWorkingDir: folder,
    stdin: { contents: `export ${names} from "./mod.js";`, resolveDir: folder },
    bundle: true,
    format: "esm",
    logLevel: "error",
    metafile: true,
    minify: true,
    nodePaths: [path.join(root, "node_modules")],
    platform: "node",
    write: false,
  });
  const [output] = Object.values(metafile.outputs);
  if (!file || !output) throw new Error("Nothing was bundled");
  const modules = Object.entries(output.inputs)
    .filter(([name, { bytesInOutput }]) =>
      bytesInOutput > 0 && /^(?:mod|src|adapters)\b/.test(name)
    )
    .map(([name]) => name);
  return { gzippedBytes: gzipSync(file.contents).length, modules: modules.sort() };
}

/** What weighs more than it may, each as a complaint. */
export function overBudget(weights: Weights, budget: Weights): string[] {
  const names = Object.keys(budget) as (keyof Weights)[];
  return names.filter((name) => weights[name] > budget[name]).map((name) =>
    `${name} is ${weights[name]} bytes; the budget is ${budget[name]}`
  );
}

async function main(): Promise<void> {
  const folder = path.join(root, "dist");
  const weights: Weights = {
    packed: (await packPackage(folder)).size,
    mainEntry: (await bundleOf(folder, "*")).gzippedBytes,
    connectionManagerAlone: (await bundleOf(folder, "{ ConnectionManager }")).gzippedBytes,
  };
  const budget: Weights = JSON.parse(
    readFileSync(new URL("size_budget.json", import.meta.url), "utf8"),
  );
  for (const [name, bytes] of Object.entries(weights)) {
    const kilobytes = (number: number) => `${(number / 1_000).toFixed(1)} kB`;
    console.log(`${name}: ${kilobytes(bytes)} of ${kilobytes(budget[name as keyof Weights])}`);
  }
  const complaints = overBudget(weights, budget);
  for (const complaint of complaints) console.error(complaint);
  if (complaints.length > 0) process.exitCode = 1;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) await main();
