import { assert, assertEquals, assertThrows } from "@std/assert";
import { createHash } from "node:crypto";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  utimesSync,
} from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import test, { after, before } from "node:test";
import { pathToFileURL } from "node:url";
import { detectRuntime } from "../adapters/detect.ts";
import { buildPackage } from "../tools/build.ts";
import { type BuiltManifest, builtManifest, publishingRepository } from "../tools/manifest.ts";
import { packPackage } from "../tools/pack.ts";
import { bundleOf, overBudget } from "../tools/size.ts";
import { root, run } from "./support/programs.ts";

const source = JSON.parse(readFileSync(path.join(root, "package.json"), "utf8"));
const folder = mkdtempSync(path.join(tmpdir(), "hotconn-package-"));
const read = (name: string): string => readFileSync(path.join(folder, name), "utf8");

const skip = detectRuntime() !== "node" && "The package is built on Node, whoever looks on";
before(() => skip || buildPackage(folder));
after(() => rmSync(folder, { recursive: true }));

test("the package has code, types and maps for every entry point, and nothing of work on it", {
  skip,
}, () => {
  const manifest: BuiltManifest = JSON.parse(read("package.json"));
  assertEquals([manifest.name, manifest.version], [source.name, source.version]);
  assertEquals(Object.keys(manifest.exports), [...Object.keys(source.exports), "./package.json"]);
  for (const target of Object.values(manifest.exports)) {
    if (typeof target === "string") continue;
    for (const file of [target.default, target.types, `${target.default}.map`]) {
      assert(existsSync(path.join(folder, file)), file);
    }
  }
  const unwanted = ["private", "scripts", "devDependencies", "bin", "files"];
  assertEquals(Object.keys(manifest).filter((field) => unwanted.includes(field)), []);
  for (const field of ["dependencies", "engines", "peerDependencies", "peerDependenciesMeta"]) {
    assertEquals(manifest[field], source[field], field);
  }
  assertEquals(manifest["sideEffects"], false);
});

test(
  "the package is packed into the same bytes in another folder, at another time",
  { skip },
  async () => {
    const copy = mkdtempSync(path.join(tmpdir(), "hotconn-again-"));
    try {
      cpSync(folder, path.join(copy, "built"), { recursive: true });
      // When a file was built, and where, is nobody's concern.
      for (
        const name of readdirSync(path.join(copy, "built"), { recursive: true, encoding: "utf8" })
      ) {
        utimesSync(path.join(copy, "built", name), 1e9, 1e9);
      }
      const hashes: string[] = [];
      for (const [from, to] of [[folder, "first"], [path.join(copy, "built"), "second"]] as const) {
        mkdirSync(path.join(copy, to));
        const { filename } = await packPackage(from, path.join(copy, to));
        hashes.push(
          createHash("sha256").update(readFileSync(path.join(copy, to, filename))).digest("hex"),
        );
      }
      assertEquals(hashes[1], hashes[0]);
    } finally {
      rmSync(copy, { recursive: true });
    }
  },
);

test("no source file is left in the package, and none of its imports ends in .ts", { skip }, () => {
  const files = readdirSync(folder, { recursive: true, encoding: "utf8" });
  assertEquals(files.filter((name) => /(?<!\.d)\.ts$/.test(name)), []);
  const left = files.filter((name) => /\.(?:js|d\.ts)$/.test(name)).flatMap((name) =>
    read(name).match(/^(?:import|export|\}).*\bfrom ".*\.ts";|\bimport\("\..*\.ts"\)/gm) ?? []
  );
  assertEquals(left, []);
});

