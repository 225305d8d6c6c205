/**
 * Tries what is about to be released on what people have: it is built twice over, and used in an
 * empty project on each version of Node that is in use, on Deno and on Bun.
 *
 * @module
 */

import { readFileSync } from "node:fs";
import path from "node:path";
import { copyProject, installFromJsr, installWithNpm } from "../tests/support/consumers.ts";
import { startRemoteOrigin } from "../tests/support/origin_process.ts";
import { createAuthority } from "../tests/support/pki.ts";
import { buildPackage } from "./build.ts";
import { packPackage } from "./pack.ts";

/** The versions of Node that it is tried on: those that are maintained, and the newest. */
export const NODES: readonly string[] = ["20", "22", "24", "latest"];

/**
 * Builds and packs once more, in another folder.
 *
 * @throws {Error} What is packed is not the same, byte for byte
 */
export async function buildAgain(archive: string, folder: string): Promise<void> {
  const built = path.join(folder, "again");
  await buildPackage(built);
  const { filename } = await packPackage(built, built);
  const again = readFileSync(path.join(built, filename));
  if (!again.equals(readFileSync(archive))) {
    throw new Error("Built again, the archive is another one");
  }
  console.log("Built again elsewhere, the archive is the same, byte for byte");
}

/**
 * Installs what npm would give in an empty project, and what JSR would, and uses both.
 *
 * @throws {Error} A program of a project did not print what it should
 */
export async function tryEverywhere(archive: string, folder: string): Promise<void> {
  const authority = await createAuthority();
  const certificate = await authority.issue({ names: ["localhost"] });
  await using origin = await startRemoteOrigin({ certificates: [certificate] });
  const args = [`https://localhost:${origin.port}/`, authority.cert];
  const check = (where: string, printed: string, expected: string) => {
    if (!printed.endsWith(expected)) throw new Error(`On ${where} it printed:\n${printed}`);
    console.log(`Used on ${where}`);
  };
  const project = copyProject("node_javascript", path.join(folder, "npm"));
  await installWithNpm(project, archive);
  for (const node of NODES) {
    const run = ["--yes", `--package=node@${node}`, "--", "sh", "-c"];
    const script = "node --version && node main.js \"$@\"";
    const printed = await project.run("npx", ...run, script, "sh", ...args);
    check(`Node ${printed.split("\n", 1)[0]}`, printed, project.expected);
  }
  for (const [name, ...flags] of [["deno", "run", "--allow-net"], ["bun", "run"]] as const) {
    check(name, await project.run(name, ...flags, "main.js", ...args), project.expected);
  }
  const fromJsr = copyProject("deno_jsr", path.join(folder, "jsr"));
  installFromJsr(fromJsr);
  const printed = await fromJsr.run("deno", "run", "--allow-net", "main.ts", ...args);
  check("Deno, from JSR", printed, fromJsr.expected);
}
