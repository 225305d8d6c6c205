/**
 * A program that dials when it lacks something that a dial needs, and before and after that.
 *
 * @module
 */

import { closeSync, openSync } from "node:fs";
import net from "node:net";
import process from "node:process";
import type { Dialer, DialTarget } from "../../src/core/dialer.ts";
import { DialError } from "../../src/core/errors.ts";

/** What the program is told, as JSON. */
export interface LackTask {
  /** The module, from the project's root, and the function that make the dialer. */
  readonly module: string;
  readonly name: string;
  readonly target: DialTarget;
  /** The local ports that it takes, which must be all; or else it takes all file descriptors. */
  readonly ports?: readonly number[];
}

const task: LackTask = JSON.parse(process.argv[2]!);
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

/** Dials without descriptors. */
async function withoutDescriptors(): Promise<string> {
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
  for (const descriptor of taken) closeSync(descriptor);
  return without;
}

/** Dials without ports: what listens on one has it to itself. */
async function withoutPorts(ports: readonly number[]): Promise<string> {
  const servers = ports.map(() => net.createServer());
  const listening = servers.map((server, i) =>
    new Promise<void>((resolve) => server.listen(ports[i], "0.0.0.0", resolve))
  );
  await Promise.all(listening);
  const without = await dial();
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return without;
}

const said = [await dial()];
said.push(await (task.ports ? withoutPorts(task.ports) : withoutDescriptors()));
said.push(await dial());
process.stdout.write(`${said.join()}\n`);
