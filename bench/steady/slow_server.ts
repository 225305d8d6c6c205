/**
 * An HTTPS server whose path says how many milliseconds the answer takes. Its key and certificate
 * come on its standard input; it tells its port.
 *
 * @module
 */

import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import process from "node:process";
import { text } from "node:stream/consumers";

const { cert, key } = JSON.parse(await text(process.stdin)) as { cert: string; key: string };
const server = createServer({ cert, key, keepAliveTimeout: 60_000 }, ({ url }, response) => {
  setTimeout(() => response.end("ok"), Number(url!.slice(1)));
});
server.listen(0, "127.0.0.1", 1_024, () => console.log((server.address() as AddressInfo).port));
