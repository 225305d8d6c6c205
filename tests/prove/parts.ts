/**
 * Everything that is proved, by name.
 *
 * @module
 */

import type { Part } from "./part.ts";

/** The parts. */
export const parts: readonly Part[] = [];
