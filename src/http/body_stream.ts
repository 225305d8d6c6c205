/**
 * A response's body as a stream.
 *
 * @module
 */

import type { BodyBuffer } from "./body_buffer.ts";
import type { BodyReader } from "./body_reader.ts";
import type { Decoder } from "./content_coding.ts";

/** Where a body comes from. */
export interface BodyOrigin {
  /** What has arrived, and was not read yet. */
  readonly buffer: BodyBuffer;
  /** Called when the body is touched. */
  touch(): void;
  /** Called when reading has begun, and nobody can go on. */
  drop(): void;
}

/** How a body is read. */
export interface BodyReading {
  /** What takes its codings off, in this order. */
  readonly decoders?: readonly Decoder[];
  /** Ends it, even if all has arrived. */
  readonly signal?: AbortSignal | undefined;
  /** The error that readers get. */
  readonly explain?: (error: unknown) => unknown;
}

/**
 * Streams that may have been dropped in the middle of a body, which holds its connection. An origin
 * must not refer to its stream: neither would ever be collected.
 */
const streams = new FinalizationRegistry<BodyOrigin>((origin) => origin.drop());

/**
 * Makes the one stream of a body. The first read opens it, so that a body that nobody reads is
 * known as such; but it fails with the body, read or not.
 */
export function streamBody(origin: BodyOrigin, reading: BodyReading): ReadableStream<Uint8Array> {
  const { decoders = [], explain = same, signal } = reading;
  const { buffer } = origin;
  let reader: BodyReader | undefined;
  const open = () => reader ??= decoders.reduce((coded, decode) => decode(coded), readerOf(origin));
  const isOver = () => void streams.unregister(origin);
  const source: UnderlyingByteSource = {
    type: "bytes",
    start(controller) {
      if (!buffer.settled) buffer.onFailed = failed(new WeakRef(controller), isOver, explain);
    },
    async pull(controller) {
      try {
        if (signal?.aborted) throw signal.reason;
        const part = await open().read();
        // The stream takes over the memory, which an engine goes on using.
        if (part) {
          return controller.enqueue(decoders.length > 0 ? new Uint8Array(part) : owned(part));
        }
      } catch (error) {
        isOver();
        throw explain(error);
      }
      isOver();
      controller.close();
      // A reader may have brought its own memory, and wait for it.
      controller.byobRequest?.respond(0);
    },
    cancel(reason) {
      isOver();
      open().cancel(reason);
    },
  };
  const stream: ReadableStream<Uint8Array> = new ReadableStream(source);
  if (!buffer.settled) streams.register(stream, origin, origin);
  return stream;
}

function same(error: unknown): unknown {
  return error;
}

function failed(
  weak: WeakRef<ReadableByteStreamController>,
  isOver: () => void,
  explain: (error: unknown) => unknown,
): (error: unknown) => void {
  return (error) => {
    isOver();
    weak.deref()?.error(explain(error));
  };
}

function owned(part: Uint8Array): Uint8Array<ArrayBuffer> {
  return part as Uint8Array<ArrayBuffer>;
}

function readerOf(origin: BodyOrigin): BodyReader {
  return {
    read() {
      origin.touch();
      return origin.buffer.read();
    },
    cancel(reason) {
      // The one that cancels the rest knows that it will not come.
      origin.buffer.onFailed = undefined;
      origin.buffer.cancel(reason);
    },
  };
}
