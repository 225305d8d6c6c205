/**
 * A process with one client in it. It takes orders on its standard input, a line of JSON each, and
 * answers each with a line: how many requests it made, in what time, at what cost.
 *
 * @module
 */

import process from "node:process";
import { createInterface } from "node:readline";
import type { BenchTarget, Client, Stop } from "./client.ts";
import { CLIENTS } from "./clients.ts";
import { FLEET_CLIENTS } from "./fleet_clients.ts";
import { H2_CLIENTS } from "./h2_clients.ts";

/** What a worker is told: to open so many connections, or to make requests for so long. */
export type Order =
  | { readonly open: { path: string; bodyBytes: number; connections: number; callers: number } }
  | { readonly runMs: number };

/** What it answers. */
export interface Answer {
  readonly requests?: number;
  readonly ms?: number;
  readonly cpuMicros?: number;
  readonly error?: string;
}

const [runtime, name, target] = process.argv.slice(2) as [keyof typeof CLIENTS, string, string];
const open = (CLIENTS[runtime][name] ?? H2_CLIENTS[runtime][name] ?? FLEET_CLIENTS[name])!;
let client: Client | undefined;

async function obey(order: Order): Promise<Answer> {
  if ("open" in order) {
    await client?.close();
    const { bodyBytes, callers, connections, path } = order.open;
    client = await open(JSON.parse(target) as BenchTarget, path, bodyBytes, connections, callers);
    return {};
  }
  const stop: Stop = { now: false };
  setTimeout(() => stop.now = true, order.runMs);
  const cpu = process.cpuUsage();
  const startedAt = performance.now();
  const requests = await client!.run(stop);
  const ms = performance.now() - startedAt;
  const { system, user } = process.cpuUsage(cpu);
  return { requests, ms, cpuMicros: user + system };
}

for await (const line of createInterface({ input: process.stdin })) {
  let answer: Answer;
  try {
    answer = await obey(JSON.parse(line) as Order);
  } catch (error) {
    answer = { error: error instanceof Error ? error.message : String(error) };
  }
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
process.exit(0);
