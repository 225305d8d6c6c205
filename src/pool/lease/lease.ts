/**
 * The exclusive right to use a connection, which ends once.
 *
 * @module
 */

import type { SocketSink } from "../../core/dialer.ts";
import { LeaseReleasedError } from "../../core/errors.ts";
import type { FailureKind } from "../../hosts/verdict.ts";
import type { Connection } from "../../map/connection.ts";

/** How a lease ends. */
export interface ReleaseOptions {
  /**
   * Whether the connection is fit for another lease: everything you asked was answered in full.
   *
   * @default {true}
   */
  readonly reuse?: boolean | undefined;
  /** What went wrong. It counts as a failure, and the connection is not used again. */
  readonly error?: unknown;
}

/** What a failed lease says about its machine. */
export interface LeaseFailure {
  readonly kind: FailureKind;
  readonly error: unknown;
}

/** Takes a lease back. */
export type TakeBack = (lease: Lease, reuse: boolean, error: unknown) => void;

/**
 * The exclusive right to use a connection, or one stream of it.
 *
 * It ends once, with `release()`. A second call does nothing, so it can never free what belongs to
 * somebody else by then. If a `using` block ends without a `release()` after bytes were sent or
 * received, the connection is closed, because nobody can know whether the exchange was complete.
 */
export class Lease implements Disposable {
  /** The connection. */
  readonly connection: Connection;
  /** When it started, in milliseconds since 1970. */
  readonly startedAt: number;
  /** How long the caller waited for it, in milliseconds. */
  readonly waitedMs: number;
  /** Whether the connection had a lease before. */
  readonly reused: boolean;
  /** How long the server took to answer, in milliseconds. Unless you set it, the lease's length. */
  latencyMs: number | undefined = undefined;
  /**
   * After how many milliseconds somebody would notice that no byte of an answer has come; `Infinity` if
   * nobody would, or it was noticed. An answer that took much longer came while the program stood still.
   *
   * @internal
   */
  noticedAfterMs: number = Infinity;
  /**
   * The status of the answer that came over it; 0 if there was none.
   *
   * @internal
   */
  status = 0;
  /**
   * What its end says of the machine: a failure, or `null`, nothing. If nobody says, an error is
   * a failure and anything else a success.
   *
   * @internal
   */
  failure: LeaseFailure | null | undefined = undefined;
  /**
   * Whether its server said that it is too busy.
   *
   * @internal
   */
  busy = false;
  /**
   * Whether its connection is one more than its machine takes, which serves the others, or may be
   * about to: it ended at once, as is known when the lease has ended; or its server was too busy for
   * it alone.
   *
   * @internal
   */
  tooMuch: "yes" | "perhaps" | "no" = "no";
  #takeBack: TakeBack | undefined;
  #touched = false;
  #holds = true;

  /** Made by a pool. */
  constructor(connection: Connection, startedAt: number, waitedMs: number, takeBack: TakeBack) {
    this.connection = connection;
    this.startedAt = startedAt;
    this.waitedMs = waitedMs;
    this.reused = connection.requestCount > 1;
    this.#takeBack = takeBack;
  }

  /**
   * Whether it keeps the program alive until it ends.
   *
   * @internal
   */
  set holds(holds: boolean) {
    if (this.#holds === holds || this.released) return;
    this.#holds = holds;
    if (holds) this.connection.hold(false);
    else this.connection.letGo();
  }

  /** Whether it has ended. */
  get released(): boolean {
    return this.#takeBack === undefined;
  }

  /**
   * Sets who receives what the peer sends, until the lease ends. Attach before you write: bytes that
   * arrive while nobody is attached end the connection.
   *
   * @throws {LeaseReleasedError} The lease has ended
   */
  attach(sink: SocketSink): void {
    this.#require();
    this.#touched = true;
    this.connection.setSink(sink);
  }

  /**
   * Writes to the peer. If it returns false, wait for the sink's `onDrain`.
   *
   * @throws {LeaseReleasedError} The lease has ended
   */
  write(bytes: Uint8Array): boolean {
    this.#require();
    this.#touched = true;
    return this.connection.write(bytes);
  }

  /** Ends the lease. Harmless to repeat. */
  release(options: ReleaseOptions = {}): void {
    const takeBack = this.#takeBack;
    if (!takeBack) return;
    this.#takeBack = undefined;
    if (!this.#holds) this.connection.hold(true);
    const { error, reuse = true } = options;
    if (error !== undefined) {
      this.connection.errorCount++;
      this.connection.healthy = false;
    }
    takeBack(this, reuse && error === undefined, error);
  }

  /** Ends the lease, and the connection too if it was used and not released. */
  [Symbol.dispose](): void {
    this.release({ reuse: !this.#touched });
  }

  #require(): void {
    if (!this.#takeBack) throw new LeaseReleasedError(this.connection.host);
  }
}
