/**
 * The part of the proof in which everything around a pool fails, two or three things at a time.
 *
 * @module
 */

import { Random } from "../../support/random.ts";
import { textOf } from "../../support/words.ts";
import type { Part, Proof, ProofOptions } from "../part.ts";
import { ask, isTimeout, isTold, Lateness, type Outcome } from "./caller.ts";
import { BREAKS_BODIES, type Fault, FAULTS, ON_A_MACHINE } from "./faults.ts";
import type { Machine } from "./machine.ts";
import { whyNot, World } from "./world.ts";

/** How many ask at once. */
const CALLERS = 16;

/** How long faults last, in milliseconds. */
const ROUND_MS = { least: 300, more: 700 };

/** For how many rounds the same machine stays good, and for how long all are well between, in milliseconds. */
const ERA = 10;
const CALM_MS = 3_000;

/** How much later than its deadline a request may end, in milliseconds. */
const LATE_MS = 20;

/** Where the program itself was late by more, the machine is to blame for what took too long. */
const STALLED_MS = 1_000;

/** Real servers that fail in every way. */
export const chaos: Part = {
  name: "chaos",
  what: "real TLS servers, proxies, DNS, store and clock that fail, two or three at a time",
  seconds: 60,
  prove,
};

/** What came of the requests while a kind of fault held. */
interface Row {
  requests: number;
  wrong: number;
  late: number;
  /** Failures of what may be repeated, although there was a good machine. */
  failed: number;
  /** Bodies that broke off, and what may not be repeated: those fail as documented. */
  brokenOff: number;
  notRepeatable: number;
}

interface Struck {
  readonly fault: Fault;
  readonly machine: Machine;
}

async function prove(options: ProofOptions): Promise<Proof> {
  const world = await World.start();
  const run = new Run(world, options);
  try {
    await run.go();
    await world.pool.close();
    return run.sumUp(await world.socketsLeft());
  } finally {
    await world.stop();
  }
}

class Run {
  readonly #world: World;
  readonly #options: ProofOptions;
  readonly #random: Random;
  readonly #rows = new Map<Fault, Row>();
  readonly #broken: string[] = [];
  readonly #kinds: readonly Fault[];
  /** What holds now, or held a moment ago, by the round. */
  #struck: readonly Struck[] = [];
  #before: readonly Struck[] = [];
  readonly #lateness = new Lateness();
  #requests = 0;
  #isOver = false;
  #rounds = 0;
  /** The first of the two machines that may be struck. */
  #struckFrom = 0;

  constructor(world: World, options: ProofOptions) {
    const { only, seed, tell } = options;
    this.#world = world;
    this.#options = options;
    this.#random = new Random(seed);
    for (const fault of FAULTS) {
      const reason = whyNot(fault);
      if (reason !== undefined) tell(`${fault} is left out: ${reason}`);
    }
    this.#kinds = FAULTS.filter((fault) => whyNot(fault) === undefined);
    if (only !== undefined && !this.#kinds.some((kind) => kind === only)) {
      throw new TypeError(`There is no fault "${only}": ${this.#kinds.join(", ")}`);
    }
  }

