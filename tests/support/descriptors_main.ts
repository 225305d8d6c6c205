/**
 * A program that dials when it has no file descriptor left, and once more when it has.
 *
 * @module
 */

import { closeSync, openSync } from "node:fs";
import process from "node:process";
import type { Dialer, DialTarget } from "../../src/core/dialer.ts";
import { DialError } from "../../src/core/errors.ts";

/** What the program is told, as JSON. */
export interface DescriptorsTask {
  /** The module, from the project's root, and the function that make the dialer. */
  readonly module: string;
  readonly name: string;
  readonly target: DialTarget;
}

const task: DescriptorsTask = JSON.parse(process.argv[2]!);
const module = await import(new URL(`../../${task.module}`, import.meta.url).href);
const dialer: Dialer = module[task.name]();

async function dial(): Promise<string> {
  try {
    const socket = await dialer.dial(task.target, new AbortController().signal);
    await new Promise<void>((resolve) => {
      socket.attach({ onData: () => {}, onDrain: () => {}, onClose: () => resolve() });
      socket.destroy();
    });
    return "dialled";
  } catch (error) {
    return error instanceof DialError ? error.failure : String(error);
  }
}

const said = [await dial()];
const taken: number[] = [];
let without = "dialled";
// A runtime may give the last socket's descriptor back only after it has told of the end.
for (let times = 0; times < 20 && without === "dialled"; times++) {
  await new Promise((resolve) => setTimeout(resolve, 10 * times));
  try {
    for (;;) taken.push(openSync("/dev/null", "r"));
  } catch {
    // There is none left.
  }
  without = await dial();
}
said.push(without);
for (const descriptor of taken) closeSync(descriptor);
said.push(await dial());
process.stdout.write(`${said.join()}\n`);
