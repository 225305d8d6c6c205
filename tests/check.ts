/**
 * The gate: everything that can be said of the code without running the suite. All steps run, so
 * that one failure does not hide the next.
 *
 *     node --import tsx tests/check.ts [words in a step's name]
 *
 * @module
 */

import { existsSync, readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import process from "node:process";
import { documents } from "./support/documents.ts";
import { endTogether, root, run } from "./support/programs.ts";

interface Step {
  readonly name: string;
  readonly program: string;
  readonly args: readonly string[];
  /** Whether what it says is worth knowing when it has passed, too. */
  readonly tells?: boolean;
}

const published = ["mod.ts", "src", "adapters"];
const everything = [...published, "tests", "examples", "bench", "links", "tools"]
  .filter((place) => existsSync(path.join(root, place)));
// What only Bun can run is run there, with the suite.
const runnable = readdirSync(path.join(root, "adapters"))
  .filter((name) => name.endsWith(".ts") && name !== "bun.ts")
  .map((name) => `adapters/${name}`);
const { exports } = JSON.parse(readFileSync(path.join(root, "deno.json"), "utf8"));

const steps: readonly Step[] = [
  { name: "format", program: "dprint", args: ["check"] },
  { name: "lint", program: "deno", args: ["lint", ...everything] },
  { name: "types, by Deno", program: "deno", args: ["check", "--doc", ...everything] },
  { name: "types, by tsc", program: "tsc", args: ["-p", "."] },
  {
    name: "documentation",
    program: "deno",
    args: ["doc", "--lint", ...Object.values<string>(exports)],
  },
  {
    name: "examples in the documentation",
    program: "deno",
    args: ["test", "--doc", "--allow-all", "mod.ts", "src", ...runnable],
  },
  {
    name: "types of the examples in documents",
    program: "deno",
    args: ["check", "--doc-only", ...documents()],
  },
  { name: "reference and site", program: "node", args: ["--import", "tsx", "tools/site.ts"] },
  { name: "package for JSR", program: "deno", args: ["publish", "--dry-run", "--allow-dirty"] },
  {
    name: "licences of what is installed",
    program: "node",
    args: ["--import", "tsx", "tools/licences.ts"],
  },
  { name: "package for npm", program: "node", args: ["--import", "tsx", "tools/build.ts"] },
  { name: "package for npm, by publint", program: "publint", args: ["dist", "--strict"] },
  {
    name: "package for npm, its types",
    program: "attw",
    args: ["--pack", "dist", "--profile", "esm-only"],
  },
  {
    name: "package for npm, its size",
    program: "node",
    args: ["--import", "tsx", "tools/size.ts"],
    tells: true,
  },
];

async function passes({ name, program, args, tells = false }: Step): Promise<boolean> {
  const begun = performance.now();
  const { broken, code, output } = await run(program, args);
  const passed = code === 0 && broken === undefined;
  const seconds = ((performance.now() - begun) / 1_000).toFixed(1);
  if (!passed) console.log(`\n$ ${[program, ...args].join(" ")}\n${output}${broken ?? ""}`);
  console.log(`${passed ? "ok    " : "FAILED"} ${name} (${seconds} s)`);
  if (passed && tells) console.log(output.trimEnd().replace(/^/gm, "       "));
  return passed;
}

endTogether();
const words = process.argv.slice(2).join(" ");
const chosen = steps.filter(({ name }) => name.includes(words));
let failed = 0;
for (const step of chosen) if (!await passes(step)) failed++;
if (chosen.length === 0) {
  console.log(`No step has "${words}" in its name: ${steps.map(({ name }) => name).join("; ")}`);
} else if (failed > 0) console.log(`${failed} of ${chosen.length} steps failed`);
else console.log(words === "" ? "All steps passed" : `${chosen.length} steps passed`);
if (chosen.length === 0 || failed > 0) process.exitCode = 1;
