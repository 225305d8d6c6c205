/**
 * What a choice costs, by each balancer, with ten addresses, a thousand and ten thousand: to pick
 * one and to note that its load has changed, twice, as a lease begins and ends.
 *
 * All of them in turn, round after round in one process, so that noise hits all alike; the median
 * round counts. Run it with `node --import tsx`, `bun`, or `deno run --allow-all`.
 *
 * @module
 */

import process from "node:process";
import { type Balancer, pickerFor } from "../src/hosts/balancer.ts";
import { StickyChooser } from "../src/hosts/sticky.ts";
import { Lane } from "../src/map/lane.ts";

const SIZES = [10, 1_000, 10_000];
const ROUNDS = 7;
const WARM_UP_ROUNDS = 3;
/** How long a round of one candidate takes, about, in milliseconds. */
const ROUND_MS = 20;
const NOW = 1_000_000;
/** How many leases are under way, so that loads differ. */
const LEASES = 64;

const BALANCERS: { readonly [name: string]: Balancer } = {
  random: "random",
  roundRobin: "roundRobin",
  leastLeased: "leastLeased",
  p2cEwma: "p2cEwma",
  weighted: "weighted",
  sticky: "sticky",
  "a function": (candidates, random) => candidates[Math.floor(random() * candidates.length)]!,
};

interface Candidate {
  readonly name: string;
  readonly size: number;
  /** Does it so many times. */
  run(times: number): void;
  times: number;
  readonly rounds: number[];
}

function laneOf(size: number): Lane {
  const lane = new Lane("example.test", "default");
  for (let index = 0; index < size; index++) {
    const endpoint = lane.endpoint(`10.${index >> 16}.${(index >> 8) & 255}.${index & 255}`);
    endpoint.noteLatency(10 + index % 7, NOW);
  }
  return lane;
}

function balancer(name: string, balancer: Balancer, size: number): Candidate {
  const lane = laneOf(size);
  const picker = pickerFor(balancer)(0);
  [...lane.endpoints.values()].forEach((endpoint, index) => {
    if (name === "weighted") endpoint.weight = 1 + index % 5;
    picker.add(endpoint);
  });
  const leased = Array.from({ length: LEASES }, () => picker.pick(NOW, Math.random)!);
  const run = (times: number) => {
    for (let i = 0; i < times; i++) {
      const endpoint = picker.pick(NOW, Math.random)!;
      endpoint.leased++;
      endpoint.lastChoice = ++lane.choices;
      picker.update(endpoint);
      const ended = leased[i % LEASES]!;
      ended.leased--;
      picker.update(ended);
      leased[i % LEASES] = endpoint;
    }
  };
  for (const endpoint of leased) {
    endpoint.leased++;
    picker.update(endpoint);
  }
  return { name, size, run, times: 1, rounds: [] };
}

function sticky(name: string, size: number, isNew: boolean, weighted: boolean): Candidate {
  const all = [...laneOf(size).endpoints.values()];
  if (weighted) all.forEach((endpoint, index) => endpoint.weight = 1 + index % 5);
  const chooser = new StickyChooser(all);
  const keys = Array.from({ length: 1_000 }, (_, index) => `user-${index}`);
  let count = 0;
  const run = (times: number) => {
    for (let i = 0; i < times; i++) chooser.pick(isNew ? `user-${count++}` : keys[i % 1_000]!);
  };
  return { name, size, run, times: 1, rounds: [] };
}

function nanoseconds({ run, times }: Candidate): number {
  const begun = performance.now();
  run(times);
  return (performance.now() - begun) * 1e6 / times;
}

const candidates: Candidate[] = [];
for (const size of SIZES) {
  for (const [name, value] of Object.entries(BALANCERS)) {
    candidates.push(balancer(name, value, size));
  }
  candidates.push(
    sticky("StickyChooser, a key seen before", size, false, false),
    sticky("StickyChooser, a new key", size, true, false),
    sticky("StickyChooser, a new key, weights", size, true, true),
  );
}
for (const candidate of candidates) {
  while (nanoseconds(candidate) * candidate.times < ROUND_MS * 1e6) candidate.times *= 2;
}
for (let round = 0; round < WARM_UP_ROUNDS + ROUNDS; round++) {
  for (const candidate of candidates) {
    const ns = nanoseconds(candidate);
    if (round >= WARM_UP_ROUNDS) candidate.rounds.push(ns);
  }
}
const median = ({ rounds }: Candidate) =>
  Math.round([...rounds].sort((a, b) => a - b)[rounds.length >> 1]!);
if (process.argv.includes("--json")) {
  const results = candidates.map(({ name, size, ...rest }) => ({
    name,
    addresses: size,
    nanoseconds: median({ name, size, ...rest }),
  }));
  console.log(JSON.stringify(results));
} else {
  const heads = SIZES.map((size) => size.toLocaleString("en").padStart(12)).join("");
  console.log(`${"ns a choice, by addresses (median round)".padEnd(42)}${heads}`);
  for (const name of new Set(candidates.map(({ name }) => name))) {
    const cells = candidates.filter((candidate) => candidate.name === name).map(median);
    const row = cells.map((ns) => ns.toLocaleString("en").padStart(12)).join("");
    console.log(`${name.padEnd(42)}${row}`);
  }
}
