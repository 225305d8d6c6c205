/**
 * Fuzzes one target, or all of them.
 *
 *     npm run fuzz -- codec --seconds 60 [--seed N]
 *     npm run fuzz -- all --seconds 20
 *     npm run fuzz -- codec --input FILE
 *
 * Without `--seconds` it goes on until somebody stops it. An input that goes wrong is made short,
 * shown and saved; `--input` looks at it again, and `--seed` repeats the whole run.
 *
 * @module
 */

import { readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";
import { fuzz, type FuzzTarget, look } from "./fuzzer.ts";
import { targets } from "./targets.ts";
import { watch } from "./watchdog.ts";

/** No input may take longer, in milliseconds; nor may it take half of that twice. */
const HANG_MS = 15_000;

async function run(target: FuzzTarget, seed: number, seconds: number): Promise<boolean> {
  const { name } = target;
  const file = path.join(tmpdir(), `hotconn-fuzz-${name}-${seed}.json`);
  const again = `Again: npm run fuzz -- ${name} --input ${file}\n`
    + `The whole run: npm run fuzz -- ${name} --seed ${seed}`;
  console.log(`${name}: begins with seed ${seed}`);
  const watchdog = watch(file, HANG_MS, again);
  const result = await fuzz(target, { seed, seconds, onInput: (input) => watchdog.look(input) });
  await watchdog.end();
  const { executions, failure, kinds } = result;
  const rate = Math.round(executions / result.seconds);
  console.log(
    `${name}: ${executions} executions in ${result.seconds.toFixed(1)} s (${rate} a second), `
      + `${kinds} kinds, seed ${seed}`,
  );
  if (!failure) return true;
  writeFileSync(file, JSON.stringify(failure.input));
  console.error(`${name}: FAILED\n${textOf(failure.error)}`);
  console.error(`The input, as short as it goes: ${JSON.stringify(failure.input)}`);
  console.error(`It is saved in ${file}\n${again}`);
  return false;
}

async function repeat(target: FuzzTarget, file: string): Promise<boolean> {
  const input: unknown = JSON.parse(readFileSync(file, "utf8"));
  if (typeof input !== "string") throw new TypeError(`${file} must hold one text, as JSON`);
  try {
    console.log(`${target.name}: holds: ${await look(target, input)}`);
    return true;
  } catch (error) {
    console.error(`${target.name}: FAILED\n${textOf(error)}`);
    return false;
  }
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.stack ?? error.message : String(error);
}

async function main(words: readonly string[]): Promise<boolean> {
  const { positionals: [name], values } = parseArgs({
    args: [...words],
    allowPositionals: true,
    options: {
      input: { type: "string" },
      seconds: { type: "string", default: "Infinity" },
      seed: { type: "string", default: `${Math.floor(Math.random() * 2 ** 32)}` },
    },
  });
  const chosen = targets.filter((target) => name === "all" || name === target.name);
  const seconds = Number(values.seconds);
  const seed = Number(values.seed);
  const known = ["all", ...targets.map((target) => target.name)].join(", ");
  if (chosen.length === 0) throw new TypeError(`Say what to fuzz: ${known}`);
  if (!(seconds > 0)) throw new TypeError(`--seconds must be a number above 0, got ${seconds}`);
  if (!Number.isSafeInteger(seed)) throw new TypeError("--seed must be a whole number");
  let isWell = true;
  for (const target of chosen) {
    isWell = (values.input === undefined
      ? await run(target, seed, seconds)
      : await repeat(target, values.input)) && isWell;
  }
  return isWell;
}

try {
  if (!await main(process.argv.slice(2))) process.exitCode = 1;
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 2;
}
