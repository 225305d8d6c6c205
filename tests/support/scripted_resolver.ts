/**
 * A resolver whose answers a test changes.
 *
 * @module
 */

import type { Resolver } from "../../src/hosts/resolver.ts";

/** Gives every host the same addresses, as they stand when it is asked. */
export class ScriptedResolver implements Resolver {
  readonly name = "scripted";
  /** What it answers next; an error is thrown. */
  answer: readonly string[] | Error;
  /** For how long its answers are to hold, in milliseconds. */
  ttlMs: number | undefined;
  /** How often it was asked. */
  asked = 0;

  /** Makes a resolver that answers so, for so long. */
  constructor(answer: readonly string[] | Error, ttlMs?: number) {
    this.answer = answer;
    this.ttlMs = ttlMs;
  }

  resolve(): Promise<{ addresses: readonly string[]; ttlMs: number | undefined }> {
    this.asked++;
    const { answer, ttlMs } = this;
    if (answer instanceof Error) return Promise.reject(answer);
    return Promise.resolve({ addresses: answer, ttlMs });
  }
}
