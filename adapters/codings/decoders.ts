/**
 * The content codings that this runtime can decode (RFC 9110 section 8.4.1).
 *
 * @module
 */

import type * as Zlib from "node:zlib";
import type { Decoder, Decoders } from "../../src/http/content_coding.ts";
import { CodedInput } from "./coded_input.ts";
import { decodeBy, type Engine, inflateBy } from "./engine.ts";
import { gunzip } from "./gunzip.ts";

type Decode = (zlib: typeof Zlib, input: CodedInput) => AsyncGenerator<Uint8Array>;

/** zstd is the one that not every version of every runtime has. */
const { versions } = (globalThis as { process?: { versions?: { zstd?: string } } }).process ?? {};

/** What can be decoded. */
export const decoders: Decoders = new Map([
  ["gzip", decoderOf(gunzip)],
  ["deflate", decoderOf(inflate)],
  ["br", decoderOf((zlib, input) => decodeBy(zlib.createBrotliDecompress(), input))],
  ...(versions?.zstd ? [["zstd", decoderOf(unzstd)] as const] : []),
]);

/** "deflate" means the zlib format, but some servers leave out its two header bytes. */
async function* inflate(zlib: typeof Zlib, input: CodedInput): AsyncGenerator<Uint8Array> {
  const first = await input.next();
  if (first) input.unread(first);
  // The low four bits of zlib's first byte are its method, and 8 is the only one (RFC 1950).
  const isZlib = ((first?.[0] ?? 0) & 0x0f) === 8;
  yield* isZlib
    ? inflateBy(zlib.inflateSync, () => zlib.createInflate(), input)
    : inflateBy(zlib.inflateRawSync, () => zlib.createInflateRaw(), input);
}

/** Its engine goes on behind a frame's end by itself, and reports no end. */
function unzstd(zlib: typeof Zlib, input: CodedInput): AsyncGenerator<Uint8Array> {
  const { createZstdDecompress } = zlib as unknown as { createZstdDecompress(): Engine };
  return decodeBy(createZstdDecompress(), input, true);
}

function decoderOf(decode: Decode): Decoder {
  return (coded) => {
    const input = new CodedInput(coded);
    const parts = decodeAll(decode, input);
    return {
      async read() {
        const { done, value } = await parts.next();
        return done ? null : value;
      },
      cancel(reason) {
        // Ends what waits for the input.
        input.cancel(reason);
        void parts.return(undefined).catch(() => {});
      },
    };
  };
}

let loaded: typeof Zlib | undefined;

async function* decodeAll(decode: Decode, input: CodedInput): AsyncGenerator<Uint8Array> {
  const first = await input.next();
  if (!first) return;
  input.unread(first);
  // Loaded once, when needed: that is slow on some runtimes.
  yield* decode(loaded ??= await import("node:zlib"), input);
  await input.finish();
}
