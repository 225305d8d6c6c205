/**
 * What the body of a `Request` was made of, as far as that can be found out.
 *
 * @module
 */

import type { Clock } from "../core/clock.ts";

/** A body that goes on for longer is a stream, in bytes. */
const MOST_AHEAD_BYTES = 134_217_728;

/**
 * Reads a body that is there already: text, bytes, a form and the like come to their end without a
 * turn in between. Then it has a length, and can be sent again. A caller's stream is given on as it
 * is as soon as it has to be waited for.
 */
export async function readAhead(
  body: ReadableStream<Uint8Array>,
  clock: Clock,
): Promise<Uint8Array | ReadableStream<Uint8Array>> {
  const reader = body.getReader();
  const parts: Uint8Array[] = [];
  let bytes = 0;
  const turn = nextTurn(clock);
  let reading = reader.read();
  try {
    for (;;) {
      const result = await Promise.race([reading, turn.over]);
      if (!result) break;
      if (result.done) return joined(parts, bytes);
      const { value } = result;
      parts.push(value);
      bytes += value.byteLength;
      reading = reader.read();
      if (!(bytes <= MOST_AHEAD_BYTES)) break;
    }
  } finally {
    turn.cancel();
  }
  return goOn(reader, parts, reading);
}

function nextTurn(clock: Clock): { readonly over: Promise<undefined>; cancel(): void } {
  let cancel = () => {};
  const over = new Promise<undefined>((resolve) => {
    const timer = clock.setTimer(() => resolve(undefined), 0);
    cancel = () => {
      timer.cancel();
      resolve(undefined);
    };
  });
  return { over, cancel };
}

/** One part is what the caller has, and not copied. */
function joined(parts: readonly Uint8Array[], bytes: number): Uint8Array {
  if (parts.length === 1) return parts[0]!;
  const whole = new Uint8Array(bytes);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
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
