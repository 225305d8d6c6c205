import { assert, assertEquals } from "@std/assert";
import { readdirSync, readFileSync } from "node:fs";
import test from "node:test";
import { obstacles, type ReleaseState, uploads } from "../tools/release.ts";

const root = new URL("../", import.meta.url);
const read = (path: string): string => readFileSync(new URL(path, root), "utf8");
const { version }: { readonly version: string } = JSON.parse(read("package.json"));

const ready: ReleaseState = {
  version: "1.2.3",
  changelog: "# Changes\n\n## 1.2.3\n\n- A change.\n\n## 1.2.2\n",
  changes: "",
  tag: "v1.2.3",
  trusted: true,
};

test("a version is released from a clean tree, by its tag and a workflow that is trusted", () => {
  assertEquals(obstacles(ready, false), []);
  assertEquals(obstacles({ ...ready, changes: " M mod.ts\n", tag: "v1", trusted: false }, false), [
    "The tree is not clean:\n M mod.ts",
    "The tag must be v1.2.3, got v1",
    "Only the release workflow can upload: nothing else has an OIDC token",
  ]);
  const { tag: _tag, ...untagged } = ready;
  assertEquals(obstacles(untagged, false), ["The tag must be v1.2.3, got none"]);
});

test("a version is released when the changelog tells of it", () => {
  const missing = ["CHANGELOG.md has no heading \"## 1.2.3\""];
  for (const heading of ["## 1.2.34", "## 1.2.2", "### 1.2.3", "1.2.3"]) {
    assertEquals(obstacles({ ...ready, changelog: `${heading}\n` }, false), missing);
    assertEquals(obstacles({ ...ready, changelog: `${heading}\n` }, true), missing);
  }
  const changelog = "## Unreleased: 1.2.3\n";
  assertEquals(obstacles({ ...ready, changelog }, false), missing);
});

test("a dry run needs neither tag nor trust, and takes a version that is being written", () => {
  const changelog = "## Unreleased: 1.2.3\n";
  const dry = { ...ready, changelog, tag: undefined, trusted: false };
  assertEquals(obstacles(dry, true), []);
  assertEquals(obstacles({ ...dry, changes: "?? new.ts\n" }, true).length, 1);
});

test("npm, which refuses a version that it has, comes last: what broke off is run again", () => {
  assertEquals(uploads("a.tgz").map(([program]) => program), ["deno", "npm"]);
  assert(uploads("a.tgz")[1]?.includes("a.tgz"));
});

test("the changelog and both manifests tell of this version, and no source file does", () => {
  const state = { ...ready, version, changelog: read("CHANGELOG.md") };
  assertEquals(obstacles(state, true), []);
  assertEquals(JSON.parse(read("deno.json")).version, version);
  assertEquals(JSON.parse(read("package-lock.json")).version, version);
  const files = ["src", "adapters"].flatMap((folder) =>
    readdirSync(new URL(folder, root), { recursive: true, encoding: "utf8" })
      .map((name) => `${folder}/${name}`)
      .filter((name) => name.endsWith(".ts"))
  );
  assert(files.length > 0);
  assertEquals(["mod.ts", ...files].filter((name) => read(name).includes(`"${version}`)), []);
});

test("the release workflow asks for a token of its own run, and for no secret", () => {
  const workflow = read(".github/workflows/release.yml");
  assert(/^ +id-token: write$/m.test(workflow));
  assert(!/secrets\.|_TOKEN/.test(workflow));
  const isPinned = /^uses: (?:[\w-]+\/[\w-]+@v\d+|\.\/\.github\/workflows\/[\w-]+\.yml)$/;
  const workflows = readdirSync(new URL(".github/workflows", root));
  assert(workflows.length > 1);
  for (const name of workflows) {
    const uses = read(`.github/workflows/${name}`).match(/uses: .*/g) ?? [];
    assert(uses.length > 0);
    assertEquals(uses.filter((use) => !isPinned.test(use)), []);
  }
});
