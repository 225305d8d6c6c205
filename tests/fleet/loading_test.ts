import { assert, assertEquals } from "@std/assert";
import { build } from "esbuild";
import { readFileSync } from "node:fs";
import path from "node:path";
import test from "node:test";
import { root } from "../support/programs.ts";

/** Every module that is loaded along with one, its dynamic imports and packages included. */
async function loadedBy(entry: string): Promise<string[]> {
  const { metafile } = await build({
    absWorkingDir: root,
    entryPoints: [entry],
    bundle: true,
    format: "esm",
    logLevel: "error",
    metafile: true,
    outdir: "unwritten",
    packages: "external",
    platform: "node",
    splitting: true,
    // What is imported for its type alone is gone, as where types are stripped.
    treeShaking: false,
    write: false,
  });
  const imports = Object.values(metafile.inputs).flatMap(({ imports }) =>
    imports.flatMap(({ external, path }) => external ? [path] : [])
  );
  return [...Object.keys(metafile.inputs), ...new Set(imports)];
}

const isOfFleet = (module: string) =>
  /^src\/fleet\/|\/fleet\/|^adapters\/redis|^redis$/.test(module);

test("A pool without a fleet loads nothing of one", async () => {
  const loaded = await loadedBy("mod.ts");
  assert(loaded.includes("src/pool/pool.ts"));
  assertEquals(loaded.filter(isOfFleet), []);
  const { exports } = JSON.parse(readFileSync(path.join(root, "package.json"), "utf8"));
  for (const entry of Object.values<string>(exports)) {
    if (entry.includes("redis")) continue;
    assertEquals((await loadedBy(entry)).filter(isOfFleet), [], entry);
  }
});

test("A fleet is loaded with its entry point, and then all of it", async () => {
  const loaded = (await loadedBy("adapters/redis.ts")).filter(isOfFleet);
  for (const module of ["src/fleet/member.ts", "src/pool/fleet/pool_site.ts", "redis"]) {
    assert(loaded.includes(module), module);
  }
});
