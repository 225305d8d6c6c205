/**
 * Errors that a timer makes.
 *
 * @module
 */

/**
 * Makes an error whose stack has no frames. Where a timer makes it, they would name nothing of the
 * program's; and for V8 to collect them takes longer than all else at the end of a request.
 */
export function withoutFrames<T extends Error>(make: () => T): T {
  const limit: unknown = Reflect.get(Error, "stackTraceLimit");
  // Where a program has frozen it, it stays as it is.
  Reflect.set(Error, "stackTraceLimit", 0);
  try {
    const error = make();
    // Bun leaves the whole stack out, and others rely on there being one.
    if (!Object.hasOwn(error, "stack")) error.stack = `${error}`;
    return error;
  } finally {
    Reflect.set(Error, "stackTraceLimit", limit);
  }
}
