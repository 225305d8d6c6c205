/**
 * gRPC over a pool: a transport for the clients of `@connectrpc/connect`.
 *
 *     const transport = grpcTransport(pool, "https://greeter.example");
 *     const client = createClient(Greeter, transport);
 *     const { message } = await client.sayHello({ name: "you" });
 *
 * The pool, or the host, is best told `protocols: ["h2"]`: gRPC is spoken over nothing else.
 *
 * @module
 */

import { Code, ConnectError, type Transport } from "@connectrpc/connect";
import type { UniversalClientFn } from "@connectrpc/connect/protocol";
import { createTransport } from "@connectrpc/connect/protocol-grpc";
import { HotconnError, type HttpPool, type PooledResponse } from "../mod.ts";

/** Makes a transport to a server. The pool stays its owner's. */
export function grpcTransport(pool: HttpPool, baseUrl: string): Transport {
  return createTransport({
    httpClient: clientOver(pool),
    baseUrl,
    useBinaryFormat: true,
    interceptors: [],
    acceptCompression: [],
    sendCompression: null,
    compressMinBytes: 1_024,
    readMaxBytes: 0xffff_ffff,
    writeMaxBytes: 0xffff_ffff,
  });
}

function clientOver(pool: HttpPool): UniversalClientFn {
  return async ({ body, header, method, signal, url }) => {
    try {
      const response = await pool.request(url, { method, headers: header, body, signal });
      const { headers, status } = response;
      const trailer = new Headers();
      return {
        status,
        header: new Headers([...headers]),
        body: bodyOf(response, trailer),
        trailer,
      };
    } catch (error) {
      throw asUnavailable(error);
    }
  };
}

/** Reads a body, and the trailers behind it, which say how the call went. */
async function* bodyOf(response: PooledResponse, trailer: Headers): AsyncGenerator<Uint8Array> {
  try {
    yield* response.body;
  } catch (error) {
    throw asUnavailable(error);
  }
  for (const [name, value] of response.trailers ?? []) trailer.append(name, value);
}

/** What failed on the way is worth another try, and gRPC has a code for that. */
function asUnavailable(error: unknown): unknown {
  if (!(error instanceof HotconnError)) return error;
  return new ConnectError(error.message, Code.Unavailable, undefined, undefined, error);
}
