/**
 * The part of the proof in which a pool is held to a model of what it promises.
 *
 * @module
 */

import { readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { Random } from "../../support/random.ts";
import { textOf } from "../../support/words.ts";
import type { Part, Proof, ProofOptions } from "../part.ts";
import { shrink } from "./shrink.ts";
import { type Failure, play } from "./stage.ts";
import { makeProgram, type Program } from "./steps.ts";

/** How many steps a program has. */
const STEPS = 400;

/** How often it says how far it is, in milliseconds. */
const TELL_MS = 30_000;

/** Pools on a clock by hand, against a model. */
export const model: Part = {
  name: "model",
  what: "random programs of steps on a clock by hand, against a model of what a pool promises",
  seconds: 60,
  prove,
};

async function prove(options: ProofOptions): Promise<Proof> {
  const { input, seconds, seed, steps: most, tell } = options;
  if (input !== undefined) return await repeat(input);
  const random = new Random(seed);
  const begunAt = performance.now();
  let toldAt = begunAt;
  let steps = 0;
  let pools = 0;
  // Pools make many errors, whose stacks take time. What breaks is played again, with its stack.
  const { stackTraceLimit } = Error;
  while (steps < most && performance.now() - begunAt < seconds * 1_000) {
    const program = makeProgram(random.below(2 ** 32), Math.min(STEPS, most - steps));
    Error.stackTraceLimit = 0;
    const failure = await play(program);
    Error.stackTraceLimit = stackTraceLimit;
    pools++;
    if (failure) {
      tell(`broken after ${steps} steps and is made as short as it goes: ${failure.error}`);
      const broken = await explain(program, failure, seed);
      return { steps, ...sum(steps, pools), broken: [broken] };
    }
    steps += program.steps.length;
    if (performance.now() - toldAt < TELL_MS) continue;
    toldAt = performance.now();
    tell(`${steps} steps, ${Math.round(steps / (toldAt - begunAt) * 1_000)} a second`);
  }
  return { steps, ...sum(steps, pools), broken: [] };
}

function sum(steps: number, pools: number): Pick<Proof, "summary" | "figures"> {
  return { summary: `${steps} steps, ${pools} pools`, figures: { steps, pools } };
}

/** Makes a program that broke a promise as short as it goes, and saves it to be run again. */
async function explain(program: Program, first: Failure, seed: number): Promise<string> {
  const { program: shortest, failure } = await shrink(program, first);
  const file = path.join(tmpdir(), `hotconn-prove-model-${seed}.json`);
  const lines = shortest.steps.map((step) => `    ${JSON.stringify(step)}`).join(",\n");
  const text = `{\n  "world": ${JSON.stringify(shortest.world)},\n  "steps": [\n${lines}\n  ]\n}`;
  writeFileSync(file, text);
  const where = failure.step < shortest.steps.length
    ? `at step ${failure.step + 1}`
    : "behind the last step, when all is well again";
  return `${textOf(failure.error)}\n${where} of this program, which is saved to be run again by `
    + `npm run prove -- model --input ${file}\n${text}`;
}

async function repeat(file: string): Promise<Proof> {
  const program: Program = JSON.parse(readFileSync(file, "utf8"));
  const failure = await play(program);
  const broken = failure ? [`${textOf(failure.error)}\nat step ${failure.step + 1}`] : [];
  const steps = program.steps.length;
  return { steps, ...sum(steps, 1), broken };
}
