/**
 * The errors of HTTP/2, by their names and numbers.
 *
 * @module
 */

import { HotconnError } from "../../core/errors.ts";

/** The names of the error codes, each at its number (RFC 9113 section 7). */
const NAMES: readonly Http2ErrorName[] = [
  "NO_ERROR",
  "PROTOCOL_ERROR",
  "INTERNAL_ERROR",
  "FLOW_CONTROL_ERROR",
  "SETTINGS_TIMEOUT",
  "STREAM_CLOSED",
  "FRAME_SIZE_ERROR",
  "REFUSED_STREAM",
  "CANCEL",
  "COMPRESSION_ERROR",
  "CONNECT_ERROR",
  "ENHANCE_YOUR_CALM",
  "INADEQUATE_SECURITY",
  "HTTP_1_1_REQUIRED",
];

/** The name of an error code (RFC 9113 section 7). What is not known means the same as INTERNAL_ERROR. */
export type Http2ErrorName =
  | "NO_ERROR"
  | "PROTOCOL_ERROR"
  | "INTERNAL_ERROR"
  | "FLOW_CONTROL_ERROR"
  | "SETTINGS_TIMEOUT"
  | "STREAM_CLOSED"
  | "FRAME_SIZE_ERROR"
  | "REFUSED_STREAM"
  | "CANCEL"
  | "COMPRESSION_ERROR"
  | "CONNECT_ERROR"
  | "ENHANCE_YOUR_CALM"
  | "INADEQUATE_SECURITY"
  | "HTTP_1_1_REQUIRED";

/** The number of an error code. */
export function errorNumber(name: Http2ErrorName): number {
  return NAMES.indexOf(name);
}

/** The name of an error code. */
export function errorName(code: number): Http2ErrorName {
  return NAMES[code] ?? "INTERNAL_ERROR";
}

/**
 * What ended an HTTP/2 stream, or the connection with all its streams: the peer broke RFC 9113 or a
 * limit, or said so of this side.
 */
export class Http2Error extends HotconnError {
  /** The name of the class. */
  override readonly name = "Http2Error";
  /** A stable text to tell errors apart by. */
  override readonly code = "HOTCONN_HTTP2";
  /** The error code of RFC 9113. */
  readonly http2Code: Http2ErrorName;
  /** What it ended. */
  readonly scope: "stream" | "connection";
  /** Who said so: this side (`here`), or the peer, by RST_STREAM or GOAWAY. */
  readonly from: "here" | "peer";

  /** Makes the error. Its message repeats nothing that the peer sent. */
  constructor(
    http2Code: Http2ErrorName,
    scope: "stream" | "connection",
    detail: string,
    from: "here" | "peer" = "here",
  ) {
    super(`HTTP/2 ${scope} ended (${http2Code}): ${detail}`);
    this.http2Code = http2Code;
    this.scope = scope;
    this.from = from;
  }
}

/** What ends the connection. */
export function connectionError(code: Http2ErrorName, detail: string): Http2Error {
  return new Http2Error(code, "connection", detail);
}

/** What ends the connection because the peer broke the rules in no particular way. */
export function protocolError(detail: string): Http2Error {
  return connectionError("PROTOCOL_ERROR", detail);
}

/** What ends one stream. */
export function streamError(code: Http2ErrorName, detail: string): Http2Error {
  return new Http2Error(code, "stream", detail);
}
