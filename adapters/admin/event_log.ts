/**
 * What a pool reported recently, kept for those who come back, and passed on to those who
 * listen.
 *
 * @module
 */

import type { Clock, Timer } from "../../src/core/clock.ts";
import { POOL_EVENTS, type PoolEvents } from "../../src/pool/events.ts";
import type { ConnectionPool } from "../../src/pool/pool.ts";
import type { PoolWatch } from "./pool_watch.ts";
import { toJson } from "./replies.ts";

/** The events that are sent to those who do not say which. */
export const USUAL_EVENTS: readonly string[] = [
  ...Object.entries(POOL_EVENTS).filter(([, kind]) => kind === "usual").map(([type]) => type),
  "audit",
  "sample",
  "stats",
];

/** The events that there are. */
export const ALL_EVENTS: readonly string[] = [
  ...Object.keys(POOL_EVENTS),
  "audit",
  "sample",
  "stats",
];

/** How often the figures are sent, in milliseconds. */
const STATS_INTERVAL_MS = 2_000;

/** How many streams of one pool may be open at once. */
const MAX_STREAMS = 100;

/** A listener. Each text is one message of an event stream (the HTML standard). */
export interface Follower {
  /** The types of events that it wants. */
  readonly types: ReadonlySet<string>;
  /** Takes an event. */
  onEvent(message: string): void;
  /** Takes the figures, which replace the last ones. They are the same bytes for all. */
  onStats(message: Uint8Array<ArrayBuffer>): void;
  /** There is nothing more to come. */
  onEnd(): void;
}

/** What an {@linkcode EventLog} is made of. */
export interface EventLogOptions {
  readonly pool: ConnectionPool;
  /** Returns the figures. */
  readonly watch: PoolWatch;
  readonly clock: Clock;
  /** How many events are kept. */
  readonly size: number;
  /** Ends the listening to the pool. */
  readonly signal: AbortSignal | undefined;
}

interface LoggedEvent {
  readonly id: number;
  readonly type: string;
  readonly at: number;
  readonly event: object;
  /** The message, once somebody wanted it. */
  message?: string;
}

/** The last events of a pool, each under a number, and those who follow it. */
export class EventLog {
  readonly #pool: ConnectionPool;
  readonly #watch: PoolWatch;
  readonly #clock: Clock;
  readonly #ring: LoggedEvent[] = [];
  readonly #size: number;
  readonly #firstId: number;
  #nextId: number;
  readonly #followers = new Map<Follower, () => void>();
  #streams = 0;
  #statsTimer: Timer | undefined;
  /** The figures that were sent last, while somebody wants them. */
  #latest: Uint8Array<ArrayBuffer> | undefined;
  #over = false;

  /** Begins to listen. */
  constructor({ clock, pool, signal, size, watch }: EventLogOptions) {
    this.#pool = pool;
    this.#watch = watch;
    this.#clock = clock;
    this.#size = size;
    // After a restart, the numbers go on above the earlier ones.
    this.#firstId = this.#nextId = Math.max(1, Math.floor(clock.wallNow()));
    const offs = Object.entries(POOL_EVENTS)
      .filter(([, kind]) => kind === "usual")
      .map(([type]) => pool.on(type as keyof PoolEvents, (event) => this.record(type, event)));
    const end = () => {
      signal?.removeEventListener("abort", end);
      for (const off of offs) off();
      this.#end();
    };
    // After the event itself was sent.
    offs.push(pool.on("closed", end));
    if (signal?.aborted) end();
    else signal?.addEventListener("abort", end, { once: true });
  }

  /** Whether as many streams are open as may be. */
  get full(): boolean {
    return this.#streams >= MAX_STREAMS;
  }

  /**
   * Counts a stream, until the returned function is called. One whose follower has gone holds
   * memory until its server is done with it.
   */
  open(): () => void {
    let open = true;
    this.#streams++;
    return () => {
      if (open) this.#streams--;
      open = false;
    };
  }

  /** Keeps an event, and sends it to those who want it. */
  record(type: string, event: object): void {
    const id = this.#nextId++;
    const entry: LoggedEvent = { id, type, at: this.#clock.wallNow(), event };
    this.#ring[id % this.#size] = entry;
    for (const { onEvent, types } of this.#followers.keys()) {
      if (types.has(type)) onEvent(messageOf(entry));
    }
  }

  /** Sends something to those who want it now: it has no number, and is not kept. */
  tell(type: string, data: object): void {
    let text: string | undefined;
    for (const { onEvent, types } of this.#followers.keys()) {
      if (types.has(type)) onEvent(text ??= message(type, data));
    }
  }

  /**
   * The events after a number that are still kept, of some types, oldest first, and whether others
   * of them may be lost. A number that was never given comes from an earlier run of this program:
   * then everything is new.
   */
  since(id: number, types: ReadonlySet<string>): { messages: string[]; complete: boolean } {
    const known = id >= this.#firstId - 1 && id < this.#nextId;
    const wanted = known ? id + 1 : this.#firstId;
    const messages: string[] = [];
    const oldest = Math.max(wanted, this.#nextId - this.#size);
    for (let next = oldest; next < this.#nextId; next++) {
      const entry = this.#ring[next % this.#size];
      if (entry && types.has(entry.type)) messages.push(messageOf(entry));
    }
    return { messages, complete: oldest === wanted };
  }

  /** Lets somebody follow, until the returned function is called, or everything is over. */
  follow(follower: Follower): () => void {
    if (this.#over) {
      follower.onEnd();
      return () => {};
    }
    const { types } = follower;
    const frequent = Object.entries(POOL_EVENTS)
      .filter(([type, kind]) => kind === "frequent" && types.has(type))
      // They have no number and are not kept, so they push out nothing that is.
      .map(([type]) =>
        this.#pool.on(type as keyof PoolEvents, (event) =>
          follower.onEvent(
            message(type, { at: this.#clock.wallNow(), ...event }),
          ))
      );
    const leave = () => {
      if (!this.#followers.delete(follower)) return;
      for (const off of frequent) off();
      if (this.#wantsStats()) return;
      this.#statsTimer?.cancel();
      this.#statsTimer = this.#latest = undefined;
    };
    this.#followers.set(follower, leave);
    if (types.has("stats")) {
      follower.onStats(this.#latest ??= this.#stats());
      this.#statsTimer ??= this.#tellStatsLater();
    }
    return leave;
  }

  #tellStatsLater(): Timer {
    return this.#clock.setTimer(() => {
      this.#statsTimer = this.#tellStatsLater();
      const stats = this.#latest = this.#stats();
      for (const { onStats, types } of this.#followers.keys()) {
        if (types.has("stats")) onStats(stats);
      }
    }, STATS_INTERVAL_MS);
  }

  #wantsStats(): boolean {
    for (const { types } of this.#followers.keys()) if (types.has("stats")) return true;
    return false;
  }

  #stats(): Uint8Array<ArrayBuffer> {
    return new TextEncoder().encode(message("stats", this.#watch.look()));
  }

  #end(): void {
    this.#over = true;
    for (const [follower, leave] of [...this.#followers]) {
      leave();
      follower.onEnd();
    }
  }
}

function messageOf(entry: LoggedEvent): string {
  const { at, event, id, type } = entry;
  return entry.message ??= message(type, { at, ...event }, id);
}

function message(type: string, data: object, id?: number): string {
  // JSON has no line ends outside its texts, and escapes those within.
  return `${id === undefined ? "" : `id: ${id}\n`}event: ${type}\ndata: ${toJson(data)}\n\n`;
}
