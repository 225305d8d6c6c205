/**
 * Everything that is proved, by name.
 *
 * @module
 */

import { chaos } from "./chaos/part.ts";
import { model } from "./model/part.ts";
import type { Part } from "./part.ts";
import { scale } from "./scale.ts";
import { soak } from "./soak.ts";

/** The parts. */
export const parts: readonly Part[] = [model, chaos, soak, scale];
