/**
 * What of a request's body is sent.
 *
 * @module
 */

import { describe } from "../core/check.ts";

/**
 * A request's body. A stream, or anything to iterate over, is sent as it comes, and only once; where
 * the request ends first, it is cancelled, stopped or, as a stream of Node's, destroyed.
 */
export type RequestBody =
  | string
  | Uint8Array
  | ArrayBuffer
  | ArrayBufferView
  | URLSearchParams
  | Blob
  | FormData
  | ReadableStream<Uint8Array>
  | AsyncIterable<Uint8Array>;

/** A body that is sent. */
export interface Payload {
  /** All of it; null where it comes as a stream, or there is none. */
  readonly bytes: Uint8Array | null;
  /** The stream. */
  readonly stream: AsyncIterable<Uint8Array> | null;
  /** What the body says it is, where the headers do not. */
  readonly contentType: string | null;
}

/** What is sent of no body. */
export const NO_PAYLOAD: Payload = { bytes: null, stream: null, contentType: null };

const encoder = new TextEncoder();
const TEXT = "text/plain;charset=UTF-8";
const FORM = "application/x-www-form-urlencoded;charset=UTF-8";

/**
 * Reads a body. A form or a blob is read whole.
 *
 * @throws {TypeError} It is none
 */
export function readBody(body: RequestBody): Payload | Promise<Payload> {
  if (typeof body === "string") return whole(encoder.encode(body), TEXT);
  if (body instanceof Uint8Array) return whole(body, null);
  if (body instanceof ArrayBuffer) return whole(new Uint8Array(body), null);
  if (ArrayBuffer.isView(body)) {
    const { buffer, byteLength, byteOffset } = body as ArrayBufferView;
    return whole(new Uint8Array(buffer, byteOffset, byteLength), null);
  }
  if (body instanceof URLSearchParams) return whole(encoder.encode(body.toString()), FORM);
  if (body instanceof Blob) {
    return body.arrayBuffer().then((buffer) => whole(new Uint8Array(buffer), body.type || null));
  }
  if (body instanceof FormData) {
    // The runtime's own encoder chooses the boundary, and says it in the type.
    const encoded = new Response(body);
    const type = encoded.headers.get("content-type");
    return encoded.arrayBuffer().then((buffer) => whole(new Uint8Array(buffer), type));
  }
  if (
    typeof body === "object" && (body instanceof ReadableStream || Symbol.asyncIterator in body)
  ) {
    checkUnread(body);
    return { bytes: null, stream: body, contentType: null };
  }
  refuseForeignBody(body);
  throw new TypeError(
    `body must be text, bytes, a form, a blob or a stream, got ${describe(body)}`,
  );
}

/** Refuses a stream that would go out as an empty body, such as one that is sent a second time. */
function checkUnread(
  stream: AsyncIterable<Uint8Array> & { readonly readableEnded?: boolean },
): void {
  if (stream instanceof ReadableStream) {
    try {
      // Nobody but the runtime knows whether a stream was read that is not locked any more.
      new Response(stream);
    } catch (error) {
      throw new TypeError("The body's stream is locked, or was read already", { cause: error });
    }
  } else if (stream.readableEnded === true) {
    throw new TypeError("The body's stream was read already, to its end");
  }
}

/** Refuses a form or blob that a library has made: as text it is "[object FormData]" and the like. */
export function refuseForeignBody(body: unknown): void {
  const name = Object.prototype.toString.call(body).slice("[object ".length, -1);
  if (name !== "FormData" && name !== "Blob" && name !== "File") return;
  throw new TypeError(`body is a ${name} of a library's own class: use the global ${name}`);
}

function whole(bytes: Uint8Array, contentType: string | null): Payload {
  return { bytes, stream: null, contentType };
}
