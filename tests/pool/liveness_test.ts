import { assert, assertEquals, assertRejects } from "@std/assert";
import test from "node:test";
import { memoryDialer } from "../../adapters/memory.ts";
import { ManualClock } from "../../src/core/clock.ts";
import { staticResolver } from "../../src/hosts/resolver.ts";
import { ConnectionPool } from "../../src/pool/pool.ts";
import { turns } from "../support/turns.ts";

/** A clock that knows which of its timers keep the program alive. */
class HoldingClock extends ManualClock {
  readonly holding: Set<object> = new Set();

  override setTimer(
    callback: () => void,
    delayMs: number,
    holds = false,
  ): ReturnType<ManualClock["setTimer"]> {
    const timer = super.setTimer(() => {
      this.holding.delete(timer);
      callback();
    }, delayMs);
    if (holds) this.holding.add(timer);
    return {
      cancel: () => {
        this.holding.delete(timer);
        timer.cancel();
      },
    };
  }
}

function deadPool(clock: HoldingClock): ConnectionPool {
  return new ConnectionPool({
    dialer: memoryDialer({ clock, script: () => ({ failure: "refused" }) }),
    resolver: staticResolver({ "a.test": ["192.0.2.1"] }),
    clock,
    maxRetries: 5,
  });
}

// On Node the program ended with code 13, its top-level await unsettled.
for (const method of ["warm", "acquire"] as const) {
  test(`Pool.${method}() keeps the program alive between two attempts, and no longer`, async () => {
    const clock = new HoldingClock();
    await using pool = deadPool(clock);
    const aborter = new AbortController();
    const { signal } = aborter;
    const waiting = method === "warm"
      ? pool.warm("a.test", { connections: 1, signal })
      : pool.acquire("a.test", { timeoutMs: Infinity, signal });
    await turns();
    assertEquals(pool.stats().dialing, 0);
    assert(clock.holding.size > 0);
    const reason = new Error("enough");
    aborter.abort(reason);
    assertEquals(await assertRejects(() => waiting), reason);
    assertEquals(clock.holding.size, 0);
  });
}
