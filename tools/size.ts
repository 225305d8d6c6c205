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
import type { BuiltManifest } from "./manifest.ts";
import { packPackage } from "./pack.ts";

/** A program that is bundled with what it imports of the package. */
export interface Bundle {
  /** Minified and compressed. */
  readonly gzippedBytes: number;
  /** The package's files that it has code of, such as `src/core/list.js`. */
  readonly modules: readonly string[];
}

/**
 * What is weighed, in bytes: `packed` is what is downloaded to install the package, without its
 * dependencies; `connectionManagerAlone` what a program has of the main entry that imports that
 * alone; and each entry point, such as `.` and `./node`, all of it, with the dependencies in it.
 * Of the main entry that is every runtime's dialer.
 */
export interface Weights {
  readonly [name: string]: number;
}

/** What entry points leave to who installs it: no part of the package. */
const PEERS = ["@opentelemetry/api", "hono", "redis"];

/**
 * Bundles some names of an entry point of a built package.
 *
 * @param names Such as `*` or `{ createPool }`
 * @param file The file of the entry point
 */
export async function bundleOf(
  folder: string,
  names: string,
  file = "./mod.js",
): Promise<Bundle> {
  const { metafile, outputFiles: [bundled] } = await build({
    absWorkingDir: folder,
    stdin: { contents: `export ${names} from ${JSON.stringify(file)};`, resolveDir: folder },
    bundle: true,
    external: PEERS.flatMap((name) => [name, `${name}/*`]),
    format: "esm",
    logLevel: "error",
    metafile: true,
    minify: true,
    nodePaths: [path.join(root, "node_modules")],
    platform: "node",
    write: false,
  });
  const [output] = Object.values(metafile.outputs);
  if (!bundled || !output) throw new Error("Nothing was bundled");
  const modules = Object.entries(output.inputs)
    .filter(([name, { bytesInOutput }]) =>
      bytesInOutput > 0 && /^(?:mod|src|adapters)\b/.test(name)
    )
    .map(([name]) => name);
  return { gzippedBytes: gzipSync(bundled.contents).length, modules: modules.sort() };
}

/** What weighs more than it may, each as a complaint. */
export function overBudget(weights: Weights, budget: Weights): string[] {
  const names = new Set([...Object.keys(weights), ...Object.keys(budget)]);
  return [...names].flatMap((name) => {
    const { [name]: bytes } = weights;
    const { [name]: most } = budget;
    if (most === undefined) return [`${name} has no budget`];
    if (bytes === undefined) return [`${name} has a budget, and is not there`];
    return bytes > most ? [`${name} is ${bytes} bytes; the budget is ${most}`] : [];
  });
}

async function main(): Promise<void> {
  const folder = path.join(root, "dist");
  const manifest: BuiltManifest = JSON.parse(
    readFileSync(path.join(folder, "package.json"), "utf8"),
  );
  const weights: { [name: string]: number } = {
    packed: (await packPackage(folder)).size,
    connectionManagerAlone: (await bundleOf(folder, "{ ConnectionManager }")).gzippedBytes,
  };
  for (const [entry, target] of Object.entries(manifest.exports)) {
    if (typeof target === "string") continue;
    weights[entry] = (await bundleOf(folder, "*", target.default)).gzippedBytes;
  }
  const budget: Weights = JSON.parse(
    readFileSync(new URL("size_budget.json", import.meta.url), "utf8"),
  );
  for (const [name, bytes] of Object.entries(weights)) {
    const kilobytes = (number: number) => `${(number / 1_000).toFixed(1)} kB`;
    console.log(`${name}: ${kilobytes(bytes)} of ${kilobytes(budget[name] ?? 0)}`);
  }
  const complaints = overBudget(weights, budget);
  for (const complaint of complaints) console.error(complaint);
  if (complaints.length > 0) process.exitCode = 1;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) await main();
