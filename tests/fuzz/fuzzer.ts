/**
 * A fuzzer: mutates inputs by a seeded chance, keeps those that do something new, and makes one
 * that goes wrong as short as it can.
 *
 * @module
 */

import { Random } from "../support/random.ts";
import { mutate } from "./mutate.ts";

/** What is fuzzed: what its inputs look like, and what must hold of each. */
export interface FuzzTarget {
  readonly name: string;
  /** Inputs to begin with. */
  readonly corpus: readonly string[];
  /** What inputs are made of. */
  readonly tokens: readonly string[];
  /** What stands between the parts of an input, the widest first. */
  readonly separators: readonly string[];
  /** No input is longer. */
  readonly maxLength: number;
  /** Makes a good input out of nothing. */
  generate?(random: Random): string;
  /**
   * Looks at one input, and throws where something does not hold. Gives a text that tells kinds of
   * inputs apart: one of a kind that was not seen before is kept to be mutated.
   */
  check(input: string): string | Promise<string>;
}

/** How long, and from where. */
export interface FuzzOptions {
  readonly seed: number;
  /** @default {Infinity} */
  readonly seconds?: number;
  /** @default {Infinity} */
  readonly executions?: number;
  /** Is told of each input before it is looked at. */
  readonly onInput?: (input: string) => void;
}

/** An input that went wrong. */
export interface FuzzFailure {
  readonly input: string;
  readonly error: unknown;
}

/** What came of it. */
export interface FuzzResult {
  readonly executions: number;
  /** How many kinds of inputs were seen. */
  readonly kinds: number;
  readonly seconds: number;
  readonly failure?: FuzzFailure;
}

/** So many inputs are kept; then new ones take the places of old ones. */
const MAX_KEPT = 2_000;

/** So many kinds are told apart: however long it goes on, it must not fill memory. */
const MAX_KINDS = 500_000;

/** No input may take longer, in milliseconds. */
const MAX_MS = 5_000;

/** How many shorter inputs are tried, where one went wrong. */
const MAX_SHORTER = 3_000;

/** Fuzzes until time is up, or an input goes wrong. The same seed gives the same inputs. */
export async function fuzz(target: FuzzTarget, options: FuzzOptions): Promise<FuzzResult> {
  const { executions: most = Infinity, onInput, seconds = Infinity, seed } = options;
  const random = new Random(seed);
  const kept: string[] = [];
  const kinds = new Set<string>();
  const begunAt = performance.now();
  const elapsed = () => (performance.now() - begunAt) / 1_000;
  let executions = 0;
  for (; executions < most && elapsed() < seconds; executions++) {
    const input = target.corpus[executions] ?? next(target, kept, random);
    onInput?.(input);
    try {
      const kind = await look(target, input);
      if (kinds.has(kind) || kinds.size === MAX_KINDS) continue;
      kinds.add(kind);
      if (kept.length < MAX_KEPT) kept.push(input);
      else kept[random.below(MAX_KEPT)] = input;
    } catch (error) {
      const failure = await shorten(target, { input, error }, onInput);
      return { executions: executions + 1, kinds: kinds.size, seconds: elapsed(), failure };
    }
  }
  return { executions, kinds: kinds.size, seconds: elapsed() };
}

/** Looks at one input. */
export async function look(target: FuzzTarget, input: string): Promise<string> {
  const begunAt = performance.now();
  const kind = target.check(input);
  const said = typeof kind === "string" ? kind : await kind;
  const ms = performance.now() - begunAt;
  if (ms > MAX_MS) throw new Error(`It took ${ms.toFixed(0)} ms`);
  return said;
}

function next(target: FuzzTarget, kept: readonly string[], random: Random): string {
  if (target.generate && random.chance(0.1)) return target.generate(random);
  const base = kept.length === 0 ? "" : random.pick(kept);
  return mutate(base, random, { ...target, kept });
}

/** Takes away what an input can go wrong without, by halves and quarters down to characters. */
async function shorten(
  target: FuzzTarget,
  failure: FuzzFailure,
  onInput: FuzzOptions["onInput"],
): Promise<FuzzFailure> {
  let shortest = failure;
  let tries = 0;
  for (let size = failure.input.length >> 1; size >= 1; size >>= 1) {
    for (let at = 0; at < shortest.input.length && tries < MAX_SHORTER;) {
      tries++;
      const input = shortest.input.slice(0, at) + shortest.input.slice(at + size);
      onInput?.(input);
      try {
        await look(target, input);
        at += size;
      } catch (error) {
        // Another thing that goes wrong is not this one.
        if (nameOf(error) !== nameOf(failure.error)) at += size;
        else shortest = { input, error };
      }
    }
  }
  return shortest;
}

function nameOf(error: unknown): string {
  return error instanceof Error ? error.name : typeof error;
}

/** Throws where something does not hold; says what, with what there was. */
export function hold(holds: boolean, what: string, ...seen: readonly unknown[]): asserts holds {
  if (holds) return;
  throw new Error(`${what}${seen.map((value) => `\n  ${JSON.stringify(value)}`).join("")}`);
}

/** Runs what may throw these errors, and no others; undefined where it did. */
export function attempt<T>(
  run: () => T,
  // deno-lint-ignore no-explicit-any
  ...known: readonly (new(...args: any[]) => Error)[]
): T | undefined {
  try {
    return run();
  } catch (error) {
    if (known.some((type) => error instanceof type)) return undefined;
    throw error;
  }
}
