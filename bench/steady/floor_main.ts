/**
 * A process with bare sockets that ask again and again: each from when it is open, or all of them
 * once they are. It tells what came of it as a line of JSON.
 *
 * @module
 */

import process from "node:process";
import { Countdown, openBun, openDeno, openNode } from "../http/floor.ts";
import { BODIES } from "../http/nginx.ts";

/** What is measured. */
export interface FloorScene {
  readonly port: number;
  readonly ca: string;
  readonly sockets: number;
  /** Whether time begins when all sockets are open. */
  readonly isOpened: boolean;
}

/** What came of it. */
export interface FloorMeasured {
  /** Answers in the first second. */
  readonly answers: number;
  /** How long it took until all sockets were open, in milliseconds. */
  readonly openMs: number;
}

const MS = 1_000;

const { ca, isOpened, port, sockets } = JSON.parse(process.argv[2]!) as FloorScene;
const openLane = "Bun" in globalThis ? openBun : "Deno" in globalThis ? openDeno : openNode;
const target = { host: "localhost", ip: "127.0.0.1", port, ca };
const request = new TextEncoder().encode("GET /tiny HTTP/1.1\r\nhost: localhost\r\n\r\n");
const asked = Array.from({ length: sockets }, () => {
  const countdown = new Countdown(BODIES.tiny);
  return { countdown, ask: () => {} };
});
let answers = 0;
let startedAt = performance.now();

async function open(index: number): Promise<void> {
  const one = asked[index]!;
  const lane = await openLane(target, request, index, {
    received(index, bytes) {
      if (!asked[index]!.countdown.take(bytes)) return;
      if (performance.now() - startedAt > MS) return;
      answers++;
      lane.write();
    },
    failed(error) {
      throw error;
    },
  });
  one.ask = () => lane.write();
  if (!isOpened) one.ask();
}

await Promise.all(asked.map((_, index) => open(index)));
const openMs = Math.round(performance.now() - startedAt);
if (isOpened) {
  startedAt = performance.now();
  for (const { ask } of asked) ask();
}
await new Promise((resolve) => setTimeout(resolve, startedAt + MS - performance.now()));
console.log(JSON.stringify({ answers, openMs } satisfies FloorMeasured));
process.exit(0);
