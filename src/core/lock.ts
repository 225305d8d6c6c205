/**
 * A lock for sections that span an await. What does not await is atomic, and needs none.
 *
 * @module
 */

import { checkNumber } from "./check.ts";
import { type Clock, systemClock } from "./clock.ts";
import { LockTimeoutError } from "./errors.ts";
import { LinkedList, ListNode } from "./list.ts";
import { Wait, type WaitOptions } from "./wait.ts";

/** Whether a lock is held together with others, or alone. */
export type LockMode = "shared" | "exclusive";

/** A lock that is held. It ends once; `using` ends it with its block. */
export class LockGuard implements Disposable {
  /** How it is held. */
  readonly mode: LockMode;
  /** The holder's name, if it gave one. */
  readonly name: string | undefined;
  /** Since when, in the clock's milliseconds. */
  readonly since: number;
  #release: ((guard: LockGuard) => void) | undefined;

  /** Made by {@linkcode RwLock}. */
  constructor(
    mode: LockMode,
    release: (guard: LockGuard) => void,
    since: number,
    name: string | undefined,
  ) {
    this.mode = mode;
    this.#release = release;
    this.since = since;
    this.name = name;
  }

  /** Releases the lock. Harmless to repeat. */
  release(): void {
    const release = this.#release;
    this.#release = undefined;
    release?.(this);
  }

  /** Releases the lock. */
  [Symbol.dispose](): void {
    this.release();
  }
}

/** How a lock is waited for. */
export interface LockOptions extends WaitOptions {
  /** A name for the holder, which `holders()` shows. */
  readonly name?: string | undefined;
}

/** Who holds a lock: plain data. */
export interface LockHolder {
  /** How it is held. */
  readonly mode: LockMode;
  /** The holder's name; null if it gave none. */
  readonly name: string | null;
  /** Since when, in the clock's milliseconds. */
  readonly since: number;
}

interface LockWaiter {
  readonly mode: LockMode;
  readonly name: string | undefined;
  readonly wait: Wait<LockGuard>;
}

/**
 * A readers-writer lock: many may hold it shared, or one alone. First come, first served, in both
 * modes, so nobody starves: those who come after a waiting writer wait behind it.
 *
 * Waiting ends with an `AbortSignal` or a timeout. `tryShared` and `tryExclusive` never wait.
 *
 * @example
 * ```ts
 * import { RwLock } from "@hotconn/hotconn";
 * import { assertEquals } from "@std/assert";
 *
 * const lock = new RwLock();
 * {
 *   using _reader = await lock.shared();
 *   assertEquals(lock.tryExclusive(), undefined);
 * }
 * using writer = await lock.exclusive({ timeoutMs: 1_000 });
 * assertEquals(writer.mode, "exclusive");
 * ```
 */
export class RwLock {
  readonly #clock: Clock;
  readonly #queue = new LinkedList<LockWaiter>();
  readonly #held = new Set<LockGuard>();
  readonly #release = (guard: LockGuard) => this.#onRelease(guard);
  #readers = 0;
  #writing = false;

  /** Makes a lock that nobody holds. */
  constructor(clock: Clock = systemClock) {
    this.#clock = clock;
  }

  /** How many hold it shared. */
  get readers(): number {
    return this.#readers;
  }

  /** Whether somebody holds it alone. */
  get writing(): boolean {
    return this.#writing;
  }

  /** How many wait. */
  get waiting(): number {
    return this.#queue.size;
  }

  /** Who holds it, the one who has held it longest first. */
  holders(): LockHolder[] {
    return Array.from(this.#held, ({ mode, name = null, since }) => ({ mode, name, since }));
  }

  /** Takes the lock shared, if nobody holds it alone and nobody waits. */
  tryShared(name?: string): LockGuard | undefined {
    return this.#queue.size === 0 ? this.#take("shared", name) : undefined;
  }

  /** Takes the lock alone, if nobody holds it. */
  tryExclusive(name?: string): LockGuard | undefined {
    // If somebody waits, somebody holds it.
    return this.#take("exclusive", name);
  }

  /**
   * Takes the lock shared, after those who came first.
   *
   * @throws {LockTimeoutError} `timeoutMs` passed first
   * @throws {TypeError | RangeError} `timeoutMs` is not valid
   * @throws The signal's reason, when it aborts first
   */
  shared(options: LockOptions = {}): Promise<LockGuard> {
    return this.#enter("shared", options);
  }

  /**
   * Takes the lock alone, after those who came first.
   *
   * @throws {LockTimeoutError} `timeoutMs` passed first
   * @throws {TypeError | RangeError} `timeoutMs` is not valid
   * @throws The signal's reason, when it aborts first
   */
  exclusive(options: LockOptions = {}): Promise<LockGuard> {
    return this.#enter("exclusive", options);
  }

  #enter(mode: LockMode, options: LockOptions): Promise<LockGuard> {
    const { name, signal, timeoutMs = Infinity } = options;
    try {
      checkNumber("timeoutMs", timeoutMs, { min: 0 });
      signal?.throwIfAborted();
    } catch (error) {
      return Promise.reject(error);
    }
    const guard = this.#queue.size === 0 ? this.#take(mode, name) : undefined;
    if (guard) return Promise.resolve(guard);
    const node: ListNode<LockWaiter> = new ListNode({
      mode,
      name,
      wait: new Wait<LockGuard>(
        this.#clock,
        options,
        () => {
          this.#queue.remove(node);
          // A writer that gives up may have stood before readers, who need not wait any longer.
          this.#admit();
        },
        () => new LockTimeoutError(mode, timeoutMs),
      ),
    });
    this.#queue.pushBack(node);
    return node.value.wait.promise;
  }

  #take(mode: LockMode, name: string | undefined): LockGuard | undefined {
    if (this.#writing || (mode === "exclusive" && this.#readers > 0)) return undefined;
    if (mode === "shared") this.#readers++;
    else this.#writing = true;
    const guard = new LockGuard(mode, this.#release, this.#clock.now(), name);
    this.#held.add(guard);
    return guard;
  }

  #onRelease(guard: LockGuard): void {
    this.#held.delete(guard);
    if (guard.mode === "shared") this.#readers--;
    else this.#writing = false;
    this.#admit();
  }

  #admit(): void {
    for (let node = this.#queue.front; node; node = this.#queue.front) {
      const guard = this.#take(node.value.mode, node.value.name);
      if (!guard) return;
      this.#queue.remove(node);
      node.value.wait.resolve(guard);
    }
  }
}
