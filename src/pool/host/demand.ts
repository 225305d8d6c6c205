/**
 * How many connections a host's callers need.
 *
 * @module
 */

/** How much each new figure weighs in a moving average. */
const WEIGHT = 0.2;

/** After how many times the usual hold without a release the pace counts as broken. */
const BROKEN_PACE = 3;

/** How long a stall must last after it was first seen, in milliseconds. */
const CONFIRM_MS = 10;

/** The shortest time over which callers are counted, in milliseconds. */
const LEAST_WINDOW_MS = 5;

/**
 * Says how many of a host's callers need a dial. Two kinds of shortage call for them. A passing one: who
 * would still be waiting when a dial begun now is ready, at the pace at which connections come back.
 * Fifty callers at once with five quick connections need one more, not forty-five. And a standing
 * one, by Little's law: over any time, the callers in a system are on average their rate times the
 * time that each is there. With all connections busy, those who are waiting on average, over the
 * time that a dial takes, are the connections that are missing, however soon each of them is served.
 * A burst is over within that time and counts for little; a queue that never empties counts in full.
 * If a connection carries many leases at once, so does a dial.
 */
export class Demand {
  /** When a connection last came back from a lease, or the first waiter came after that. */
  lastReturnAt = 0;
  #waiting = 0;
  #changedAt = 0;
  /** Callers times milliseconds waited, since the window began. */
  #area = 0;
  #windowAt: number | undefined;
  /** How many were waiting on average over the last window. */
  #standing = 0;
  #holdMs: number | undefined;
  #dialMs: number | undefined;
  #stallSeenAt: number | undefined;

  /** Notes that another number of callers waits from now on. */
  noteWaiting(now: number, waiting: number): void {
    if (this.#waiting === 0) this.lastReturnAt = now;
    this.#area += this.#waiting * (now - this.#changedAt);
    this.#changedAt = now;
    this.#waiting = waiting;
  }

  /** Notes that a lease ended, and how long it was held, in milliseconds. */
  noteReturn(now: number, ms: number): void {
    this.lastReturnAt = now;
    this.#stallSeenAt = undefined;
    this.#holdMs = this.#holdMs === undefined ? ms : this.#holdMs + (ms - this.#holdMs) * WEIGHT;
  }

  /** Notes how long a dial took, in milliseconds. */
  noteDial(ms: number): void {
    this.#dialMs = this.#dialMs === undefined ? ms : this.#dialMs + (ms - this.#dialMs) * WEIGHT;
  }

  /** How long a dial is expected to take, in milliseconds. */
  get dialMs(): number {
    return this.#dialMs ?? 0;
  }

  /** How many callers should have a dial, if `slots` leases can be under way at once. */
  wanted(slots: number, now: number): number {
    if (this.#waiting === 0) return 0;
    const standing = this.#standingAt(slots, now);
    return Math.min(this.#waiting, Math.max(this.#passing(slots, now), standing));
  }

  /** How long the last to come has to wait, in milliseconds, if `slots` leases are under way at once. */
  expectedWaitMs(slots: number, now: number): number {
    if (this.#waiting === 0) return 0;
    if (slots === 0) return Infinity;
    const byPace = this.#waiting / slots * (this.#holdMs ?? 0);
    return Math.max(byPace, now - this.lastReturnAt);
  }

  /** How many would still be waiting when a dial begun now is ready. */
  #passing(slots: number, now: number): number {
    if (slots === 0 || this.#dialMs === undefined) return this.#waiting;
    const stalledMs = now - this.lastReturnAt;
    if (this.#holdMs === undefined) {
      // Nothing has come back yet: one dial cannot be wrong, and after its time nothing is counted on.
      return stalledMs < this.#dialMs ? 1 : this.#waiting;
    }
    if (this.#paceIsBroken(stalledMs, now)) return this.#waiting;
    const served = slots * this.#dialMs / Math.max(this.#holdMs, Number.MIN_VALUE);
    return Math.ceil(this.#waiting - served);
  }

  /** How many were waiting on average over the last time that a dial takes. */
  #standingAt(slots: number, now: number): number {
    // Without any, callers wait for a dial, not for one another.
    if (slots === 0) this.#windowAt = undefined;
    else if (this.#windowAt !== undefined) {
      const passedMs = now - this.#windowAt;
      if (passedMs < Math.max(this.dialMs, LEAST_WINDOW_MS)) return this.#standing;
      this.noteWaiting(now, this.#waiting);
      this.#standing = Math.round(this.#area / passedMs);
      this.#windowAt = undefined;
    }
    if (slots > 0 && this.#windowAt === undefined) {
      this.#windowAt = this.#changedAt = now;
      this.#area = 0;
    }
    return this.#standing;
  }

  /**
   * Whether connections have stopped coming back. A program that was busy sees a stall that is none:
   * what has arrived meanwhile is not read yet. So it takes two looks, and time between them.
   */
  #paceIsBroken(stalledMs: number, now: number): boolean {
    if (stalledMs <= BROKEN_PACE * (this.#holdMs ?? 0) || stalledMs <= this.dialMs) {
      this.#stallSeenAt = undefined;
      return false;
    }
    this.#stallSeenAt ??= now;
    return now - this.#stallSeenAt >= CONFIRM_MS;
  }
}
