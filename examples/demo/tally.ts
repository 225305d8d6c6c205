/**
 * What the demo has seen so far.
 *
 * @module
 */

import type { Served } from "./client.ts";

/** Something that happened, and when. */
export interface Note {
  /** In milliseconds since the demo began. */
  readonly atMs: number;
  readonly text: string;
}

/** Counts what the callers saw, and keeps notes of what happened. */
export class Tally {
  readonly #begunAt = performance.now();
  readonly #byAddress = new Map<string, number>();
  readonly #notes: Note[] = [];
  #requests = 0;
  #failures = 0;
  #retried = 0;
  #waited = 0;
  #longestWaitMs = 0;

  /** How long the demo has been going, in milliseconds. */
  get elapsedMs(): number {
    return performance.now() - this.#begunAt;
  }

  /** How many requests are done, the failed ones among them. */
  get requests(): number {
    return this.#requests;
  }

  /** How many failed, as their caller sees it. */
  get failures(): number {
    return this.#failures;
  }

  /** How many were asked again on another connection. */
  get retried(): number {
    return this.#retried;
  }

  /** How many had to wait for a connection. */
  get waited(): number {
    return this.#waited;
  }

  /** How long the slowest of those waited, in milliseconds. */
  get longestWaitMs(): number {
    return this.#longestWaitMs;
  }

  /** What happened, in order. */
  get notes(): readonly Note[] {
    return this.#notes;
  }

  /** How many requests an address has answered. */
  answeredBy(address: string): number {
    return this.#byAddress.get(address) ?? 0;
  }

  /** Counts a request that was served; one that the server refused counts as failed. */
  served({ address, attempts, status, waitedMs }: Served): void {
    if (status >= 500) {
      this.failed(new Error(`The status was ${status}`));
      return;
    }
    this.#requests++;
    this.#byAddress.set(address, this.answeredBy(address) + 1);
    if (attempts > 1) this.#retried++;
    if (waitedMs > 0) this.#waited++;
    this.#longestWaitMs = Math.max(this.#longestWaitMs, waitedMs);
  }

  /** Counts a request that failed. */
  failed(error: unknown): void {
    this.#requests++;
    this.#failures++;
    const text = error instanceof Error ? error.message : String(error);
    if (this.#failures <= 3) this.note(`A request failed: ${text}`);
  }

  /** Notes what happened. */
  note(text: string): void {
    this.#notes.push({ atMs: this.elapsedMs, text });
  }
}
