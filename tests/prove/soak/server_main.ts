/**
 * The server of a soak, on Node: HTTP/1.1 and HTTP/2 on one port.
 *
 * - `/small/N` answers with N, whatever was posted; `/echo` with what was posted
 * - `/mib/N` answers with a mebibyte that begins with N
 * - `/slow/N` takes ten milliseconds for N, in two parts
 * - `/moved/N` leads to `/small/N`; `/gzip/N` and `/br/N` answer with N many times, coded
 *
 * @module
 */

import { Buffer } from "node:buffer";
import http2 from "node:http2";
import { brotliCompressSync, gzipSync } from "node:zlib";
import { readInput, sayReady } from "../../support/node_program.ts";
import type { Credentials } from "../../support/pki.ts";

const { cert, key } = await readInput() as Credentials;
// In megabytes. Node counts for good what it had not sent of a stream that was reset.
const OPTIONS = { allowHTTP1: true, cert, key, maxSessionMemory: 1_000_000 };
const MIB = Buffer.alloc(1_048_576, ".");

const server = http2.createSecureServer(
  OPTIONS,
  (request, response) => {
    const [, route = "", text = ""] = request.url.split("/");
    const answer = (
      body: string | Buffer,
      headers: { [name: string]: string } = {},
      status = 200,
    ) => {
      response.writeHead(status, { ...headers, "content-length": `${Buffer.byteLength(body)}` });
      response.end(body);
    };
    request.on("error", () => {});
    response.on("error", () => {});
    if (route === "echo") {
      const parts: Buffer[] = [];
      request.on("data", (part: Buffer) => parts.push(part));
      request.on("end", () => answer(Buffer.concat(parts)));
      return;
    }
    request.resume();
    if (route === "mib") {
      const body = Buffer.from(MIB);
      body.write(`${text} `);
      answer(body);
    } else if (route === "slow") {
      response.writeHead(200);
      response.write(text.slice(0, 1));
      setTimeout(() => response.end(text.slice(1)), 10);
    } else if (route === "moved") answer("elsewhere", { location: `/small/${text}` }, 302);
    else if (route === "gzip") {
      answer(gzipSync(`${text} `.repeat(500)), { "content-encoding": "gzip" });
    } else if (route === "br") {
      answer(brotliCompressSync(`${text} `.repeat(500)), { "content-encoding": "br" });
    } else answer(text);
  },
);
server.on("sessionError", () => {});
server.on("tlsClientError", () => {});
server.listen(0, "127.0.0.1", 4_096, () => {
  sayReady({ port: (server.address() as { port: number }).port });
});
