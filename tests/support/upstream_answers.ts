/**
 * What servers of these tests answer; it is told by the last part of the path.
 *
 * - `text`: some compressible text
 * - `bytes?size=`: so many bytes of the pattern of `pattern.ts`; with `chunked`, of no known length
 * - `hash`: how many bytes the request's body had, and their SHA-256, as JSON
 * - a status code: that status, without a body
 *
 * @module
 */

import { createHash } from "node:crypto";
import type { Readable, Writable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { pattern } from "./pattern.ts";
import { TEXT } from "./upstream.ts";

const PART_BYTES = 65_536;

/** A request, of either protocol. */
export type UpstreamRequest = Readable & { readonly url?: string | undefined };

/** The response to it. */
export type UpstreamResponse = Writable & {
  statusCode: number;
  setHeader(name: string, value: string | number): unknown;
};

/** Where a request leads to. */
export function urlOf({ url = "/" }: UpstreamRequest): URL {
  return new URL(url, "http://upstream");
}

/** Answers a request. */
export async function answer(request: UpstreamRequest, response: UpstreamResponse): Promise<void> {
  const { pathname, searchParams } = urlOf(request);
  const name = pathname.split("/").at(-1) ?? "";
  if (name === "hash") return await answerHash(request, response);
  request.resume();
  if (name === "text") {
    response.setHeader("content-type", "text/plain");
    response.end(TEXT);
  } else if (name === "bytes") {
    response.setHeader("content-type", "application/octet-stream");
    await answerBytes(response, Number(searchParams.get("size")), searchParams);
  } else {
    response.statusCode = Number(name) || 404;
    if (name === "304") response.setHeader("etag", "\"same\"");
    response.end();
  }
}

async function answerHash(request: UpstreamRequest, response: UpstreamResponse): Promise<void> {
  const hash = createHash("sha256");
  let bytes = 0;
  for await (const part of request) {
    bytes += part.length;
    hash.update(part);
  }
  response.setHeader("content-type", "application/json");
  response.end(JSON.stringify({ bytes, sha256: hash.digest("hex") }));
}

async function answerBytes(
  response: UpstreamResponse,
  size: number,
  options: URLSearchParams,
): Promise<void> {
  if (!options.has("chunked")) response.setHeader("content-length", size);
  await pipeline(function*() {
    for (let at = 0; at < size; at += PART_BYTES) {
      yield pattern(at, Math.min(PART_BYTES, size - at));
    }
  }, response);
}
