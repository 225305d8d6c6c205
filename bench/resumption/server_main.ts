/**
 * The server of `bench/resumption.ts`: answers over TLS 1.3, keeps the keys of its tickets, and hangs
 * up on everybody for each line that it is sent, as a restart does.
 *
 * @module
 */

import { once } from "node:events";
import type { AddressInfo } from "node:net";
import process from "node:process";
import { createInterface } from "node:readline";
import tls from "node:tls";

const lines = createInterface({ input: process.stdin });
const [credentials] = await once(lines, "line") as [string];
const sockets = new Set<tls.TLSSocket>();
let resumed = 0;
const server = tls.createServer({
  ...JSON.parse(credentials),
  ticketKeys: new Uint8Array(48).fill(7),
  ALPNProtocols: ["http/1.1"],
}, (socket) => {
  if (socket.isSessionReused()) resumed++;
  sockets.add(socket);
  socket.on("error", () => {});
  socket.on("close", () => sockets.delete(socket));
  socket.on("data", () => socket.write("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"));
});
server.listen(0, "127.0.0.1", 2_048, () => {
  console.log((server.address() as AddressInfo).port);
});
lines.on("line", () => {
  console.log(resumed);
  resumed = 0;
  for (const socket of sockets) socket.end();
});
lines.on("close", () => process.exit());
