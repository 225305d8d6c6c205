/**
 * The program of a black hole: a port whose queue of connections is full, and whose owner never
 * looks at it, so that the system drops whatever else comes without an answer.
 *
 * @module
 */

import { writeSync } from "node:fs";
import net from "node:net";
import process from "node:process";

// The queue holds one connection more than it was asked for.
const backlog = 1;
const fillers = backlog + 1;
const longestLifeMs = 30_000;

const server = net.createServer();
server.listen({ port: 0, host: "127.0.0.1", backlog }, () => {
  const { port } = server.address() as net.AddressInfo;
  for (let i = 0; i < fillers; i++) net.connect(port, "127.0.0.1").on("error", () => {});
  // The connects are made in this turn's ticks; after them the loop never turns to accept any.
  process.nextTick(() =>
    process.nextTick(() => {
      writeSync(1, `${port}\n`);
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, longestLifeMs);
      process.exit();
    })
  );
});
