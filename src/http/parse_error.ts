/**
 * The error that says why a response was refused, and where.
 *
 * @module
 */

import { HotconnError } from "../core/errors.ts";

/** Why a response was refused. A closed set. */
export type HttpParseReason =
  | "status-line"
  | "upgrade-not-asked"
  | "too-many-interim"
  | "field-name"
  | "field-value"
  | "folded-line"
  | "line-end"
  | "line-too-long"
  | "head-too-long"
  | "too-many-fields"
  | "content-length"
  | "content-length-conflict"
  | "transfer-encoding"
  | "length-and-encoding"
  | "chunk-size"
  | "chunk-extension"
  | "chunk-extension-too-long"
  | "chunk-end"
  | "trailer-field"
  | "no-response"
  | "truncated-head"
  | "truncated-body";

/** What each reason means. */
const MEANINGS: Readonly<Record<HttpParseReason, string>> = {
  "status-line": "the status line is not HTTP/1.x, a code from 100 to 999, and a phrase",
  "upgrade-not-asked": "101 Switching Protocols answers a request that asked for no upgrade",
  "too-many-interim": "more interim responses (1xx) than the limit allows",
  "field-name": "a field line does not begin with a token and a colon",
  "field-value": "a field value has a control character",
  "folded-line": "a line begins with white space",
  "line-end": "a line does not end with CR LF",
  "line-too-long": "a line is longer than the limit allows",
  "head-too-long": "a head, or a trailer section, is longer than the limit allows",
  "too-many-fields": "there are more fields than the limit allows",
  "content-length": "Content-Length is not a decimal number up to 2^53 - 1",
  "content-length-conflict": "Content-Length is given with different values",
  "transfer-encoding": "Transfer-Encoding is not exactly chunked, or not in HTTP/1.1",
  "length-and-encoding": "both Content-Length and Transfer-Encoding are given",
  "chunk-size": "a chunk size is not a hexadecimal number up to 2^53 - 1",
  "chunk-extension": "a chunk extension is not ;name, ;name=token or ;name=\"text\"",
  "chunk-extension-too-long": "a chunk's extensions are longer than the limit allows",
  "chunk-end": "a chunk's data does not end with CR LF",
  "trailer-field": "the trailer section has a field that would change the framing",
  "no-response": "the stream ended before the first byte of the response",
  "truncated-head": "the stream ended within a head",
  "truncated-body": "the stream ended within the body",
};

/** A response that breaks RFC 9112 or a limit. The connection it came from cannot be used again. */
export class HttpParseError extends HotconnError {
  /** The name of the class. */
  override readonly name = "HttpParseError";
  /** A stable text to tell errors apart by. */
  override readonly code = "HOTCONN_HTTP_PARSE";
  /** Why it was refused. */
  readonly reason: HttpParseReason;
  /** How many bytes of the response, interim responses included, came before what was refused. */
  readonly offset: number;

  /** Makes the error. Its message repeats nothing that the peer sent. */
  constructor(reason: HttpParseReason, offset: number) {
    super(`Response refused at byte ${offset} (${reason}): ${MEANINGS[reason]}`);
    this.reason = reason;
    this.offset = offset;
  }
}
