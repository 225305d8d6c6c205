/**
 * How many connections of a host are to be kept open, and the waits for them.
 *
 * @module
 */

import { type AddressFailure, ClosedError, HostUnavailableError } from "../../core/errors.ts";
import { Wait } from "../../core/wait.ts";
import type { ResolvedPoolOptions } from "../options.ts";

/** The outcome of a warm-up. */
export interface WarmResult {
  /** The host, in canonical text. */
  readonly host: string;
  /** How many connections to the host are open. */
  readonly connections: number;
  /** The addresses that failed on the way, each with its last failure. */
  readonly failures: readonly AddressFailure[];
}

const NONE: ReadonlySet<never> = new Set();

/** How long a fleet's store may take for permits, its connection included, in milliseconds. */
const PERMIT_MS = 2_000;

/** One wait for a host's connections to be open. */
export class WarmUp {
  /** Keeps as many open. */
  keeper: WarmTarget;
  /** How many are wanted. */
  readonly target: number;
  readonly #host: string;
  readonly #wait: Wait<WarmResult>;
  readonly #failures = new Map<string, AddressFailure>();
  #retriesLeft: number;
  #done = -1;
  #permittedBy: number | undefined;
  #awaited = -1;

  /** Begins to wait. */
  constructor(
    keeper: WarmTarget,
    host: string,
    target: number,
    maxRetries: number,
    wait: Wait<WarmResult>,
  ) {
    this.keeper = keeper;
    this.#host = host;
    this.target = target;
    this.#retriesLeft = maxRetries;
    this.#wait = wait;
  }

  /** Notes how many are open; false if that is as many as before. */
  progress(done: number): boolean {
    const hasChanged = done !== this.#done;
    this.#done = done;
    return hasChanged;
  }

  /** Notes a failed dial. */
  failed(failure: AddressFailure): void {
    this.#failures.set(failure.address, failure);
  }

  /** Whether to wait once more for failed addresses, until the next one is due. */
  retry(dueAt: number): boolean {
    // Looks for other reasons in between do not end this wait.
    if (dueAt === this.#awaited) return true;
    this.#awaited = dueAt;
    return this.#retriesLeft-- > 0;
  }

  /** Until when to wait for a fleet to permit what is missing, from now on. */
  permittedBy(now: number): number {
    return this.#permittedBy ??= now + PERMIT_MS;
  }

  /**
   * Ends the wait with the connections that there are; without any it fails, with the given reason
   * if no address failed.
   */
  settle(connections: number, whyNone: () => Error): void {
    const failures = [...this.#failures.values()];
    if (connections > 0) {
      this.#wait.resolve({ host: this.#host, connections, failures });
    } else if (failures.length === 0) this.#wait.reject(whyNone());
    else this.#wait.reject(new HostUnavailableError(this.#host, failures));
  }

  /** Ends the wait with a reason. */
  fail(reason: unknown): void {
    this.#wait.reject(reason);
  }
}

/**
 * How many connections of a host are to be kept open. The last call wins, even after a warm-up has
 * ended, successful or not, unless it was given up.
 */
export class WarmTarget {
  /** When its connections were last counted, and all dialled that were missing. */
  lookedAt: number = -Infinity;
  readonly #host: string;
  readonly #options: ResolvedPoolOptions;
  readonly #onChange: () => void;
  #connections = 0;
  /** How many there should be whatever becomes of the warm-ups under way. */
  #kept = 0;
  #warmUps: Set<WarmUp> | undefined;

  /** Begins with none. */
  constructor(host: string, options: ResolvedPoolOptions, onChange: () => void) {
    this.#host = host;
    this.#options = options;
    this.#onChange = onChange;
  }

  /** Those who wait for their connections to be open, in order of arrival. */
  get warmUps(): ReadonlySet<WarmUp> {
    return this.#warmUps ?? NONE;
  }

  /** Notes that one of them no longer waits. */
  leave(warmUp: WarmUp): void {
    this.#warmUps?.delete(warmUp);
    if (this.#warmUps?.size === 0) this.#warmUps = undefined;
  }

  /** How many connections are to be kept open. */
  get connections(): number {
    return this.#connections;
  }

  /** Whether any are to be kept open, or callers wait: a dropped host may still have those. */
  get isWanted(): boolean {
    return this.#connections > 0 || this.warmUps.size > 0;
  }

  /** Keeps this many open from now on, whatever becomes of warm-ups. */
  keep(connections: number): void {
    this.#kept = connections;
    this.#aimAt(connections);
  }

  /** Keeps this many open from now on, unless the signal takes it back, and waits until they are. */
  async warmUp(connections: number, signal: AbortSignal | undefined): Promise<WarmResult> {
    const { clock, maxRetries } = this.#options;
    this.#aimAt(connections);
    let isGivenUp = false;
    const wait: Wait<WarmResult> = new Wait(
      clock,
      { signal },
      () => {
        isGivenUp = true;
        warmUp.keeper.#giveUp(warmUp);
      },
      () => new ClosedError("pool"),
    );
    const warmUp = new WarmUp(this, this.#host, connections, maxRetries, wait);
    (this.#warmUps ??= new Set()).add(warmUp);
    try {
      return await wait.promise;
    } finally {
      const { keeper } = warmUp;
      // If a later call has replaced it, that one wins.
      if (keeper.#connections === connections && !isGivenUp) keeper.#kept = connections;
    }
  }

  #giveUp(warmUp: WarmUp): void {
    this.leave(warmUp);
    // The last of the other calls under way wins, if there is one.
    if (this.#connections === warmUp.target) {
      this.#aimAt([...this.warmUps].at(-1)?.target ?? this.#kept);
    }
  }

  /** Has another one keep as many open in its place; those who wait go on waiting there. */
  moveTo(other: WarmTarget): void {
    for (const warmUp of this.warmUps) {
      warmUp.keeper = other;
      (other.#warmUps ??= new Set()).add(warmUp);
    }
    this.#warmUps = undefined;
    other.#kept = this.#kept;
    other.#aimAt(this.#connections);
    this.keep(0);
  }

  /** Notes a failed dial with those who wait. */
  failed(failure: AddressFailure): void {
    for (const warmUp of this.warmUps) warmUp.failed(failure);
  }

  /** Ends every wait with a reason. */
  refuse(reason: unknown): void {
    for (const warmUp of this.warmUps) warmUp.fail(reason);
    this.#warmUps = undefined;
  }

  #aimAt(connections: number): void {
    this.#connections = connections;
    this.#onChange();
  }
}
