/**
 * One stream of a connection: its state, its user, and the rules for its response.
 *
 * @module
 */

import type { ResponseHeaders } from "../response_headers.ts";
import { type Http2Error, streamError } from "./error_codes.ts";
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
  /** All that was given to `send()` is in the connection's next output. */
  onSent(): void;
  /** It has failed. If the peer has surely not acted on it, it may be sent again. */
  onFailure(error: unknown, maybeActedOn: boolean): void;
}

/** A stream. Only its engine, and the parts of that, change it. */
export class Http2Stream {
  /** Its number. */
  readonly id: number;
  /** Who uses it; undefined once it was given up. */
  user: StreamUser | undefined;

  /** How much may be sent. */
  sendWindow: number;
  /** What is to be sent, and how far it was. */
  pending: Uint8Array | undefined = undefined;
  pendingAt = 0;
  /** Whether that is the end. */
  pendingEnds = false;
  /** What follows it then. */
  trailers: readonly BlockField[] | undefined = undefined;
  /** Whether it is among those that have something to send, and may. */
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

  readonly #isHead: boolean;
  #hasHead = false;
  #interims = 0;
  /** What content-length says, or -1. */
  #contentLength = -1;
  #received = 0;

  /** Made by its engine. A response to HEAD has no body, whatever it says. */
  constructor(
    id: number,
    user: StreamUser,
    isHead: boolean,
    sendWindow: number,
    receiveWindow: number,
  ) {
    this.id = id;
    this.user = user;
    this.#isHead = isHead;
    this.sendWindow = sendWindow;
    this.receiveWindow = this.windowSize = receiveWindow;
  }

  /** Whether the head is there: the next one is the trailers. */
  get hasHead(): boolean {
    return this.#hasHead;
  }

  /** How much of the body has arrived, in bytes. */
  get received(): number {
    return this.#received;
  }

  /**
   * Whether the rest of the body is known to fit the window that the peer has, and its end too: servers
   * on nghttp2 send an end of no bytes only where there is window left.
   */
  get needsNoCredit(): boolean {
    const length = this.#contentLength;
    return length >= 0 && length - this.#received < this.receiveWindow;
  }

  /** Takes a head, interim or not, or the trailers; returns what is wrong with it. */
  takeHead(
    { contentLength, status }: Http2Head,
    isEnd: boolean,
    maxInterims: number,
  ): Http2Error | undefined {
    if (this.#hasHead) {
      return isEnd ? undefined : malformed("a second head came within the body");
    }
    if (status < 200) {
      if (isEnd) return malformed("an interim response ended the stream");
      if (++this.#interims <= maxInterims) return undefined;
      const limit = `more than ${maxInterims} (maxInterimResponses)`;
      return streamError("ENHANCE_YOUR_CALM", `there are ${limit} interim responses`);
    }
    this.#hasHead = true;
    const isEmpty = this.#isHead || status === 204 || status === 304;
    this.#contentLength = isEmpty ? 0 : contentLength;
    return undefined;
  }

  /** Takes bytes of the body; returns what is wrong with them. */
  takeData(length: number): Http2Error | undefined {
    this.#received += length;
    if (!this.#hasHead) return malformed("DATA came before the head of the response");
    const most = this.#contentLength;
    return most >= 0 && this.#received > most
      ? malformed("the body is longer than its content-length")
      : undefined;
  }

  /** Takes the end of the response; returns what is wrong with it. */
  takeEnd(): Http2Error | undefined {
    return this.#contentLength >= 0 && this.#received !== this.#contentLength
      ? malformed("the body is shorter than its content-length")
      : undefined;
  }
}

function malformed(detail: string): Http2Error {
  return streamError("PROTOCOL_ERROR", detail);
}
