/**
 * What the demo has seen so far.
 *
 * @module
 */

import type { ResponseConnection } from "../../mod.ts";

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

  /** How many leases were not to be had at once. */
  get waited(): number {
    return this.#waited;
  }

  /** How long the slowest of those took, in milliseconds. */
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

  /** Counts a request that was served, and by whom. */
  served({ address }: ResponseConnection): void {
    this.#requests++;
    this.#byAddress.set(address, this.answeredBy(address) + 1);
  }

  /** Counts a lease that was not to be had at once. */
  waitedFor(ms: number): void {
    this.#waited++;
    this.#longestWaitMs = Math.max(this.#longestWaitMs, ms);
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
