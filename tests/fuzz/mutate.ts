/**
 * Mutations that know a little of what an input is made of: tokens, and parts between separators.
 *
 * @module
 */

import type { Random } from "../support/random.ts";

/** What a mutation draws from. */
export interface Materials {
  readonly tokens: readonly string[];
  readonly separators: readonly string[];
  /** Other inputs, to take parts of. */
  readonly kept: readonly string[];
  readonly maxLength: number;
}

type Mutation = (input: string, random: Random, materials: Materials) => string;

const MUTATIONS: readonly (readonly [weight: number, mutation: Mutation])[] = [
  [3, insertToken],
  [2, replaceByToken],
  [3, changeParts],
  [2, changeCharacter],
  [2, changeNumber],
  [2, remove],
  [1, repeat],
  [1, changeCase],
  [2, splice],
  [1, (input, random) => input.slice(0, place(input, random))],
];

/** Characters that parsers trip over. */
const ODD = "\0\t\n\r \"#%,.-/09:;=@[\\]aAfFxX_{|}~\x7f\x80\xff";

/** Numbers that parsers trip over. */
const NUMBERS = [
  "0",
  "1",
  "00",
  "-1",
  "+1",
  "65535",
  "65536",
  "255",
  "256",
  "4294967295",
  "4294967296",
  "9007199254740991",
  "9007199254740992",
  "18446744073709551616",
  "1e3",
  "0x1",
];

/** Makes another input of one, by one mutation or a few. */
export function mutate(input: string, random: Random, materials: Materials): string {
  let output = input;
  do output = random.weighted(MUTATIONS)(output, random, materials); while (random.chance(0.5));
  return output.slice(0, materials.maxLength);
}

function place(input: string, random: Random): number {
  return random.below(input.length + 1);
}

/** A stretch of an input: mostly a short one. */
function stretch(input: string, random: Random): [start: number, end: number] {
  const start = place(input, random);
  const most = random.chance(0.8) ? 8 : input.length;
  return [start, Math.min(input.length, start + random.below(most + 1))];
}

function insertToken(input: string, random: Random, { tokens }: Materials): string {
  const at = place(input, random);
  return input.slice(0, at) + random.pick(tokens) + input.slice(at);
}

function replaceByToken(input: string, random: Random, { tokens }: Materials): string {
  const [start, end] = stretch(input, random);
  return input.slice(0, start) + random.pick(tokens) + input.slice(end);
}

function changeCharacter(input: string, random: Random): string {
  const at = random.below(Math.max(1, input.length));
  const code = input.charCodeAt(at) || 0;
  const character = random.chance(0.5)
    ? random.pick([...ODD])
    : String.fromCharCode(random.chance(0.5) ? code ^ (1 << random.below(8)) : random.below(256));
  return input.slice(0, at) + character + input.slice(at + 1);
}

function remove(input: string, random: Random): string {
  const [start, end] = stretch(input, random);
  return input.slice(0, start) + input.slice(end);
}

function repeat(input: string, random: Random, { maxLength }: Materials): string {
  const [start, end] = stretch(input, random);
  const part = input.slice(start, end);
  const times = 1 + random.below(random.chance(0.1) ? 400 : 4);
  return input.slice(0, end)
    + part.repeat(Math.min(times, Math.ceil(maxLength / (part.length + 1))))
    + input.slice(end);
}

function changeCase(input: string, random: Random): string {
  const [start, end] = stretch(input, random);
  const part = input.slice(start, end);
  const changed = random.chance(0.5) ? part.toUpperCase() : part.toLowerCase();
  return input.slice(0, start) + changed + input.slice(end);
}

/** Replaces a number by a neighbour of it, or by one of those that are odd. */
function changeNumber(input: string, random: Random): string {
  const numbers = [...input.matchAll(/[0-9]+/g)];
  if (numbers.length === 0) return input;
  const { 0: digits, index } = random.pick(numbers);
  const number = random.chance(0.4)
    ? `${Math.max(0, Number(digits) + random.below(5) - 2)}`
    : random.pick(NUMBERS);
  return input.slice(0, index) + number + input.slice(index + digits.length);
}

/** Leaves a part out, doubles it, exchanges it with another one, or puts it elsewhere. */
function changeParts(input: string, random: Random, { separators, tokens }: Materials): string {
  const separator = random.pick(separators);
  const parts = input.split(separator);
  const at = random.below(parts.length);
  const other = random.below(parts.length);
  const part = parts[at]!;
  switch (random.below(4)) {
    case 0:
      parts.splice(at, 1);
      break;
    case 1:
      parts.splice(other, 0, part);
      break;
    case 2:
      parts[at] = parts[other]!;
      parts[other] = part;
      break;
    default:
      parts[at] = random.pick(tokens);
  }
  return parts.join(separator);
}

/** The beginning of one input and the end of another. */
function splice(input: string, random: Random, { kept }: Materials): string {
  if (kept.length === 0) return input;
  const other = random.pick(kept);
  return input.slice(0, place(input, random)) + other.slice(place(other, random));
}