  /** Has callers ask while one set of faults follows the other. */
  async go(): Promise<void> {
    const { seconds, steps } = this.#options;
    // Until DNS has answered once for a host, nobody knows what to use while it is late.
    await this.#world.meet();
    const begunAt = performance.now();
    const callers = Promise.all(Array.from({ length: CALLERS }, () => this.#call()));
    try {
      while (this.#least() < steps && performance.now() - begunAt < seconds * 1_000) {
        await this.#round();
        if (this.#broken.length > 20) break;
      }
    } finally {
      this.#isOver = true;
      await callers;
      this.#lateness.end();
    }
  }

  /** How many requests there were of the kind that has had fewest. */
  #least(): number {
    if (this.#options.only !== undefined) {
      return this.#rows.get(this.#options.only as Fault)?.requests ?? 0;
    }
    return Math.min(...this.#kinds.map((kind) => this.#rows.get(kind)?.requests ?? 0));
  }

  async #round(): Promise<void> {
    if (++this.#rounds % ERA === 0) {
      // Another machine is the one that stays good: all have the time to be used again.
      this.#before = this.#struck;
      this.#struck = [];
      await new Promise((resolve) => setTimeout(resolve, CALM_MS));
      this.#struckFrom = this.#random.below(3);
    }
    const struck = this.#choose();
    this.#before = this.#struck;
    this.#struck = struck;
    for (const { fault, machine } of struck) await this.#world.begin(fault, machine);
    const { least, more } = ROUND_MS;
    await new Promise((resolve) => setTimeout(resolve, least + this.#random.below(more)));
    for (const { fault, machine } of [...struck].reverse()) await this.#world.end(fault, machine);
  }

  /** Two or three kinds; at most two machines of three are struck, so that one is good. */
  #choose(): readonly Struck[] {
    const random = this.#random;
    const swap = random.below(2);
    const chosen: Struck[] = [];
    const wanted = 2 + random.below(2);
    const seldom = [...this.#kinds].sort((a, b) => this.#count(a) - this.#count(b));
    const only = this.#options.only as Fault | undefined;
    for (let tries = 0; chosen.length < wanted && tries < 50; tries++) {
      const fault = only && chosen.length === 0
        ? only
        : random.chance(0.5)
        ? random.pick(seldom.slice(0, 6))
        : random.pick(this.#kinds);
      if (chosen.some((other) => other.fault === fault)) continue;
      const onMachines = chosen.filter((other) => ON_A_MACHINE.has(other.fault)).length;
      if (ON_A_MACHINE.has(fault) && onMachines === 2) continue;
      const machine = this.#world.machines[(this.#struckFrom + (onMachines + swap) % 2) % 3]!;
      chosen.push({ fault, machine });
    }
    // Without files no process can be started: that is the last to begin, and the first to end.
    return chosen.sort((a, b) => Number(a.fault === "EMFILE") - Number(b.fault === "EMFILE"));
  }

  #count(fault: Fault): number {
    return this.#rows.get(fault)?.requests ?? 0;
  }

  async #call(): Promise<void> {
    while (!this.#isOver) {
      const struck = this.#struck;
      const outcome = await ask(this.#world, ++this.#requests, this.#random, this.#lateness);
      this.#note(
        outcome,
        new Set([...struck, ...this.#before, ...this.#struck].map(({ fault }) => fault)),
      );
      await new Promise((resolve) => setTimeout(resolve, this.#random.below(8)));
    }
  }

  #note(outcome: Outcome, faults: ReadonlySet<Fault>): void {
    const { error, headCame, host, lateMs, repeatable, stalledMs, wrong } = outcome;
    const isLate = lateMs > LATE_MS;
    const mayBreakOff = headCame && [...faults].some((fault) => BREAKS_BODIES.has(fault));
    // Without files no machine can be reached that is not connected already.
    // To the program a clock that is set forward looks as if it had slept through its deadlines.
    const sleptThrough = faults.has("clock jump") && isTimeout(error);
    const isExcused = mayBreakOff || sleptThrough || faults.has("EMFILE") || stalledMs > STALLED_MS;
    const isFailed = error !== undefined && repeatable && !isExcused;
    const told = [...faults].join(", ");
    if (wrong !== undefined) this.#broken.push(`A wrong answer: ${wrong} (${told})`);
    if (isLate) this.#broken.push(`${lateMs.toFixed(0)} ms late (${told})`);
    if (isFailed) this.#broken.push(`Failed at ${host} (${told}): ${textOf(error)}`);
    if (error !== undefined && !isTold(error)) this.#broken.push(`Strange: ${textOf(error)}`);
    for (const fault of faults) {
      const row = this.#rows.get(fault) ?? newRow();
      this.#rows.set(fault, row);
      row.requests++;
      if (wrong !== undefined) row.wrong++;
      if (isLate) row.late++;
      if (isFailed) row.failed++;
      else if (error !== undefined && repeatable) row.brokenOff++;
      else if (error !== undefined) row.notRepeatable++;
    }
  }

  /** Counts what the machines were asked, and makes the table. */
  sumUp(socketsLeft: number | undefined): Proof {
    const asked = new Map<string, number>();
    for (const machine of this.#world.machines) {
      for (const id of machine.asked) asked.set(id, (asked.get(id) ?? 0) + 1);
    }
    const twice = [...asked].filter(([, count]) => count > 1).length;
    if (twice > 0) this.#broken.push(`${twice} were sent twice that may not be`);
    if (socketsLeft) this.#broken.push(`${socketsLeft} sockets were left`);
    const { tell } = this.#options;
    tell(rowOf("fault", ["requests", "wrong", "late", "failed", "broken off", "not repeatable"]));
    for (const [fault, row] of this.#rows) tell(rowOf(fault, Object.values(row)));
    const requests = this.#requests;
    const latestMs = Math.round(this.#lateness.mostMs);
    tell(`the program itself was late by up to ${latestMs} ms`);
    return {
      steps: requests,
      summary:
        `${requests} requests, ${asked.size} of them not to be repeated and ${twice} sent twice`,
      broken: this.#broken,
      figures: { requests, twice, socketsLeft, latestMs, byFault: Object.fromEntries(this.#rows) },
    };
  }
}

function newRow(): Row {
  return { requests: 0, wrong: 0, late: 0, failed: 0, brokenOff: 0, notRepeatable: 0 };
}

function rowOf(name: string, cells: readonly (string | number)[]): string {
  return [name.padEnd(32), ...cells.map((cell) => String(cell).padStart(14))].join("");
}
