/**
 * Content codings: what this runtime can decode, and decoding it (RFC 9110 section 8.4.1).
 *
 * @module
 */

/** The name in HTTP, and the names that runtimes have for it. */
const CODINGS: readonly (readonly [name: string, formats: readonly string[]])[] = [
  ["gzip", ["gzip"]],
  ["deflate", ["deflate"]],
  ["br", ["brotli", "br"]],
  ["zstd", ["zstd"]],
];

const formats: ReadonlyMap<string, string> = new Map(
  CODINGS.flatMap(([name, candidates]) => {
    const format = candidates.find(isDecodable);
    return format === undefined ? [] : [[name, format]];
  }),
);

/** The value of Accept-Encoding that asks for what can be decoded, and nothing else. */
export const ACCEPT_ENCODING: string = [...formats.keys()].join(", ");

/**
 * The codings of a body in the order they are to be taken off; undefined where one of them cannot
 * be decoded, so that the body must stay as it is.
 */
export function codingsOf(contentEncoding: string | null): string[] | undefined {
  if (contentEncoding === null) return [];
  const codings = contentEncoding.toLowerCase().split(",")
    .map((coding) => coding.trim().replace(/^x-(?=gzip$)/, ""))
    .filter((coding) => coding !== "" && coding !== "identity");
  return codings.every((coding) => formats.has(coding)) ? codings.reverse() : undefined;
}

/** Takes codings off a body. What does not decode errors the stream. */
export function decode(
  body: ReadableStream<Uint8Array>,
  codings: readonly string[],
): ReadableStream<Uint8Array> {
  for (const coding of codings) {
    body = coding === "deflate" ? inflate(body) : through(body, formats.get(coding) ?? coding);
  }
  return body;
}

function through(body: ReadableStream<Uint8Array>, format: string): ReadableStream<Uint8Array> {
  const decoder = new DecompressionStream(format as CompressionFormat);
  return body.pipeThrough(decoder as unknown as ReadableWritablePair<Uint8Array, Uint8Array>);
}

/** "deflate" means the zlib format, but there are servers that leave its two bytes of head out. */
function inflate(body: ReadableStream<Uint8Array>): ReadableStream<Uint8Array> {
  let inner: ReadableStreamDefaultReader<Uint8Array> | undefined;
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      inner ??= await openDeflated(body);
      const { done, value } = await inner.read();
      if (done) controller.close();
      else controller.enqueue(value);
    },
    cancel: (reason) => inner ? inner.cancel(reason) : body.cancel(reason),
  }, { highWaterMark: 0 });
}

async function openDeflated(
  body: ReadableStream<Uint8Array>,
): Promise<ReadableStreamDefaultReader<Uint8Array>> {
  const reader = body.getReader();
  const first = await reader.read();
  const rest = new ReadableStream<Uint8Array>({
    start(controller) {
      if (first.value) controller.enqueue(first.value);
      else controller.close();
    },
    async pull(controller) {
      const { done, value } = await reader.read();
      if (done) controller.close();
      else controller.enqueue(value);
    },
    cancel: (reason) => reader.cancel(reason),
  }, { highWaterMark: 0 });
  // The low four bits of zlib's first byte are its method, and 8 is the only one (RFC 1950).
  const isZlib = first.value === undefined || ((first.value[0] ?? 0) & 0x0f) === 8;
  return through(rest, isZlib ? "deflate" : "deflate-raw").getReader();
}

function isDecodable(format: string): boolean {
  try {
    new DecompressionStream(format as CompressionFormat);
    return true;
  } catch {
    return false;
  }
}
