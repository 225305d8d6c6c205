/**
 * Decodes by an engine of `node:zlib`, which all runtimes have.
 *
 * @module
 */

import type { Transform } from "node:stream";
import type { CodedInput } from "./coded_input.ts";

/** An engine; `bytesWritten` is how much it has used of what was written to it. */
export type Engine = Transform & { readonly bytesWritten: number };

/** What is written behind the end of the input: an engine that has come to its end leaves it. */
const BEHIND = new Uint8Array(1);

/**
 * Decodes up to the end that the coded bytes themselves have. What follows there stays in the input.
 *
 * Engines do not tell of that end in the same way on every runtime, and some tell of none where it is
 * missing. But all say how much they have used.
 *
 * @param untold Whether the engine goes on to the end of the input, complete or not
 * @throws {TypeError} The input ends before
 * @throws What the engine throws
 */
export async function* decodeBy(
  engine: Engine,
  input: CodedInput,
  untold = false,
): AsyncGenerator<Uint8Array> {
  let failure: Error | undefined;
  let wake = () => {};
  const fail = (error: Error | null | undefined) => {
    failure ??= error ?? undefined;
    wake();
  };
  engine.on("error", fail);
  engine.on("readable", () => wake());
  try {
    for (;;) {
      const piece = await input.next();
      if (!piece && untold) return;
      const { bytesWritten: before } = engine;
      const isWritten = { now: false };
      engine.write(piece ?? BEHIND, (error) => {
        isWritten.now = true;
        fail(error);
      });
      for (;;) {
        const decoded = engine.read() as Uint8Array | null;
        if (failure) throw failure;
        if (decoded !== null) {
          if (piece) yield decoded;
        } else if (isWritten.now) break;
        else await new Promise<void>((resolve) => wake = resolve);
      }
      const used = engine.bytesWritten - before;
      if (piece && used < piece.length) return input.unread(piece.subarray(used));
      if (!piece && used > 0) throw new TypeError("The coded body ends too soon");
      if (!piece) return;
    }
  } finally {
    engine.off("error", fail).on("error", () => {}).destroy();
  }
}
