/**
 * Projects that use the package as it is installed: the folders of `tests/consumers`, each copied
 * to where it knows nothing of this repository.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { buildPackage } from "../../tools/build.ts";
import { packPackage } from "../../tools/pack.ts";
import { root, run } from "./programs.ts";

/** A copy of a project, in its own folder. */
export interface Project {
  readonly folder: string;
  /** What its program must print. */
  readonly expected: string;
  /** Runs a command to its end, which must be a good one, and gives what it printed. */
  run(program: string, ...args: string[]): Promise<string>;
}

/** The artefacts, and the projects that use them. */
export interface Workshop extends Disposable {
  /** The archive for npm. */
  readonly archive: string;
  /** Copies a project. */
  copy(name: string): Project;
}

/** Builds and packs the package, once for all projects. */
export async function openWorkshop(): Promise<Workshop> {
  const folder = mkdtempSync(path.join(tmpdir(), "hotconn-consumers-"));
  const built = path.join(folder, "built");
  await buildPackage(built);
  const { filename } = await packPackage(built, folder);
  return {
    archive: path.join(folder, filename),
    copy: (name) => copyProject(name, mkdtempSync(path.join(folder, `${name}-`))),
    [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }),
  };
}

/** Copies a project of `tests/consumers` into a folder. */
export function copyProject(name: string, folder: string): Project {
  cpSync(path.join(root, "tests/consumers", name), folder, { recursive: true });
  return {
    folder,
    expected: readFileSync(path.join(folder, "expected.txt"), "utf8"),
    async run(program, ...args) {
      const { broken, code, output, stdout } = await run(program, args, {
        folder,
        timeoutMs: 120_000,
      });
      assertEquals(code, 0, `${program} ${args.join(" ")}\n${output}${broken ?? ""}`);
      return stdout;
    },
  };
}

/** A field of a manifest that names packages and their ranges. */
interface Wanted {
  [name: string]: string;
}

/**
 * Installs the archive, with what else the project wants in the versions that this repository has:
 * npm finds those in its cache.
 */
export async function installWithNpm(project: Project, archive: string): Promise<void> {
  const file = path.join(project.folder, "package.json");
  const manifest: { devDependencies?: Wanted; dependencies?: Wanted } = readJson(file);
  for (const wanted of [manifest.dependencies ?? {}, manifest.devDependencies ?? {}]) {
    for (const name of Object.keys(wanted)) wanted[name] = versionHere(name);
  }
  manifest.dependencies = { ...manifest.dependencies, hotconn: `file:${archive}` };
  writeFileSync(file, JSON.stringify(manifest));
  await project.run(
    "npm",
    "install",
    "--prefer-offline",
    "--ignore-scripts",
    "--no-audit",
    "--no-fund",
  );
}

function versionHere(name: string): string {
  const manifest = path.join(root, "node_modules", name, "package.json");
  return readJson<{ readonly version: string }>(manifest).version;
}

/** What of `deno.json` says how the package is published. */
interface DenoManifest {
  readonly name: string;
  readonly version: string;
  readonly publish: { readonly include: readonly string[] };
}

/** Puts beside the project what `deno publish` would upload, and links it as what is on JSR. */
export function installFromJsr(project: Project): void {
  const { name, publish, version }: DenoManifest = readJson(path.join(root, "deno.json"));
  mkdirSync(path.join(project.folder, "package"));
  for (const place of publish.include) {
    cpSync(path.join(root, place), path.join(project.folder, "package", place), {
      recursive: true,
    });
  }
  // No compiler options: what is linked is checked under those of the project, Deno's own.
  const imports = { [name]: `jsr:${name}@^${version}` };
  const config = { imports, links: ["./package"], lock: false };
  writeFileSync(path.join(project.folder, "deno.json"), JSON.stringify(config));
}

function readJson<T>(file: string): T {
  return JSON.parse(readFileSync(file, "utf8"));
}
