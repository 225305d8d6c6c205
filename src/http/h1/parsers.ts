/**
 * The parsers of a pool's connections.
 *
 * @module
 */

import type { CheckedLimits } from "../limits.ts";
import { ResponseParser, type ResponseSink } from "./response_parser.ts";

/** How many unused ones are kept for the next responses. */
const MOST_KEPT = 256;

/** Lends a parser for each awaited response, so that an idle connection holds none. */
export class Parsers {
  /** The limits that they hold. */
  readonly limits: CheckedLimits;
  readonly #free: ResponseParser[] = [];

  /** Begins without any. */
  constructor(limits: CheckedLimits) {
    this.limits = limits;
  }

  /** Returns one that reports to a sink. It is the caller's until it is given back, or dropped. */
  take(sink: ResponseSink): ResponseParser {
    const parser = this.#free.pop();
    if (!parser) return new ResponseParser(sink, this.limits);
    parser.serve(sink);
    return parser;
  }

  /** Takes one back whose response is complete, and whose `push()` has returned. */
  give(parser: ResponseParser): void {
    if (this.#free.length >= MOST_KEPT) return;
    parser.serve(NOBODY);
    this.#free.push(parser);
  }
}

const NOBODY: ResponseSink = {
  onInterim() {},
  onHead() {},
  onBody() {},
  onTrailers() {},
};
