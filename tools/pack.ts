/**
 * Packs a built package, as npm does when it publishes.
 *
 * @module
 */

import { run } from "../tests/support/programs.ts";

/** What a package is packed into. */
export interface Packed {
  /** The name of the archive. */
  readonly filename: string;
  /** In bytes, packed. */
  readonly size: number;
  /** In bytes, installed. */
  readonly unpackedSize: number;
  /** What is in it. */
  readonly files: readonly { readonly path: string; readonly size: number }[];
}

/**
 * Packs a folder.
 *
 * @param destination The folder that the archive is left in; without it, nothing is left
 * @throws {Error} npm cannot pack it
 */
export async function packPackage(folder: string, destination?: string): Promise<Packed> {
  const { broken, code, output, stdout } = await run("npm", [
    "pack",
    folder,
    "--json",
    "--ignore-scripts",
    "--offline",
    ...destination === undefined ? ["--dry-run"] : ["--pack-destination", destination],
  ]);
  if (code !== 0 || broken !== undefined) throw new Error(`${output}${broken ?? ""}`);
  const [packed]: readonly Packed[] = JSON.parse(stdout);
  if (!packed) throw new Error(`npm packed nothing:\n${output}`);
  return packed;
}
