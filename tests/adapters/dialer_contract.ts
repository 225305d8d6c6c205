/**
 * One suite for all dialers: whoever passes it can stand behind the pool.
 *
 * @module
 */

import { testEndings } from "./contract/endings.ts";
import { testFailures } from "./contract/failures.ts";
import { testHandshake } from "./contract/handshake.ts";
import { testLiveness } from "./contract/liveness.ts";
import { testStream } from "./contract/stream.ts";
import type { DialerUnderTest } from "./contract/support.ts";

export type { DialerUnderTest } from "./contract/support.ts";

/** Registers the suite for a dialer, whose name begins each test's. */
export function testDialerContract(name: string, under: DialerUnderTest): void {
  testHandshake(name, under);
  testFailures(name, under);
  testStream(name, under);
  testEndings(name, under);
  testLiveness(name, under);
}
