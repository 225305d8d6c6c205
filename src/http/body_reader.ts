/**
 * Reads a request's body as it comes.
 *
 * @module
 */

/** A body that is read part by part, and stopped where the rest is not wanted. */
export interface BodyReader {
  /**
   * Gives the next part; null after the last one.
   *
   * @throws What the body throws
   */
  read(): Promise<unknown>;
  /** Lets the rest go, at once where a part is awaited. Harmless to repeat, and after the end. */
  cancel(reason: unknown): void;
}

/** Takes a body over. */
export function openBody(body: AsyncIterable<Uint8Array>): BodyReader {
  // A stream's iterator would wait for the part under way before it stops.
  return body instanceof ReadableStream ? ofStream(body) : ofIterable(body);
}

function ofStream(stream: ReadableStream<Uint8Array>): BodyReader {
  const reader = stream.getReader();
  return {
    async read() {
      const { done, value } = await reader.read();
      return done ? null : value;
    },
    cancel: (reason) => void reader.cancel(reason).catch(() => {}),
  };
}

function ofIterable(iterable: AsyncIterable<Uint8Array>): BodyReader {
  const iterator = iterable[Symbol.asyncIterator]();
  let ended = false;
  return {
    async read() {
      try {
        const { done, value } = await iterator.next();
        if (!done) return value;
      } catch (error) {
        ended = true;
        throw error;
      }
      ended = true;
      return null;
    },
    cancel() {
      if (ended) return;
      ended = true;
      Promise.resolve(iterator.return?.()).catch(() => {});
    },
  };
}
