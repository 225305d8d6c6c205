/**
 * Runs the benchmarks, on all runtimes or on those named: `npm run bench -- http bun`.
 *
 * @module
 */

import { spawnSync } from "node:child_process";
import process from "node:process";
import { fileURLToPath } from "node:url";

const RUNTIMES: { readonly [name: string]: readonly string[] } = {
  node: [process.execPath, "--import", "tsx"],
  deno: ["node_modules/.bin/deno", "run", "--allow-all"],
  bun: ["node_modules/.bin/bun", "run"],
};
const BENCHES = [
  "pool",
  "choices",
  "growth",
  "steady",
  "deadlines",
  "codec",
  "websocket",
  "balancers",
  "http",
  "load",
  "h2",
  "warm",
  "heap",
  "fleet",
  "resumption",
];
/** These start the runtimes themselves, to measure them side by side with one server. */
const WITH_SERVER = ["steady", "http", "load", "h2", "warm", "fleet"];

const names = process.argv.slice(2).filter((argument) => !argument.startsWith("--"));
const options = process.argv.slice(2).filter((argument) => argument.startsWith("--"));
const unknown = names.find((name) => !(name in RUNTIMES) && !BENCHES.includes(name));
if (unknown !== undefined) {
  const known = [...BENCHES, ...Object.keys(RUNTIMES)].join(", ");
  console.error(`There is no "${unknown}": give any of ${known}; options as --name=value`);
  process.exit(2);
}
const wanted = Object.keys(RUNTIMES).filter((name) => names.includes(name));
const runtimes = wanted.length > 0 ? wanted : Object.keys(RUNTIMES);

let failed = false;
function run(what: string, [file, ...args]: readonly string[]): void {
  if (!process.argv.includes("--json")) console.log(`\n# ${what}\n`);
  const cwd = fileURLToPath(new URL("..", import.meta.url));
  const { status } = spawnSync(file!, args, { cwd, stdio: "inherit" });
  if (status !== 0) failed = true;
}

for (const bench of BENCHES) {
  if (!BENCHES.some((name) => names.includes(name)) || names.includes(bench)) {
    const file = `bench/${bench}.ts`;
    if (WITH_SERVER.includes(bench)) {
      run(bench, [...RUNTIMES.node!, file, `--runtime=${runtimes.join()}`, ...options]);
    } else {
      for (const name of runtimes) run(`${bench}, ${name}`, [...RUNTIMES[name]!, file, ...options]);
    }
  }
}
process.exitCode = failed ? 1 : 0;
