/**
 * The fields of a request as HTTP/2 has them (RFC 9113 section 8.3).
 *
 * @module
 */

import type { HeaderField } from "../field_check.ts";
import { type BlockField, blockField, type Indexing } from "./hpack_encoder.ts";

/** A request, whose texts were checked: see `encodeRequest`. */
export interface Http2Request {
  readonly method: string;
  readonly scheme: "https" | "http";
  readonly authority: string;
  /** The path and query. */
  readonly path: string;
  readonly headers: readonly HeaderField[];
  /** How long the body is, in bytes, if that should be sent; null if not. */
  readonly contentLength: number | null;
  /** Names of fields that nobody on the way may keep, in lower case, besides those of secrets. */
  readonly sensitive?: readonly string[] | undefined;
}

/** Fields that belong to an HTTP/1.1 connection, which HTTP/2 must not carry (section 8.2.2). */
export const CONNECTION_FIELDS: ReadonlySet<string> = new Set([
  "connection",
  "keep-alive",
  "proxy-connection",
  "transfer-encoding",
  "upgrade",
]);

/** Values of Connection that only say whether to keep it, which means nothing for a stream. */
const KEEP_OR_CLOSE = /^(?:close|keep-alive)(?:[ \t]*,[ \t]*(?:close|keep-alive))*$/i;

/**
 * Secrets, which nobody on the way may keep in a table, where they could be guessed (RFC 7541
 * section 7.1).
 */
const SECRETS: ReadonlySet<string> = new Set(["authorization", "cookie", "proxy-authorization"]);

/** Fields that change each time, and are not worth a place in a table. */
const PASSING: ReadonlySet<string> = new Set([
  "content-length",
  "date",
  "if-match",
  "if-modified-since",
  "if-none-match",
  "if-range",
  "if-unmodified-since",
  "range",
  "traceparent",
]);

/**
 * Makes the fields of a request. Leaves out those about keeping or closing an HTTP/1.1 connection.
 *
 * @throws {TypeError} Another field belongs to HTTP/1.1: says which
 */
export function requestFields(request: Http2Request): BlockField[] {
  const { authority, contentLength, headers, method, path, scheme, sensitive } = request;
  const fields = [
    blockField(":method", method, "auto"),
    blockField(":scheme", scheme, "auto"),
    blockField(":authority", authority, "auto"),
    blockField(":path", path, "without"),
  ];
  for (const [given, text] of headers) {
    const name = given.toLowerCase();
    const value = text.trim();
    if (name === "host") fields[2] = blockField(":authority", value, "auto");
    else if (name === "content-length") continue;
    else if (CONNECTION_FIELDS.has(name) || name === "te" && value.toLowerCase() !== "trailers") {
      if (!isDispensable(name, value)) {
        throw new TypeError(`Header ${name} cannot be sent over HTTP/2: it belongs to HTTP/1.1`);
      }
    } else fields.push(blockField(name, value, indexingOf(name, sensitive)));
  }
  if (contentLength !== null) {
    fields.push(blockField("content-length", String(contentLength), "without"));
  }
  return fields;
}

/** Whether a connection field can be left out, and the request means the same. */
function isDispensable(name: string, value: string): boolean {
  if (name === "connection") return KEEP_OR_CLOSE.test(value);
  if (name === "transfer-encoding") return value.toLowerCase() === "chunked";
  return name === "keep-alive" || name === "proxy-connection";
}

/** Makes trailers, which were checked: see `checkTrailers`. */
export function trailerFields(
  trailers: readonly HeaderField[],
  sensitive: readonly string[] | undefined,
): BlockField[] {
  return trailers.map(([given, value]) => {
    const name = given.toLowerCase();
    const isSecret = sensitive?.includes(name) === true;
    return blockField(name, value.trim(), isSecret ? "never" : "without");
  });
}

function indexingOf(name: string, sensitive: readonly string[] | undefined): Indexing {
  if (SECRETS.has(name) || sensitive?.includes(name)) return "never";
  return PASSING.has(name) ? "without" : "auto";
}
