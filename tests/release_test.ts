import { assert, assertEquals } from "@std/assert";
import { readdirSync, readFileSync } from "node:fs";
import test from "node:test";
import { VERSION } from "../src/core/version.ts";
import { licencesOf } from "../tools/licences.ts";
import { obstacles, type ReleaseState, uploads } from "../tools/release.ts";
import { type Bill, complaintsAbout } from "../tools/sbom.ts";
import { documents } from "./support/documents.ts";

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

test("the changelog, both manifests and one source file tell of this version", () => {
  const state = { ...ready, version, changelog: read("CHANGELOG.md") };
  assertEquals(obstacles(state, true), []);
  assertEquals(JSON.parse(read("deno.json")).version, version);
  const lock = JSON.parse(read("package-lock.json"));
  assertEquals([lock.version, lock.packages[""].version], [version, version]);
  const files = ["src", "adapters"].flatMap((folder) =>
    readdirSync(new URL(folder, root), { recursive: true, encoding: "utf8" })
      .map((name) => `${folder}/${name}`)
      .filter((name) => name.endsWith(".ts"))
  );
  assert(files.length > 0);
  // An IP address may have the version's figures in it.
  const named = new RegExp(`(?<![\\d.])${version.replaceAll(".", "\\.")}(?!\\.?\\d)`);
  assert(named.test(`"hotconn/${version}"`) && !named.test(`10.${version}`));
  assertEquals(VERSION, version);
  const telling = ["mod.ts", ...files].filter((name) => named.test(read(name)));
  assertEquals(telling, ["src/core/version.ts"]);
  // How the package is packed in a clone is told with its version.
  const told = documents().flatMap((path) =>
    [...read(path).matchAll(/hotconn[-@]\^?(\d+\.\d+\.\d+)/g)].map(([, told]) => told)
  );
  assertEquals(told.filter((text) => text !== version), []);
});

test("a licence that nobody has looked at is found, and a stricter look is taken at what users get", () => {
  const at = (license: string | undefined, dev: boolean) =>
    licencesOf({ packages: { "": {}, "node_modules/a": { dev, ...license && { license } } } })
      .unknown;
  for (const fine of ["MIT", "(MIT OR GPL-3.0)", "(Apache-2.0 AND BSD-3-Clause)"]) {
    assertEquals(at(fine, false), [], fine);
  }
  for (const other of ["GPL-3.0", "(MIT AND GPL-3.0)", "MIT-0", "((MIT) OR ISC)"]) {
    assertEquals(at(other, true), [`a: ${other}`]);
  }
  assertEquals(at(undefined, true), ["a: none"]);
  assertEquals([at("MPL-2.0", true), at("MPL-2.0", false)], [[], ["a: MPL-2.0"]]);
  const links = { "links/own": { license: "GPL-3.0" }, "node_modules/own": { link: true } };
  assertEquals(licencesOf({ packages: links }).counts.size, 0);
});

test("a bill of materials is held to the manifest that it is for", () => {
  const component = { name: "a", version: "1.0.0" };
  const b = { name: "b", version: "2.0.0", purl: "pkg:npm/b@2.0.0", licenses: [{}] };
  const bill: Bill = {
    bomFormat: "CycloneDX",
    specVersion: "1.5",
    metadata: { component },
    components: [b],
  };
  const manifest = { name: "a", version: "1.0.0", dependencies: { b: "^2.0.0" } };
  assertEquals(complaintsAbout(bill, manifest), []);
  assertEquals(complaintsAbout({ ...bill, bomFormat: "SPDX" }, manifest).length, 1);
  assertEquals(complaintsAbout(bill, { ...manifest, version: "1.0.1" }), ["It is for a 1.0.0"]);
  assertEquals(complaintsAbout({ ...bill, components: [] }, manifest), ["b is not in it"]);
  const { licenses: _none, ...bare } = b;
  assertEquals(complaintsAbout({ ...bill, components: [bare] }, manifest), ["b has no licence"]);
  assertEquals(complaintsAbout(bill, { ...manifest, devDependencies: { b: "" } }), [
    "b is only for work on the package",
  ]);
});

/** What a workflow says that none of ours may; `isRelease` is for the one that uploads. */
function outOfPlace(workflow: string, isRelease: boolean): string[] {
  const found = workflow.match(
    /\bsecrets\b.*|\w+_TOKEN\b|\bpull_request_target\b|\bworkflow_run\b/g,
  );
  const rights = workflow.match(/[\w-]+: *write\b|\bwrite-all\b/g) ?? [];
  const isPinned = /^uses: (?:[\w-]+\/[\w-]+@v\d+|\.\/\.github\/workflows\/[\w-]+\.yml)$/;
  const uses = workflow.match(/uses: .*/g) ?? [];
  return [
    ...found ?? [],
    ...rights.filter((right) => !isRelease || right !== "id-token: write"),
    ...uses.filter((use) => !isPinned.test(use)),
    // Without these lines the rights are what the repository's settings say.
    ...workflow.includes("\npermissions:\n  contents: read\n") ? [] : ["no permissions"],
  ];
}

test("no workflow names a secret, and none may write: the release uses the token of its run", () => {
  const workflows = readdirSync(new URL(".github/workflows", root));
  assert(workflows.length > 1);
  for (const name of workflows) {
    const workflow = read(`.github/workflows/${name}`);
    assertEquals(outOfPlace(workflow, name === "release.yml"), [], name);
  }
  assert(/^ +id-token: write$/m.test(read(".github/workflows/release.yml")));
});

test("what is out of place in a workflow is found", () => {
  const good = "on: push\n\npermissions:\n  contents: read\n\njobs:\n";
  assertEquals(outOfPlace(good, false), []);
  for (
    const line of [
      "secrets: inherit",
      "secrets.NPM }}",
      "secrets['NPM'] }}",
      "NODE_AUTH_TOKEN",
      "pull_request_target",
      "contents: write",
      "write-all",
      "id-token: write",
      "uses: a/b@main",
      "uses: a/b/c@v1",
    ]
  ) assertEquals(outOfPlace(`${good}  ${line}\n`, false), [line]);
  assertEquals(outOfPlace(`${good}  id-token: write\n`, true), []);
  assertEquals(outOfPlace("on: push\n", false), ["no permissions"]);
});

test("the scripts that workflows, checks and documents run are there", () => {
  const { scripts }: { readonly scripts: object } = JSON.parse(read("package.json"));
  const workflows = readdirSync(new URL(".github/workflows", root))
    .map((name) => `.github/workflows/${name}`);
  const run = [".ci/run", ...workflows, ...documents()].flatMap((path) =>
    [...read(path).matchAll(/\bnpm run (?:--silent )?([a-z][\w:-]*)/g)].map(([, script = ""]) =>
      script
    )
  );
  assert(run.length > 20);
  assertEquals(run.filter((script) => !Object.hasOwn(scripts, script)), []);
});
