/**
 * Releases this version on npm and on JSR: checks everything, builds it twice over, uses it in empty
 * projects on all runtimes, writes its bill of materials, and uploads.
 *
 *     npm run release -- --dry-run    # uploads nothing, and lists what would be uploaded
 *
 * Only a workflow that both registries trust can upload: there is no token to keep.
 *
 * @module
 */

import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import process from "node:process";
import { pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import { endTogether, root, run } from "../tests/support/programs.ts";
import { buildPackage } from "./build.ts";
import { packPackage } from "./pack.ts";
import { type BilledManifest, complaintsAbout, makeBill } from "./sbom.ts";
import { buildAgain, tryEverywhere } from "./try_package.ts";

/** What is known before anything is built. */
export interface ReleaseState {
  readonly version: string;
  readonly changelog: string;
  /** What `git status --porcelain` says. */
  readonly changes: string;
  /** The tag that the workflow was started for, if any. */
  readonly tag?: string | undefined;
  /** Whether the registries can be asked to trust this run. */
  readonly trusted: boolean;
}

/** Why this version cannot be released; a dry run asks for less. */
export function obstacles(state: ReleaseState, isDry: boolean): string[] {
  const { changelog, changes, tag, trusted, version } = state;
  const found: string[] = [];
  if (changes.trim() !== "") found.push(`The tree is not clean:\n${changes.trimEnd()}`);
  const headings = changelog.split("\n").filter((line) => line.startsWith("## "));
  const isReady = headings.includes(`## ${version}`);
  const isAwaited = isDry && headings.includes(`## Unreleased: ${version}`);
  if (!isReady && !isAwaited) found.push(`CHANGELOG.md has no heading "## ${version}"`);
  if (isDry) return found;
  if (tag !== `v${version}`) found.push(`The tag must be v${version}, got ${tag ?? "none"}`);
  if (!trusted) found.push("Only the release workflow can upload: nothing else has an OIDC token");
  return found;
}

/**
 * The commands that upload, in their order. Deno passes over a version that JSR has already, and npm
 * refuses one that it has: with npm last, a release that broke off half way is simply run again.
 */
export function uploads(archive: string): (readonly [program: string, ...args: string[]])[] {
  return [
    ["deno", "publish"],
    ["npm", "publish", archive, "--access", "public", "--provenance"],
  ];
}

async function must(program: string, ...args: string[]): Promise<string> {
  console.log(`\n$ ${[program, ...args].join(" ")}`);
  const { broken, code, stdout } = await run(program, args, { show: true });
  if (code !== 0 || broken !== undefined) {
    throw new Error(`${program} ended with ${broken ?? `code ${code}`}`);
  }
  return stdout;
}

/** Leaves the bill of materials where the workflow keeps it, beside the last build. */
async function writeBill(manifest: BilledManifest): Promise<void> {
  const bill = await makeBill(manifest);
  const complaints = complaintsAbout(bill, manifest);
  if (complaints.length > 0) throw new Error(`The bill of materials:\n${complaints.join("\n")}`);
  const file = path.join(root, "dist-sbom", `hotconn-${manifest.version}.cdx.json`);
  mkdirSync(path.dirname(file), { recursive: true });
  writeFileSync(file, `${JSON.stringify(bill, null, 2)}\n`);
  const names = bill.components.map(({ name, version }) => `${name} ${version}`);
  console.log(`\nBill of materials: ${path.relative(root, file)}, with ${names.join(", ")}`);
}

async function release(isDry: boolean): Promise<void> {
  const manifest: BilledManifest = JSON.parse(
    readFileSync(path.join(root, "package.json"), "utf8"),
  );
  const { version } = manifest;
  const { GITHUB_REF_NAME, GITHUB_REF_TYPE, ACTIONS_ID_TOKEN_REQUEST_URL } = process.env;
  const found = obstacles({
    version,
    changelog: readFileSync(path.join(root, "CHANGELOG.md"), "utf8"),
    changes: await must("git", "status", "--porcelain"),
    tag: GITHUB_REF_TYPE === "tag" ? GITHUB_REF_NAME : undefined,
    trusted: ACTIONS_ID_TOKEN_REQUEST_URL !== undefined,
  }, isDry);
  if (found.length > 0) throw new Error(found.join("\n"));
  // It builds too, and tries the package with publint, attw and a dry run for JSR.
  await must("npm", "run", "--silent", "check");
  const folder = mkdtempSync(path.join(tmpdir(), "hotconn-release-"));
  try {
    const built = path.join(folder, "built");
    await buildPackage(built);
    const { filename, files, size, unpackedSize } = await packPackage(built, folder);
    const archive = path.join(folder, filename);
    console.log(`\nFor npm: ${filename}, ${size} bytes packed, ${unpackedSize} installed`);
    for (const file of files) console.log(`  ${file.path} (${file.size} bytes)`);
    await buildAgain(archive, folder);
    await tryEverywhere(archive, folder);
    await writeBill(manifest);
    console.log("\nFor JSR:");
    await must("deno", "publish", "--dry-run", "--allow-dirty", "--no-check");
    if (isDry) {
      console.log(`\n${version} could be released. Nothing was uploaded`);
      return;
    }
    for (const [program, ...args] of uploads(archive)) await must(program, ...args);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  endTogether();
  try {
    const { values } = parseArgs({ options: { "dry-run": { type: "boolean", default: false } } });
    await release(values["dry-run"]);
  } catch (error) {
    console.error(`\n${error instanceof Error ? error.message : error}`);
    process.exitCode = 1;
  }
}
