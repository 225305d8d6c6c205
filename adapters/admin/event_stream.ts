/**
 * A pool's events as a stream of server-sent events (the HTML standard, section 9.2).
 *
 * @module
 */

import type { Clock, Timer } from "../../src/core/clock.ts";
import type { EventLog, Follower } from "./event_log.ts";

/** How long a stream is silent at the most, in milliseconds: proxies give up on what is silent. */
const HEARTBEAT_MS = 15_000;

/** How much may wait for a client that reads slowly, in characters. */
const MAX_PENDING = 1_048_576;

/** How much of what was kept is sent at once, in characters. */
const KEPT_PART = 65_536;

/** After how many milliseconds a client that lost its stream should come back. */
const RETRY_MS = 2_000;

/** How a stream is opened. */
export interface EventStreamOptions {
  readonly log: EventLog;
  readonly clock: Clock;
  /** The types of events to send. */
  readonly types: ReadonlySet<string>;
  /** The last event that the client has had; undefined if it wants none of the past. */
  readonly after: number | undefined;
}

/**
 * Opens a stream. It ends when its client goes away and the server cancels it, with its pool, or
 * when the client reads too slowly.
 */
export function eventStream(options: EventStreamOptions): ReadableStream<Uint8Array> {
  const stream = new EventStream(options);
  return new ReadableStream<Uint8Array>({
    start: (controller) => stream.start(controller),
    pull: () => stream.pull(),
    cancel: () => stream.stop(),
    // Everything waits here, where it is counted.
  }, { highWaterMark: 0 });
}

class EventStream implements Follower {
  readonly types: ReadonlySet<string>;
  readonly #options: EventStreamOptions;
  readonly #encoder = new TextEncoder();
  #controller: ReadableStreamDefaultController<Uint8Array> | undefined;
  #leave: () => void = () => {};
  #close: () => void = () => {};
  #heartbeat: Timer | undefined;
  /** Past events for the client: the log's own texts, the next one last. */
  #kept: string[] = [];
  #pending: string[] = [];
  /** How much of it waits. */
  #pendingLength = 0;
  /** The latest figures, if they have not been sent: only the latest are of use. */
  #stats: Uint8Array<ArrayBuffer> | undefined;
  /** Called when there is something to send, if the client waits for it. */
  #wake: (() => void) | undefined;
  #ending = false;
  #stopped = false;

  constructor(options: EventStreamOptions) {
    this.#options = options;
    this.types = options.types;
  }

  readonly onEvent = (message: string): void => {
    if (this.#ending) return;
    this.#pendingLength += message.length;
    if (this.#pendingLength <= MAX_PENDING) return this.#push(message);
    // Past events stay in the log: the client may come back for them.
    this.#drop(": This client reads too slowly, and is let go\n\n");
    this.#end();
  };

  readonly onStats = (message: Uint8Array<ArrayBuffer>): void => {
    if (this.#ending) return;
    this.#stats = message;
    this.#wake?.();
  };

  readonly onEnd = (): void => this.#end();

  start(controller: ReadableStreamDefaultController<Uint8Array>): void {
    const { after, log } = this.#options;
    this.#controller = controller;
    this.#close = log.open();
    const kept = [`retry: ${RETRY_MS}\n\n`];
    if (after !== undefined) {
      const { complete, messages } = log.since(after, this.types);
      if (!complete) kept.push(": Events before these are no longer kept\n\n");
      for (const message of messages) kept.push(message);
    }
    this.#kept = kept.reverse();
    this.#beatLater();
    this.#leave = log.follow(this);
    // It was over before it began.
    if (this.#ending) this.#leave();
  }

  /** Sends what waits, or the first that comes. */
  async pull(): Promise<void> {
    if (!this.#hasMore() && !this.#ending) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
      this.#wake = undefined;
    }
    if (this.#stopped) return;
    const next = this.#next();
    if (next) this.#controller?.enqueue(next);
    if (this.#ending && !this.#hasMore()) {
      this.#stopped = true;
      this.#close();
      this.#controller?.close();
    }
  }

  /** The client has gone. */
  stop(): void {
    this.#stopped = true;
    this.#close();
    this.#drop();
    this.#end();
  }

  /** Takes what to send next, in parts: a client that does not read holds only one of them. */
  #next(): Uint8Array<ArrayBuffer> | undefined {
    let text = "";
    while (this.#kept.length > 0 && text.length < KEPT_PART) text += this.#kept.pop();
    if (text === "" && this.#pending.length > 0) {
      text = this.#pending.join("");
      this.#pending = [];
      this.#pendingLength = 0;
    }
    if (text !== "") return this.#encoder.encode(text);
    const stats = this.#stats;
    this.#stats = undefined;
    return stats;
  }

  #hasMore(): boolean {
    return this.#kept.length > 0 || this.#pending.length > 0 || this.#stats !== undefined;
  }

  #push(message: string): void {
    this.#pending.push(message);
    this.#wake?.();
  }

  /** Drops what waits, except for one last message if there is one. */
  #drop(last?: string): void {
    this.#kept = [];
    this.#pending = last === undefined ? [] : [last];
    this.#pendingLength = 0;
    this.#stats = undefined;
  }

  #beatLater(): void {
    this.#heartbeat = this.#options.clock.setTimer(() => {
      if (!this.#hasMore()) this.#push(":\n\n");
      this.#beatLater();
    }, HEARTBEAT_MS);
  }

  /** Sends what waits, and nothing more. */
  #end(): void {
    if (this.#ending) return;
    this.#ending = true;
    this.#heartbeat?.cancel();
    this.#leave();
    this.#wake?.();
  }
}
