/**
 * Everything that is fuzzed, by name.
 *
 * @module
 */

import { address } from "./address.ts";
import { admin } from "./admin.ts";
import { codec } from "./codec.ts";
import type { FuzzTarget } from "./fuzzer.ts";
import { h2 } from "./h2.ts";
import { websocket } from "./websocket.ts";

/** The targets. */
export const targets: readonly FuzzTarget[] = [codec, h2, websocket, address, admin];
