/**
 * A stand-in for the functions of `@std/async` that hotconn uses, with the same signatures and
 * the same behaviour, for machines that cannot reach JSR. Written from the public documentation.
 *
 * @module
 */

/** Options for {@linkcode deadline}. */
export interface DeadlineOptions {
  /** Ends the wait early; the promise rejects with the signal's reason. */
  signal?: AbortSignal;
}

/**
 * Settles as `promise` does, unless `ms` milliseconds pass first: then it rejects with a
 * `DOMException` named `TimeoutError`. The promise itself goes on.
 *
 * @param ms How long to wait, in milliseconds
 */
export async function deadline<T>(
  promise: Promise<T>,
  ms: number,
  options: DeadlineOptions = {},
): Promise<T> {
  const timer = new AbortController();
  const id = setTimeout(
    () => timer.abort(new DOMException("Signal timed out.", "TimeoutError")),
    ms,
  );
  const signals = options.signal ? [options.signal, timer.signal] : [timer.signal];
  try {
    return await abortable(promise, AbortSignal.any(signals));
  } finally {
    clearTimeout(id);
  }
}

/** Settles as `promise` does, unless the signal aborts first: then it rejects with its reason. */
export function abortable<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  if (signal.aborted) return Promise.reject(signal.reason);
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason);
    signal.addEventListener("abort", abort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", abort));
  });
}
