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
import {
  AccessDeniedError,
  HotconnError,
  Http2Error,
  type Http2ErrorName,
  type HttpPool,
  LimitError,
  type PooledResponse,
  RequestError,
  type RequestFailure,
  UnsupportedOptionError,
  WaiterLimitError,
} from "../mod.ts";

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
        body: bodyOf(response, trailer, signal),
        trailer,
      };
    } catch (error) {
      throw asConnectError(error, signal);
    }
  };
}

/** Reads a body, and the trailers behind it, which say how the call went. */
async function* bodyOf(
  response: PooledResponse,
  trailer: Headers,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array> {
  try {
    yield* response.body;
  } catch (error) {
    throw asConnectError(error, signal);
  }
  for (const [name, value] of response.trailers ?? []) trailer.append(name, value);
}

/** Says what failed in the words of gRPC. */
function asConnectError(error: unknown, signal: AbortSignal | undefined): ConnectError {
  // The deadline of a call comes this way, too: it is the reason then, and has its own code.
  if (signal?.aborted) return ConnectError.from(signal.reason, Code.Canceled);
  // What the caller's messages throw is no failure of the way.
  if (error instanceof RequestError && error.failure === "body") {
    return ConnectError.from(error.cause);
  }
  const message = error instanceof Error ? error.message : `${error}`;
  return new ConnectError(message, codeOf(error), undefined, undefined, error);
}

/** https://grpc.github.io/grpc/core/md_doc_statuscodes.html says who uses which code. */
function codeOf(error: unknown): Code {
  if (error instanceof RequestError) {
    const { cause, failure } = error;
    return failure === "protocol" && cause instanceof Http2Error
      ? STREAM_CODES[cause.http2Code]
      : REQUEST_CODES[failure];
  }
  if (error instanceof WaiterLimitError || error instanceof LimitError) {
    return Code.ResourceExhausted;
  }
  if (error instanceof AccessDeniedError) return Code.PermissionDenied;
  // Another try would fail as well. A library must not say InvalidArgument: only servers do.
  const isMistake = error instanceof TypeError || error instanceof RangeError
    || error instanceof UnsupportedOptionError;
  if (isMistake) return Code.Internal;
  // Nothing was sent, and another try may do better.
  return error instanceof HotconnError ? Code.Unavailable : Code.Unknown;
}

const REQUEST_CODES: { readonly [Failure in RequestFailure]: Code } = {
  body: Code.Unknown,
  cancelled: Code.Canceled,
  connection: Code.Unavailable,
  protocol: Code.Internal,
  status: Code.Unavailable,
  timeout: Code.DeadlineExceeded,
};

/** What ended a stream, as in "Errors" of https://grpc.github.io/grpc/core/md_doc__p_r_o_t_o_c_o_l-_h_t_t_p2.html */
const STREAM_CODES: { readonly [Name in Http2ErrorName]: Code } = {
  CANCEL: Code.Canceled,
  COMPRESSION_ERROR: Code.Internal,
  CONNECT_ERROR: Code.Internal,
  ENHANCE_YOUR_CALM: Code.ResourceExhausted,
  FLOW_CONTROL_ERROR: Code.Internal,
  FRAME_SIZE_ERROR: Code.Internal,
  HTTP_1_1_REQUIRED: Code.Unknown,
  INADEQUATE_SECURITY: Code.PermissionDenied,
  INTERNAL_ERROR: Code.Internal,
  NO_ERROR: Code.Internal,
  PROTOCOL_ERROR: Code.Internal,
  REFUSED_STREAM: Code.Unavailable,
  SETTINGS_TIMEOUT: Code.Internal,
  STREAM_CLOSED: Code.Unknown,
};
