/**
 * Machines that count: HTTP servers at several loopback addresses, in their own process. It is
 * told `down 2` and `up 2` on its standard input, and tells twenty times a second how many
 * connections each has, and the most that it ever had.
 *
 * @module
 */

import { createServer, type Server } from "node:http";
import type { Socket } from "node:net";
import process from "node:process";
import { createInterface } from "node:readline";

const { addresses, port, delayMs } = JSON.parse(process.argv[2]!) as {
  addresses: string[];
  port: number;
  delayMs: number;
};

const machines = addresses.map((address) => {
  const sockets = new Set<Socket>();
  const machine = { address, sockets, most: 0, server: undefined as Server | undefined };
  return machine;
});

function start(machine: typeof machines[number]): Promise<void> {
  const server = createServer({ keepAliveTimeout: 60_000 }, (_request, response) => {
    setTimeout(() => response.end(machine.address), delayMs);
  });
  server.on("connection", (socket) => {
    machine.sockets.add(socket);
    machine.most = Math.max(machine.most, machine.sockets.size);
    socket.on("close", () => machine.sockets.delete(socket));
  });
  machine.server = server;
  return new Promise((resolve) => server.listen(port, machine.address, 1_024, resolve));
}

await Promise.all(machines.map(start));
createInterface({ input: process.stdin }).on("line", (line) => {
  const [word, number] = line.split(" ");
  const machine = machines[Number(number) - 1]!;
  if (word === "up") void start(machine);
  else {
    machine.server?.close();
    for (const socket of machine.sockets) socket.resetAndDestroy();
  }
}).on("close", () => process.exit());
setInterval(() => {
  const counts = machines.map(({ most, sockets }) => ({ open: sockets.size, most }));
  process.stdout.write(`${JSON.stringify(counts)}\n`);
}, 50);
