/**
 * Calling all listeners.
 *
 * @module
 */

/**
 * Calls each. What one throws is thrown at the program's top, as by any event target, and keeps no
 * other from being called.
 */
export function callAll(callbacks: Iterable<() => void>): void {
  for (const callback of callbacks) {
    try {
      callback();
    } catch (error) {
      queueMicrotask(() => {
        throw error;
      });
    }
  }
}
