import { assertEquals, assertRejects } from "@std/assert";
import { readdirSync, readFileSync } from "node:fs";
import test from "node:test";
import { detectRuntime } from "../adapters/detect.ts";
import { examplesOf, fencesOf, runCode, withResolved } from "./support/doc_examples.ts";
import { documents } from "./support/documents.ts";

const root = new URL("../", import.meta.url);
const read = (path: string): string => readFileSync(new URL(path, root), "utf8");
const { exports, links, name }: {
  readonly exports: { readonly [entry: string]: string };
  readonly links: readonly string[];
  readonly name: string;
} = JSON.parse(read("deno.json"));

const targets = new Map<string, string>();
for (const [entry, file] of Object.entries(exports)) {
  for (const own of [name, "hotconn"]) {
    targets.set(`${own}${entry.slice(1)}`, new URL(file, root).href);
  }
}
for (const link of links) {
  const linked: { readonly name: string; readonly exports: string } = JSON.parse(
    read(`${link}/deno.json`),
  );
  targets.set(linked.name, new URL(linked.exports, new URL(`${link}/`, root)).href);
}

const files = ["src", "adapters"].flatMap((folder) =>
  readdirSync(new URL(folder, root), { recursive: true, encoding: "utf8" })
    .map((file) => `${folder}/${file.replaceAll("\\", "/")}`)
    .filter((file) => file.endsWith(".ts"))
);
const all = ["mod.ts", ...files.sort(), ...documents()];
const examples = all.flatMap((file) => examplesOf(file, read(file)));

const { peerDependencies = {} }: {
  readonly peerDependencies?: { readonly [name: string]: string };
} = JSON.parse(read("package.json"));

/** Where the package and its stand-ins stand, and what some of its entry points need. */
const resolve = (specifier: string): string | undefined =>
  targets.get(specifier)
    ?? (specifier in peerDependencies ? import.meta.resolve(specifier) : undefined);

for (const example of examples) {
  // An example of a runtime's own dialer is for that runtime.
  const only = /^adapters\/(deno|bun)\.ts/.exec(example.place)?.[1];
  const skip = only !== undefined && only !== detectRuntime() && `It is for ${only} only`;
  test(`the example at ${example.place} runs`, { skip }, async () => {
    await runCode(withResolved(example.code, resolve));
  });
}

test("every block of TypeScript is run, or has its types checked", () => {
  const known = /^(?:ts|ts no-run(?: (?:bun|deno|node))?|json|sh|text|yaml)$/;
  const others = all.flatMap((file) =>
    fencesOf(read(file)).filter((fence) => !known.test(fence)).map((fence) => `${file}: ${fence}`)
  );
  assertEquals(others, []);
  const text = "```ts\na\n```\n\n```\nb\n```\n/**\n * ```ts ignore\n * c\n * ```\n */\n";
  assertEquals(fencesOf(text), ["ts", "", "ts ignore"]);
});

test("an example is taken out of its comment, and a failing one fails", async () => {
  const text = [
    "/**",
    " * ```ts",
    " * const a = 1;",
    " *",
    " * throw new Error(`not ${a}`);",
    " * ```",
    " *",
    " * ```ts no-run",
    " * nothing",
    " * ```",
    " */",
  ].join("\n");
  const found = examplesOf("a.ts", text);
  assertEquals(found, [
    { place: "a.ts:2", code: "const a = 1;\n\nthrow new Error(`not ${a}`);\n" },
  ]);
  await assertRejects(() => runCode(found[0]!.code), Error, "not 1");
});
