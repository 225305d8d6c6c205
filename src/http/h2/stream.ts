/**
 * One stream of a connection: what is known of it, and who uses it.
 *
 * @module
 */

import type { ResponseHeaders } from "../response_headers.ts";
import type { Http2Head } from "./head_reader.ts";
import type { BlockField } from "./hpack_encoder.ts";

/** Takes what comes on a stream. Nothing is called after `onEnd` or `onFailure`. */
export interface StreamUser {
  /** The head of the response. */
  onHead(head: Http2Head): void;
  /** A part of the body, the receiver's only until it returns. */
  onBody(bytes: Uint8Array): void;
  /** The trailers. */
  onTrailers(trailers: ResponseHeaders): void;
  /** The response is there to its last byte. */
  onEnd(): void;
  /** All that was given to be sent is among what the connection writes next. */
  onSent(): void;
  /** There will be no more. Where the peer surely has not acted on it, it may be sent again. */
  onFailure(error: unknown, maybeActedOn: boolean): void;
}

/** A stream. Only its engine changes it. */
export class Http2Stream {
  /** Its number. */
  readonly id: number;
  /** Who uses it; undefined once it was given up. */
  user: StreamUser | undefined;
  /** Whether a response has no body, whatever it says: that of HEAD. */
  readonly isHead: boolean;

  /** How much may be sent. */
  sendWindow: number;
  /** What is to be sent, and how far it was. */
  pending: Uint8Array | undefined = undefined;
  pendingAt = 0;
  /** Whether that is the end. */
  pendingEnds = false;
  /** What follows it then. */
  trailers: readonly BlockField[] | undefined = undefined;
  /** Whether it stands among those that have something to send, and may. */
  isQueued = false;
  /** Whether its end was sent. */
  isLocalEnd = false;

  /** How much the peer may send. */
  receiveWindow: number;
  /** How large that is at the most, for now. */
  windowSize: number;
  /** What came and was not given back to the peer's window. */
  uncredited = 0;
  /** When that was last done. */
  creditedAt = 0;
  isPaused = false;

  hasHead = false;
  interims = 0;
  /** What content-length says, or -1. */
  contentLength = -1;
  received = 0;

  /** Made by its engine. */
  constructor(
    id: number,
    user: StreamUser,
    isHead: boolean,
    sendWindow: number,
    receiveWindow: number,
  ) {
    this.id = id;
    this.user = user;
    this.isHead = isHead;
    this.sendWindow = sendWindow;
    this.receiveWindow = this.windowSize = receiveWindow;
  }
}
