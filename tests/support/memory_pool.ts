/**
 * A pool without a network, on a clock that the test moves.
 *
 * @module
 */

import { type MemoryDial, type MemoryDialer, memoryDialer } from "../../adapters/memory.ts";
import { ManualClock } from "../../src/core/clock.ts";
import type { DialTarget } from "../../src/core/dialer.ts";
import { staticResolver } from "../../src/hosts/resolver.ts";
import type { PoolOptions } from "../../src/pool/options.ts";
import { ConnectionPool } from "../../src/pool/pool.ts";

/** A pool, and what a test moves and watches. */
export interface MemoryPool extends AsyncDisposable {
  readonly pool: ConnectionPool;
  readonly clock: ManualClock;
  readonly dialer: MemoryDialer;
}

/** What `memoryPool` takes beside a pool's own options. */
export interface MemoryPoolOptions
  extends Omit<Partial<PoolOptions>, "dialer" | "clock" | "hosts">
{
  /** Each host with its addresses. */
  readonly hosts?: { readonly [host: string]: readonly string[] };
  /** The pool's own options of single hosts. */
  readonly hostOptions?: NonNullable<PoolOptions["hosts"]>;
  /** Says how each dial goes. */
  readonly script?: (target: DialTarget) => MemoryDial;
  /** Where the chance starts. */
  readonly seed?: number;
}

/** Makes a pool for a.test on two machines and b.test on one of them, unless told otherwise. */
export function memoryPool(options: MemoryPoolOptions = {}): MemoryPool {
  const {
    hosts = { "a.test": ["192.0.2.1", "192.0.2.2"], "b.test": ["192.0.2.1"] },
    script = () => ({}),
    seed = 1,
    hostOptions = {},
    ...rest
  } = options;
  const clock = new ManualClock(seed);
  const dialer = memoryDialer({ clock, script });
  const pool = new ConnectionPool({
    resolver: staticResolver(hosts),
    ...rest,
    hosts: hostOptions,
    dialer,
    clock,
  });
  return {
    pool,
    clock,
    dialer,
    async [Symbol.asyncDispose]() {
      pool.manager.checkInvariants();
      await pool.close({ graceMs: 0 });
      if (dialer.sockets.size > 0) throw new Error(`${dialer.sockets.size} sockets were left open`);
      if (dialer.dialing > 0) throw new Error(`${dialer.dialing} dials were left under way`);
      if (clock.timers > 0) throw new Error(`${clock.timers} timers were left set`);
      const { connections, ending, waiting } = pool.stats();
      if (connections + ending + waiting > 0) throw new Error("The closed pool is not empty");
    },
  };
}
