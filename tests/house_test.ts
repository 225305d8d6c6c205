import { assert, assertEquals } from "@std/assert";
import { readdirSync, readFileSync } from "node:fs";
import test from "node:test";
import {
  checkCircles,
  checkImports,
  checkManifests,
  checkModuleDoc,
  checkName,
  checkRuntimeNames,
  checkSkips,
  checkTimeouts,
  checkUsing,
  type Manifest,
  type SourceFile,
} from "./support/house_rules.ts";

const root = new URL("../", import.meta.url);
const read = (path: string): string => readFileSync(new URL(path, root), "utf8");
const npm: Manifest = JSON.parse(read("package.json"));
const jsr: Manifest = JSON.parse(read("deno.json"));
const packages = [
  ...Object.keys(npm.dependencies ?? {}),
  ...Object.keys(npm.peerDependencies ?? {}),
];

/** What is installed and what is built. */
const notOurs = ["node_modules", "dist"];

/** An entry of npm's lock file. */
interface Locked {
  readonly optionalDependencies?: { readonly [name: string]: string };
}

function* sources(folder = ""): Generator<SourceFile> {
  for (const entry of readdirSync(new URL(folder, root), { withFileTypes: true })) {
    const path = `${folder}${entry.name}`;
    if (entry.name.startsWith(".") || notOurs.includes(path)) continue;
    if (entry.isDirectory()) yield* sources(`${path}/`);
    else if (path.endsWith(".ts")) yield { path, text: read(path) };
  }
}

const files = [...sources()];

test("no import points upward, or at what is not published", () => {
  assertEquals(files.flatMap((file) => checkImports(file, packages)), []);
});

test("an import that points upward is found, whatever its form", () => {
  const text = [
    "/**",
    " * import { a } from \"../pool/of_an_example.ts\";",
    " */",
    "import { b } from \"../core/below.ts\";",
    "import { c } from \"./beside.ts\";",
    "// import { d } from \"../pool/of_a_comment.ts\";",
    "import type { E } from \"../pool/above.ts\";",
    "import {",
    "  f,",
    "} from \"../http/above.ts\";",
    "export { g } from \"../../adapters/above.ts\";",
    "import \"../../mod.ts\";",
    "const h = await import(\"../../tests/unpublished.ts\");",
    "import i from \"ipaddr.js\";",
    "import j from \"unknown\";",
    "import k from \"node:net\";",
  ].join("\n");
  assertEquals(checkImports({ path: "src/map/sample.ts", text }, ["ipaddr.js"]), [
    "src/map/sample.ts imports ../pool/above.ts: it stands above",
    "src/map/sample.ts imports ../http/above.ts: it stands above",
    "src/map/sample.ts imports ../../adapters/above.ts: it stands above",
    "src/map/sample.ts imports ../../mod.ts: it stands above",
    "src/map/sample.ts imports ../../tests/unpublished.ts: it is not published",
    "src/map/sample.ts imports unknown: it is no dependency of the package",
    "src/map/sample.ts imports node:net: only adapters know a runtime",
  ]);
  const adapter = { path: "adapters/sample.ts", text: "import net from \"node:net\";" };
  assertEquals(checkImports(adapter, []), []);
});

test("no files import each other in a circle", () => {
  assertEquals(checkCircles(files), []);
});

test("a circle of imports is found, types included, and each circle once", () => {
  const file = (path: string, ...specifiers: string[]): SourceFile => ({
    path,
    text: specifiers.map((specifier) => `import type { A } from "${specifier}";\n`).join(""),
  });
  const found = checkCircles([
    file("src/pool/a.ts", "./b.ts", "../map/d.ts"),
    file("src/pool/b.ts", "./room/c.ts"),
    file("src/pool/room/c.ts", "../a.ts", "../../map/d.ts"),
    file("src/map/d.ts", "../core/e.ts"),
    file("src/core/e.ts"),
    file("adapters/f.ts", "./f.ts"),
    file("tests/g.ts", "./h.ts"),
    file("tests/h.ts", "./g.ts"),
  ]);
  assertEquals(found, [
    "src/pool/a.ts imports src/pool/b.ts imports src/pool/room/c.ts imports src/pool/a.ts: "
    + "a circle",
    "adapters/f.ts imports adapters/f.ts: a circle",
  ]);
});

test("nothing under src names a runtime", () => {
  assertEquals(files.flatMap(checkRuntimeNames), []);
});

