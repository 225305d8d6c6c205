/**
 * The HTTP proxy of the tests as a program on Node: of the runtimes, its TLS alone holds back one end
 * while the other is slow.
 *
 * @module
 */

import http from "node:http";
import type { AddressInfo } from "node:net";
import { type ConnectProxyOptions, startConnectProxy } from "./connect_proxy.ts";
import { readInput, sayReady } from "./node_program.ts";

const proxy = await startConnectProxy(await readInput() as ConnectProxyOptions);
const status = http.createServer((_, response) => response.end(`${proxy.open}`));
status.listen(0, "127.0.0.1", () => {
  sayReady({ port: proxy.port, statusPort: (status.address() as AddressInfo).port });
});