test(
  "both packages have the sources and what people read, and nothing else",
  { skip },
  async () => {
    const sources = ["mod.ts", "src", "adapters"].flatMap((place) =>
      place.endsWith(".ts") ? [place] : readdirSync(path.join(root, place), { recursive: true })
        .map((name) => `${place}/${name}`)
        .filter((name) => name.endsWith(".ts"))
    );
    const readByPeople = ["CHANGELOG.md", "LICENSE", "README.md"];
    const compiled = sources.flatMap((name) =>
      [".d.ts", ".js", ".js.map"].map((ending) => name.replace(/\.ts$/, ending))
    );
    const { files } = await packPackage(folder);
    assertEquals(
      files.map((file) => file.path).sort(),
      [...compiled, ...readByPeople, "package.json"].sort(),
    );
    const { output } = await run("deno", ["publish", "--dry-run", "--allow-dirty", "--no-check"]);
    const here = pathToFileURL(root).href;
    const uploaded = [...output.matchAll(/^ *(file:\S+) \(/gm)]
      .map(([, url = ""]) => url.slice(here.length));
    assertEquals(uploaded.sort(), [...sources, ...readByPeople, "deno.json"].sort());
  },
);

test("a source map has its source in it, and tells nothing of this machine", { skip }, () => {
  const map = JSON.parse(read("src/core/list.js.map"));
  assertEquals(map.sources, ["list.ts"]);
  assertEquals(map.sourcesContent, [readFileSync(path.join(root, "src/core/list.ts"), "utf8")]);
});

test("declarations that name what is disposable ask for its types", { skip }, () => {
  const directive = "/// <reference lib=\"esnext.disposable\" />\n";
  assert(read("src/pool/lease/lease.d.ts").startsWith(directive));
  assert(!read("src/core/list.d.ts").includes(directive));
});

test(
  "a program that imports ConnectionManager alone has no HTTP and no adapter in it",
  { skip },
  async () => {
    const { gzippedBytes, modules } = await bundleOf(folder, "{ ConnectionManager }");
    assert(modules.includes("src/map/manager.js"), modules.join(" "));
    assertEquals(modules.filter((name) => /^(?:src\/(?:http|pool)|adapters)\//.test(name)), []);
    const whole = await bundleOf(folder, "*");
    assert(whole.modules.includes("src/http/http_pool.js"));
    assert(whole.modules.includes("adapters/node.js"));
    assert(gzippedBytes < whole.gzippedBytes / 2);
  },
);

test("importing the package does not load Node's own fetch", { skip }, async () => {
  const script = `
    const isLoaded = () => process.moduleLoadList.some((name) => name.endsWith("undici/undici"));
    await import("./mod.ts");
    console.log(isLoaded());
    // What does load it shows that it would be seen.
    void Response;
    console.log(isLoaded());
  `;
  const args = ["--import", "tsx", "--input-type=module", "--eval", script];
  assertEquals((await run("node", args)).stdout, "false\ntrue\n");
});

test("what weighs more than its budget is told", () => {
  const budget = { packed: 10, ".": 10 };
  assertEquals(overBudget(budget, budget), []);
  assertEquals(overBudget({ packed: 10, ".": 11 }, budget), [". is 11 bytes; the budget is 10"]);
  assertEquals(overBudget({ packed: 10, "./new": 1 }, budget), [
    "./new has no budget",
    ". has a budget, and is not there",
  ]);
});

test("the published manifest names the repository that publishes, and no other", () => {
  const own = { name: "a", version: "1.0.0", exports: { ".": "./mod.ts" }, private: true };
  const exports = {
    ".": { types: "./mod.d.ts", default: "./mod.js" },
    "./package.json": "./package.json",
  };
  assertEquals(builtManifest(own), { name: "a", version: "1.0.0", exports });
  const url = publishingRepository({ GITHUB_REPOSITORY: "a/b" });
  assertEquals(url, "git+https://github.com/a/b.git");
  assertEquals(builtManifest(own, url)["repository"], { type: "git", url });
  assertEquals(publishingRepository({}), undefined);
  assertThrows(() => builtManifest({ ...own, exports: { ".": "./mod.js" } }), TypeError, "mod.js");
});
