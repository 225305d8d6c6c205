/**
 * Reads the body of a `Request` in advance, if it is already there.
 *
 * @module
 */

import { joinBytes } from "../core/bytes.ts";
import { asPart } from "./body_reader.ts";

/** A longer body counts as a stream, in bytes. */
const MOST_AHEAD_BYTES = 134_217_728;

/** How many microtasks a part may take. The runtimes take some 50 for what is there already. */
const PATIENCE = 1_000;

/** How many turns of the event loop it may take after that: Node 24 reads a blob in two. */
const TURNS = 3;

/**
 * Reads a body that is there already: text, bytes, a form and the like come to their end at once,
 * or nearly so. Then it has a length, and can be sent again. A caller's stream is given on as it
 * is as soon as it has to be waited for.
 */
export async function readAhead(
  body: ReadableStream<Uint8Array>,
): Promise<Uint8Array | ReadableStream<Uint8Array>> {
  const reader = body.getReader();
  const parts: Uint8Array[] = [];
  let bytes = 0;
  for (;;) {
    const reading = reader.read();
    const result = await soon(reading);
    if (!result) return goOn(reader, parts, reading);
    // A single part is the caller's own memory, and not copied.
    if (result.done) return parts.length === 1 ? parts[0]! : joinBytes(parts);
    const part = asPart(result.value);
    parts.push(part);
    bytes += part.length;
    if (bytes > MOST_AHEAD_BYTES) return goOn(reader, parts, reader.read());
  }
}

/** What a promise gives within a few turns; undefined if it takes longer. */
async function soon<T>(promise: Promise<T>): Promise<T | undefined> {
  let isSettled = false;
  const settle = () => void (isSettled = true);
  promise.then(settle, settle);
  for (let tasks = 0; !isSettled && tasks < PATIENCE; tasks++) await undefined;
  // Without a clock: it keeps the program alive, and passes whatever a clock says.
  for (let turns = 0; !isSettled && turns < TURNS; turns++) {
    await new Promise((resolve) => setTimeout(resolve, 0));
  }
  return isSettled ? await promise : undefined;
}

/** What was read, and then the rest as it comes. */
function goOn(
  reader: ReadableStreamDefaultReader<Uint8Array>,
  parts: readonly Uint8Array[],
  reading: Promise<ReadableStreamReadResult<Uint8Array>>,
): ReadableStream<Uint8Array> {
  // It may fail before anybody reads on, and fails then.
  reading.catch(() => {});
  const read = parts[Symbol.iterator]();
  let first: Promise<ReadableStreamReadResult<Uint8Array>> | undefined = reading;
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      const { value } = read.next();
      if (value) return controller.enqueue(value);
      const next = first ?? reader.read();
      first = undefined;
      const result = await next;
      if (result.done) controller.close();
      else controller.enqueue(result.value);
    },
    cancel: (reason) => reader.cancel(reason),
  }, { highWaterMark: 0 });
}
