/**
 * Measures clients side by side.
 *
 * @module
 */

import os from "node:os";
import { median } from "../median.ts";
import { BODIES } from "./nginx.ts";
import type { CaseResult } from "./table.ts";
import type { Worker } from "./worker.ts";

/**
 * How long the first turn takes at the least, in milliseconds. With 1 second Bun's compilers took a
 * tenth to a third of the CPU of the turns after it.
 */
const WARM_UP_MS = 3_000;

/** What is measured. */
export interface Case {
  /** The runtime, with its version. */
  readonly runtime: string;
  readonly body: keyof typeof BODIES;
  readonly connections: number;
  /** How many requests are under way at a time. */
  readonly callers: number;
  /** How long each turn takes, in milliseconds. */
  readonly runMs: number;
  /** How many turns each client has. */
  readonly rounds: number;
  /** The client whose figures the others' are divided by. */
  readonly ours: string;
}

/** What a client did in its turns. */
interface Turns {
  readonly perSecond: number[];
  readonly cpuMicros: number[];
  error?: string;
}

/** Lets the clients take turns, so that whatever else the machine does hits all of them alike. */
export async function measureCase(
  workers: ReadonlyMap<string, Worker>,
  { body, callers, connections, ours: oursName, rounds, runMs, runtime }: Case,
): Promise<CaseResult> {
  const turns = new Map<string, Turns>();
  for (const [name, worker] of workers) {
    const open = { path: `/${body}`, bodyBytes: BODIES[body], connections, callers };
    const { error } = await worker.tell({ open });
    turns.set(name, { perSecond: [], cpuMicros: [], ...error !== undefined && { error } });
  }
  // The first turn is for the compilers, and counts for nothing.
  for (let round = 0; round <= rounds; round++) {
    for (const [name, worker] of workers) {
      const turn = turns.get(name)!;
      if (turn.error !== undefined) continue;
      const answer = await worker.tell({
        runMs: round === 0 ? Math.max(runMs, WARM_UP_MS) : runMs,
      });
      const { cpuMicros, error, ms, requests } = answer;
      if (error !== undefined) turn.error = error;
      else if (round > 0) {
        turn.perSecond.push(requests! / ms! * 1000);
        turn.cpuMicros.push(cpuMicros! / requests!);
      }
    }
  }
  const ours = turns.get(oursName);
  return {
    runtime,
    body,
    connections,
    callers,
    load: os.loadavg()[0]!,
    clients: [...turns].map(([name, { cpuMicros, error, perSecond }]) =>
      error !== undefined ? { name, error } : {
        name,
        perSecond: median(perSecond),
        cpuMicros: median(cpuMicros),
        ...ours?.perSecond.length === rounds && {
          ratio: median(perSecond.map((rate, round) => ours.perSecond[round]! / rate)),
          cpuRatio: median(cpuMicros.map((cost, round) => cost / ours.cpuMicros[round]!)),
        },
      }
    ),
  };
}
