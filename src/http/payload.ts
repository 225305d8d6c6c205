/**
 * The bytes of a request's body. Bodies may come from another realm or library, so they are
 * recognised by what they can do, not by their class.
 *
 * @module
 */

import { describe } from "../core/check.ts";
import { type BlobLike, BlobParts } from "./blob_parts.ts";
import { encodeForm, type FormLike } from "./multipart.ts";

/**
 * A request's body. A stream, or anything iterable, is sent as it comes, and only once; if the
 * request ends first, it is cancelled, stopped or, as a Node stream, destroyed.
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
  /** All of it; null if it comes as a stream, or there is none. */
  readonly bytes: Uint8Array | null;
  /** The stream. */
  readonly stream: AsyncIterable<Uint8Array> | null;
  /** The body's own content type, if the headers do not set one. */
  readonly contentType: string | null;
}

/** What sort of body something is. */
export type BodyKind = "text" | "bytes" | "parameters" | "blob" | "form" | "stream";

/** What is sent without a body. */
export const NO_PAYLOAD: Payload = { bytes: null, stream: null, contentType: null };

const encoder = new TextEncoder();
const TEXT = "text/plain;charset=UTF-8";
const FORM = "application/x-www-form-urlencoded;charset=UTF-8";

/** A form or a blob up to this size is read before it is sent, in bytes. */
const READ_AHEAD_BYTES = 65_536;

const KINDS: ReadonlyMap<string, BodyKind> = new Map([
  ["ArrayBuffer", "bytes"],
  ["SharedArrayBuffer", "bytes"],
  ["URLSearchParams", "parameters"],
  ["Blob", "blob"],
  ["File", "blob"],
  ["FormData", "form"],
  ["ReadableStream", "stream"],
]);

/**
 * Tells what sort of body something is; undefined if it is none.
 *
 * @throws {TypeError} It says that it is a blob or a form, and is not: as text it would be nonsense
 */
export function bodyKind(body: unknown): BodyKind | undefined {
  if (typeof body === "string") return "text";
  if (typeof body !== "object" || body === null) return undefined;
  if (ArrayBuffer.isView(body)) return "bytes";
  const name = Object.prototype.toString.call(body).slice("[object ".length, -1);
  const kind = KINDS.get(name);
  if (kind === "blob" && !isBlob(body) || kind === "form" && !(Symbol.iterator in body)) {
    throw new TypeError(`body says that it is a ${name}, and is not: use the global ${name}`);
  }
  return kind ?? (Symbol.asyncIterator in body ? "stream" : undefined);
}

function isBlob(body: object): boolean {
  const { arrayBuffer, size, slice } = body as Partial<BlobLike>;
  return typeof arrayBuffer === "function" && typeof slice === "function"
    && typeof size === "number";
}

/**
 * Reads a body. A small form or blob is read whole; a larger one as it is sent.
 *
 * @throws {TypeError} It is none
 */
export function readBody(body: RequestBody): Payload | Promise<Payload> {
  switch (bodyKind(body)) {
    case "text":
      return whole(encoder.encode(body as string), TEXT);
    case "bytes":
      return whole(asBytes(body as ArrayBufferLike | ArrayBufferView), null);
    case "parameters":
      return whole(encoder.encode(`${body}`), FORM);
    case "blob": {
      const blob = body as Blob;
      return ofParts(new BlobParts([blob]), blob.type || null);
    }
    case "form": {
      const { contentType, parts } = encodeForm(body as unknown as FormLike);
      return ofParts(parts, contentType);
    }
    case "stream":
      checkUnread(body as AsyncIterable<Uint8Array>);
      return { bytes: null, stream: body as AsyncIterable<Uint8Array>, contentType: null };
    default:
      throw new TypeError(
        `body must be text, bytes, a form, a blob or a stream, got ${describe(body)}`,
      );
  }
}

/** Bytes as such, in the same memory. */
export function asBytes(body: ArrayBufferLike | ArrayBufferView): Uint8Array {
  if (body instanceof Uint8Array) return body;
  if (!ArrayBuffer.isView(body)) return new Uint8Array(body);
  return new Uint8Array(body.buffer, body.byteOffset, body.byteLength);
}

function ofParts(parts: BlobParts, contentType: string | null): Payload | Promise<Payload> {
  if (parts.bytes > READ_AHEAD_BYTES) return { bytes: null, stream: parts, contentType };
  return parts.whole().then((bytes) => whole(bytes, contentType));
}

/** Refuses a stream that would be sent as an empty body, such as one that was sent before. */
function checkUnread(
  stream: AsyncIterable<Uint8Array> & {
    readonly locked?: boolean;
    readonly readableEnded?: boolean;
  },
): void {
  if (stream.locked === true) throw new TypeError(ALREADY_READ);
  if (stream.readableEnded === true) {
    throw new TypeError("The body's stream has already been read to its end");
  }
  if (!(stream instanceof ReadableStream)) return;
  try {
    // Nobody but the runtime knows whether a stream was read that is not locked any more.
    new Response(stream);
  } catch (error) {
    throw new TypeError(ALREADY_READ, { cause: error });
  }
}

const ALREADY_READ = "The body's stream is locked, or has already been read";

function whole(bytes: Uint8Array, contentType: string | null): Payload {
  return { bytes, stream: null, contentType };
}
