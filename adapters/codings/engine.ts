/**
 * Decodes by an engine of `node:zlib`, which all runtimes have.
 *
 * @module
 */

import type { Transform } from "node:stream";
import type { ZlibOptions } from "node:zlib";
import type { CodedInput } from "./coded_input.ts";

/** An engine; `bytesWritten` is how much it has used of what was written to it. */
export type Engine = Transform & { readonly bytesWritten: number };

/** Decodes at one go. */
type AtOnce = (coded: Uint8Array, options: ZlibOptions) => Uint8Array;

/** The result with the option `info`. */
interface Info {
  readonly buffer: Uint8Array;
  readonly engine: Engine;
}

/** How much may be decoded at one go, in bytes: coded, and decoded. */
const AT_ONCE = { codedBytes: 8_192, bytes: 65_536 };

/** What is written behind the end of the input, which an engine at its end does not use. */
const BEHIND = new Uint8Array(1);

/**
 * Decodes up to the end that the coded bytes themselves have. What follows there stays in the input.
 *
 * Engines do not tell of that end in the same way on every runtime, and some tell of none if it is
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

/**
 * Inflates up to the end that the coded bytes themselves have, as `decodeBy` does. Small bodies tend
 * to come in one piece, and an engine takes far longer to make, and to wait for, than to run: so such
 * a piece is tried at one go first, and left to an engine where that gives anything but all of it.
 */
export async function* inflateBy(
  atOnce: AtOnce,
  makeEngine: () => Engine,
  input: CodedInput,
): AsyncGenerator<Uint8Array> {
  const piece = await input.next();
  const whole = piece && piece.length <= AT_ONCE.codedBytes && inflateAtOnce(atOnce, piece);
  if (piece) input.unread(whole ? piece.subarray(whole.used) : piece);
  if (!whole) yield* decodeBy(makeEngine(), input);
  else if (whole.decoded.length > 0) yield whole.decoded;
}

/**
 * Returns the decoded piece, and how much of the input that took; nothing if it does not end there.
 */
function inflateAtOnce(
  atOnce: AtOnce,
  piece: Uint8Array,
): { readonly decoded: Uint8Array; readonly used: number } | undefined {
  try {
    const options = { info: true, maxOutputLength: AT_ONCE.bytes };
    const { buffer, engine } = atOnce(piece, options) as unknown as Info;
    return { decoded: buffer, used: engine.bytesWritten };
  } catch {
    // It goes on in the next piece, is too long, or is invalid: the engine says which.
    return undefined;
  }
}
