/**
 * Node's own server of HTTP/2, as a program. It answers as `upstream_answers.ts` says, and:
 *
 * - `echo`: the request's body as it comes, and behind it the request's trailers
 * - `trailers`: a body, and a trailer
 * - `leave`: says GOAWAY, and lets what is under way finish
 *
 * @module
 */

import { createSecureServer, type Http2ServerRequest, type Http2ServerResponse } from "node:http2";
import { pipeline } from "node:stream/promises";
import { readInput, sayReady } from "./node_program.ts";
import type { Credentials } from "./pki.ts";
import { answer, urlOf } from "./upstream_answers.ts";

async function serve(request: Http2ServerRequest, response: Http2ServerResponse): Promise<void> {
  const { pathname } = urlOf(request);
  if (pathname === "/echo") {
    await pipeline(request, async function*(parts) {
      yield* parts;
      response.addTrailers(request.trailers);
    }, response);
    return;
  }
  if (pathname === "/trailers") {
    response.write("a body");
    response.addTrailers({ "x-sum": "1234" });
    response.end();
    return;
  }
  if (pathname === "/leave") request.stream.session?.close();
  await answer(request, response);
}

const { cert, key } = await readInput() as Credentials;
const server = createSecureServer({ cert, key }, (request, response) => {
  serve(request, response).catch(() => response.stream.close());
});
server.on("sessionError", () => {});
server.listen(0, "127.0.0.1", () => sayReady(server.address()));