test("the name of a runtime is found in code, not in comments", () => {
  const text = [
    "/** Deno, Bun and Node. */",
    "// Buffer and process.env",
    "const a = Deno.cwd(); // Bun",
    "const { Bun: b, process: c } = globalThis;",
    "const d = process.env;",
    "const e: Buffer = f;",
    "throw new Error(\"No process is told\");",
  ].join("\n");
  const complaint = (name: string) => `src/sample.ts names ${name}: only adapters know a runtime`;
  assertEquals(
    checkRuntimeNames({ path: "src/sample.ts", text }),
    ["Deno", "Bun", "process", "Buffer"].map(complaint),
  );
  assertEquals(checkRuntimeNames({ path: "adapters/sample.ts", text }), []);
});

test("every file says at its top what it is for", () => {
  assertEquals(files.flatMap(checkModuleDoc), []);
  const later = "const a = 1;\n/**\n * Late.\n *\n * @module\n */\n";
  assertEquals(checkModuleDoc({ path: "a.ts", text: later }), ["a.ts has no module doc"]);
  const other = "/**\n * Of a function.\n */\nfunction a() {}\n";
  assertEquals(checkModuleDoc({ path: "a.ts", text: other }), ["a.ts has no module doc"]);
});

test("no timeout is combined with other signals, where it may never come", () => {
  assertEquals(files.flatMap(checkTimeouts), []);
  const text = "const end = AbortSignal.any([\n  signal,\n  AbortSignal.timeout(5),\n]);\n";
  assertEquals(checkTimeouts({ path: "a.ts", text }), [
    "a.ts combines a timeout with other signals: it may never come",
  ]);
});

test("every file is named in snake case", () => {
  assertEquals(files.flatMap(checkName), []);
  assertEquals(checkName({ path: "src/someFile.ts", text: "" }), [
    "src/someFile.ts is not in snake case",
  ]);
});

test("no test is skipped everywhere, and none keeps others from running", () => {
  assertEquals(files.flatMap(checkSkips), []);
  const text =
    "test.only(f);\ntest(name, { skip: isBun && reason }, f);\ntest(name, { skip: true }, f);\n";
  assertEquals(checkSkips({ path: "tests/a_test.ts", text }), [
    "tests/a_test.ts says test.only: a test is skipped for a cause alone",
    "tests/a_test.ts says test(name, { skip: true: a test is skipped for a cause alone",
  ]);
});

test("the manifests for npm and for JSR agree", () => {
  assertEquals(checkManifests(npm, jsr), []);
});

test("manifests that disagree are found out", () => {
  const ours = {
    version: "1.0.0",
    exports: { ".": "./mod.ts", "./a": "./a.ts" },
    dependencies: { same: "^1.0.0", "@other/range": "^1.2.0", missing: "^1.0.0" },
    peerDependencies: { optional: "^1.0.0", needed: "^1.0.0" },
    peerDependenciesMeta: { optional: { optional: true } },
  };
  const theirs = {
    version: "1.0.1",
    exports: { ".": "./mod.ts", "./b": "./b.ts" },
    imports: {
      same: "npm:same@^1.0.0",
      "@other/range": "npm:@other/range@^1.3.0",
      alias: "npm:real@^1.0.0",
      optional: "npm:optional@^1.0.0",
      needed: "npm:needed@^1.0.0",
      "@std/assert": "jsr:@std/assert@^1.0.0",
    },
  };
  assertEquals(checkManifests(ours, theirs), [
    "versions 1.0.0 and 1.0.1",
    "export ./a: ./a.ts and undefined",
    "export ./b: undefined and ./b.ts",
    "import alias is real",
    "peer needed is not optional",
    "dependency @other/range: ^1.2.0 and ^1.3.0",
    "dependency missing: ^1.0.0 and undefined",
    "dependency alias: undefined and ^1.0.0",
  ]);
});

test("the lock file has a package for every platform, or npm ci refuses it", () => {
  const lock: { readonly packages: { readonly [place: string]: Locked } } = JSON.parse(
    read("package-lock.json"),
  );
  const wanted = Object.values(lock.packages).flatMap(({ optionalDependencies = {} }) =>
    Object.keys(optionalDependencies)
  );
  assert(wanted.length > 0);
  assertEquals(wanted.filter((name) => !(`node_modules/${name}` in lock.packages)), []);
});

test("the lock file names no registry", () => {
  assertEquals(read("package-lock.json").match(/"resolved": "https?:.*/g), null);
});

test("nothing that is published says using, which not every realm can", () => {
  assertEquals(files.flatMap(checkUsing), []);
  const text =
    "async function a() {\n  await using b = c();\n  using d = e();\n  // using f = g();\n}";
  assertEquals(checkUsing({ path: "src/core/a.ts", text }).length, 2);
  assertEquals(checkUsing({ path: "tests/a.ts", text }), []);
});
