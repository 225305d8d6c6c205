/**
 * Typed events that cost nothing when nobody listens.
 *
 * @module
 */

import { offAbort, onAbort } from "./abort.ts";
import { callAll } from "./call_all.ts";

/** Options of {@linkcode Events.on}. */
export interface ListenOptions {
  /** Stops listening when it aborts. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Tells listeners what happened, on the next microtask and in order. A listener therefore never
 * runs in the middle of a change, or under a lock, and may call whatever it likes.
 *
 * Ask `wants` before an event's object is made, so that an event nobody wants costs one look-up.
 */
export class Events<EventMap extends object> {
  readonly #listeners = new Map<keyof EventMap, Set<(event: never) => void>>();
  #queue: (() => void)[] = [];

  /** Whether anybody listens to a type of event. */
  wants(type: keyof EventMap): boolean {
    return this.#listeners.has(type);
  }

  /** Calls `listener` with each event of a type, until the returned function is called. */
  on<Type extends keyof EventMap>(
    type: Type,
    listener: (event: EventMap[Type]) => void,
    options: ListenOptions = {},
  ): () => void {
    const { signal } = options;
    if (signal?.aborted) return () => {};
    let listeners = this.#listeners.get(type);
    if (!listeners) this.#listeners.set(type, listeners = new Set());
    // Wrapped, so that the same function can listen twice and each `off` ends its own.
    const own = (event: EventMap[Type]) => listener(event);
    listeners.add(own);
    const off = () => {
      if (signal) offAbort(signal, off);
      if (
        listeners.delete(own) && listeners.size === 0 && this.#listeners.get(type) === listeners
      ) {
        this.#listeners.delete(type);
      }
    };
    if (signal) onAbort(signal, off);
    return off;
  }

  /**
   * Calls those who listen now. What a listener throws is thrown at the program's top,
   * as by any event target, and the other listeners are still called.
   */
  emit<Type extends keyof EventMap>(type: Type, event: EventMap[Type]): void {
    const listeners = this.#listeners.get(type);
    if (!listeners) return;
    if (this.#queue.length === 0) queueMicrotask(() => this.#flush());
    for (const listener of listeners) {
      this.#queue.push(() => {
        if (listeners.has(listener)) (listener as (event: EventMap[Type]) => void)(event);
      });
    }
  }

  #flush(): void {
    const queue = this.#queue;
    this.#queue = [];
    callAll(queue);
  }
}
