/**
 * A server of the package `ws` in its own process, on Node. It sends back each message, chooses
 * the first subprotocol, and does what a text that begins with an exclamation mark says.
 *
 * @module
 */

import { createServer as createPlainServer } from "node:http";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import process from "node:process";
import { WebSocketServer } from "ws";
import { readInput, sayReady } from "./node_program.ts";

const { cert, key } = await readInput() as { readonly cert?: string; readonly key?: string };
const http = cert && key ? createServer({ cert, key }) : createPlainServer();
const server = new WebSocketServer({
  server: http,
  perMessageDeflate: true,
  handleProtocols: ([first]) => first ?? false,
});

server.on("connection", (socket, { headers, url }) => {
  let pongs = 0;
  socket.on("pong", () => {
    socket.send(`pong ${++pongs}`);
  });
  socket.on("ping", (data) => socket.send(`ping ${data.length}`));
  socket.on("message", (data, isBinary) => {
    const text = isBinary ? "" : String(data);
    if (text === "!ping") socket.ping("are you there");
    else if (text === "!who") socket.send(JSON.stringify({ url, origin: headers.origin ?? "" }));
    else if (text === "!close") socket.close(4_001, "grüße");
    else if (text === "!terminate") socket.terminate();
    else if (text === "!die") process.kill(process.pid, "SIGKILL");
    else socket.send(data as Uint8Array, { binary: isBinary });
  });
});

await new Promise<void>((resolve) => http.listen(0, "127.0.0.1", resolve));
sayReady((http.address() as AddressInfo).port);
