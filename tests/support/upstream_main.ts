/**
 * The program behind a proxy under test: plain HTTP/1.1, what it does is told by the last part of
 * the path: see `upstream_answers.ts`, and `until-close`: an answer of HTTP/1.0, whose body ends with
 * its connection.
 *
 * @module
 */

import { createServer } from "node:http";
import { readInput, sayReady } from "./node_program.ts";
import { TEXT } from "./upstream.ts";
import { answer, urlOf } from "./upstream_answers.ts";

await readInput();
const server = createServer((request, response) => {
  if (urlOf(request).pathname.endsWith("/until-close")) {
    request.resume();
    response.socket!.end(`HTTP/1.0 200 OK\r\nContent-Type: text/css\r\n\r\n${TEXT}`);
  } else answer(request, response).catch(() => response.destroy());
});
// The proxies choose how long connections stay: here they stay for good.
server.keepAliveTimeout = 0;
server.listen(0, "127.0.0.1", () => sayReady(server.address()));
