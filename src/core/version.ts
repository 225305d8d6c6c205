/**
 * Which version this is.
 *
 * @module
 */

/** The package's version. */
export const VERSION: string = "0.1.0";
