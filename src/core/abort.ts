/**
 * Listening for an abort, however many listen to the same signal.
 *
 * @module
 */

import { callAll } from "./call_all.ts";

interface Watch {
  readonly callbacks: Set<() => void>;
  readonly listener: () => void;
}

const watches = new WeakMap<AbortSignal, Watch>();

/**
 * Calls `callback` when a signal aborts, which must not have happened yet. All callbacks of a
 * signal share one listener: Node takes more than ten for a leak, and warns.
 */
export function onAbort(signal: AbortSignal, callback: () => void): void {
  let watch = watches.get(signal);
  if (!watch) {
    const callbacks = new Set<() => void>();
    watch = { callbacks, listener: () => callAll(callbacks) };
    watches.set(signal, watch);
    signal.addEventListener("abort", watch.listener, { once: true });
  }
  watch.callbacks.add(callback);
}

/** Removes it again. Harmless to repeat, and after it was called. */
export function offAbort(signal: AbortSignal, callback: () => void): void {
  const watch = watches.get(signal);
  if (!watch?.callbacks.delete(callback) || watch.callbacks.size > 0) return;
  watches.delete(signal);
  signal.removeEventListener("abort", watch.listener);
}
