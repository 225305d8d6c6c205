/**
 * A thread that watches this one: an input that is looked at for too long is saved, and the program
 * is ended, which would never end by itself.
 *
 * @module
 */

import { Worker } from "node:worker_threads";

/** Tells the watching thread what is being looked at. */
export interface Watchdog {
  look(input: string): void;
  end(): Promise<unknown>;
}

const MAX_LENGTH = 65_536;

// The first number counts the inputs, the second is the length of the one that is looked at.
const PROGRAM = `
const { writeFileSync } = require("node:fs");
const { workerData: { shared, file, limitMs, again } } = require("node:worker_threads");
const counts = new Int32Array(shared, 0, 2);
const characters = new Uint16Array(shared, 8);
let seen = -1;
setInterval(() => {
  const count = Atomics.load(counts, 0);
  if (count !== seen) {
    seen = count;
    return;
  }
  const input = String.fromCharCode(...characters.subarray(0, counts[1]));
  writeFileSync(file, JSON.stringify(input));
  writeFileSync(2, "HANGS: an input takes longer than " + limitMs + " ms\\n" + JSON.stringify(input)
    + "\\nIt is saved in " + file + "\\n" + again + "\\n");
  process.kill(process.pid, "SIGKILL");
}, limitMs);
`;

/** Begins to watch. */
export function watch(file: string, limitMs: number, again: string): Watchdog {
  const shared = new SharedArrayBuffer(8 + 2 * MAX_LENGTH);
  const counts = new Int32Array(shared, 0, 2);
  const characters = new Uint16Array(shared, 8);
  const worker = new Worker(PROGRAM, { eval: true, workerData: { shared, file, limitMs, again } });
  return {
    look(input) {
      const length = Math.min(input.length, MAX_LENGTH);
      for (let i = 0; i < length; i++) characters[i] = input.charCodeAt(i);
      counts[1] = length;
      Atomics.add(counts, 0, 1);
    },
    end: () => worker.terminate(),
  };
}
