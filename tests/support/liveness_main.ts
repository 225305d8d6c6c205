/**
 * A program that has one idle connection and nothing else to live for.
 *
 * @module
 */

import process from "node:process";
import type { Dialer, DialTarget } from "../../src/core/dialer.ts";

/** What the program is told, as JSON. */
export interface LivenessTask {
  /** The module, from the project's root, and the function that make the dialer. */
  readonly module: string;
  readonly name: string;
  readonly target: DialTarget;
  /** What to call on the socket once it is there, in order. */
  readonly calls: readonly ("ref" | "unref")[];
  /** Whether to close it when the peer says something. */
  readonly closeOnData?: boolean;
}

const task: LivenessTask = JSON.parse(process.argv[2]!);
const module = await import(new URL(`../../${task.module}`, import.meta.url).href);
const dialer: Dialer = module[task.name]();
const socket = await dialer.dial(task.target, new AbortController().signal);
socket.attach({
  onData: () => {
    if (task.closeOnData) socket.close();
  },
  onDrain: () => {},
  onClose: () => {},
});
for (const call of task.calls) socket[call]();
process.stdout.write("ready\n");
