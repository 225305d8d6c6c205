/**
 * Reads a request's body as it comes.
 *
 * @module
 */

import { describe } from "../core/check.ts";

/** A body that is read part by part, and stopped if the rest is not wanted. */
export interface BodyReader {
  /**
   * Gives the next part; null after the last one.
   *
   * @throws {TypeError} The body gave a part that is not bytes
   * @throws The reason, if the body has failed
   */
  read(): Promise<Uint8Array | null>;
  /** Gives up the rest, at once if a part is awaited. Harmless to repeat, and after the end. */
  cancel(reason: unknown): void;
}

/** A Node stream. */
interface NodeStream extends AsyncIterable<Uint8Array> {
  /** Set on a request that a server received. */
  readonly method?: unknown;
  on(event: "error", listener: () => void): unknown;
  resume(): unknown;
  destroy(): unknown;
  iterator(options: { readonly destroyOnReturn: boolean }): AsyncIterator<Uint8Array>;
}

const nobody = () => {};

/** Takes over a body. */
export function openBody(body: AsyncIterable<Uint8Array>): BodyReader {
  // A stream's iterator would wait for the part under way before it stops.
  if ("getReader" in body) return ofStream(body as ReadableStream<Uint8Array>);
  return isNodeStream(body) ? ofNodeStream(body) : ofIterator(body[Symbol.asyncIterator]());
}

function isNodeStream(body: AsyncIterable<Uint8Array>): body is NodeStream {
  const { destroy, on } = body as Partial<NodeStream>;
  return typeof destroy === "function" && typeof on === "function";
}

/** Reads a stream. */
function ofStream(stream: ReadableStream<Uint8Array>): BodyReader {
  const reader = stream.getReader();
  return {
    async read() {
      const { done, value } = await reader.read();
      return done ? null : asPart(value);
    },
    cancel: (reason) => void reader.cancel(reason).catch(() => {}),
  };
}

function ofNodeStream(stream: NodeStream): BodyReader {
  // Its iterator listens from the first read on; an unhandled error ends the program.
  stream.on("error", nobody);
  // A server answers over the socket of its request, which would be destroyed with it.
  if (typeof stream.method === "string") {
    return ofIterator(stream.iterator({ destroyOnReturn: false }), () => stream.resume());
  }
  const { read } = ofIterator(stream[Symbol.asyncIterator]());
  return { read, cancel: () => void stream.destroy() };
}

function ofIterator(
  iterator: AsyncIterator<Uint8Array>,
  afterwards: () => unknown = nobody,
): BodyReader {
  let ended = false;
  return {
    async read() {
      let result: IteratorResult<Uint8Array, unknown>;
      try {
        result = await iterator.next();
      } catch (error) {
        ended = true;
        throw error;
      }
      if (!result.done) return asPart(result.value);
      ended = true;
      return null;
    },
    cancel() {
      if (ended) return;
      ended = true;
      Promise.resolve(iterator.return?.()).then(afterwards).catch(nobody);
    },
  };
}

/**
 * Checks a part of a body, which may be from another realm.
 *
 * @throws {TypeError} It is no bytes
 */
export function asPart(given: unknown): Uint8Array {
  if (given instanceof Uint8Array) return given;
  if (Object.prototype.toString.call(given) !== "[object Uint8Array]") {
    throw new TypeError(`A part of the body must be a Uint8Array, got ${describe(given)}`);
  }
  const { buffer, byteLength, byteOffset } = given as Uint8Array;
  return new Uint8Array(buffer, byteOffset, byteLength);
}

/** The error of a body that is not as long as its head has said. */
export function wrongLength(how: "shorter" | "longer", length: number | null): RangeError {
  return new RangeError(`The body is ${how} than its content-length says, which is ${length}`);
}
