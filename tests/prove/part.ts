/**
 * What a part of the proof is: a promise of the product, tried at random and for long.
 *
 * @module
 */

/** A part of the proof. A module that exports one does nothing when it is loaded. */
export interface Part {
  readonly name: string;
  /** What it proves, in a few words. */
  readonly what: string;
  /** For how long it runs where neither `--seconds` nor `--steps` says so. */
  readonly seconds: number;
  /** Tries it, and tells what came of it. What it throws counts as broken. */
  prove(options: ProofOptions): Promise<Proof>;
}

/** How much, from which seed. */
export interface ProofOptions {
  /** Where chance begins: the same seed does the same, as far as real sockets let it. */
  readonly seed: number;
  /** When to end, in seconds; `Infinity` where `steps` says it. */
  readonly seconds: number;
  /** After how many of its steps to end: steps of the model, requests, or whatever a part counts. */
  readonly steps: number;
  /** The one kind of what it does that is wanted; all of them where it is left out. */
  readonly only?: string;
  /** A file with what broke once, to be tried again, where a part saves such. */
  readonly input?: string;
  /** Prints a line that tells how far it is, or a row of a table. */
  tell(line: string): void;
}

/** What came of a part. */
export interface Proof {
  /** How many of its steps were done. */
  readonly steps: number;
  /** The figures in words, such as `10,000 requests, 3 faults`; for the summary line. */
  readonly summary: string;
  /** What did not hold, each with what is needed to see it. Empty where all held. */
  readonly broken: readonly string[];
  /** The figures by name, as JSON. */
  readonly figures: { readonly [name: string]: unknown };
}
