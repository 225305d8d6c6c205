import { assert, assertEquals, assertLessOrEqual } from "@std/assert";
import test from "node:test";
import { ManualClock } from "../../src/core/clock.ts";
import { LockTimeoutError } from "../../src/core/errors.ts";
import { type LockGuard, type LockMode, RwLock } from "../../src/core/lock.ts";
import { Random, withSeed } from "../support/random.ts";
import { CountedController } from "../support/signals.ts";
import { turns } from "../support/turns.ts";

interface Holder {
  readonly guard: LockGuard;
  readonly mode: LockMode;
}

/** One who waits, or waited: how it ended is known by `state`. */
interface Caller {
  readonly mode: LockMode;
  readonly controller: CountedController;
  readonly ticket: number;
  state: "waiting" | "holding" | "refused";
}

/** Callers at random, and what must hold of the lock whatever they do. */
class Crowd {
  readonly clock = new ManualClock();
  readonly lock = new RwLock(this.clock);
  readonly random: Random;
  readonly holders = new Set<Holder>();
  readonly waiting = new Set<Caller>();
  readonly counts = { waited: 0, aborted: 0, late: 0, tried: 0, released: 0 };
  readonly controllers = new Set<CountedController>();
  /** The ticket of the last caller who was let in after a wait. */
  lastIn = 0;
  tickets = 0;
  #failure: unknown;

  constructor(seed: number) {
    this.random = new Random(seed);
  }

  enter(): void {
    const { random } = this;
    const mode = random.chance(0.3) ? "exclusive" : "shared";
    const controller = new CountedController();
    this.controllers.add(controller);
    const caller: Caller = { mode, controller, ticket: ++this.tickets, state: "waiting" };
    const options = {
      signal: controller.signal,
      ...(random.chance(0.5) ? { timeoutMs: random.below(50) } : {}),
    };
    this.waiting.add(caller);
    this.counts.waited++;
    const entering = mode === "shared" ? this.lock.shared(options) : this.lock.exclusive(options);
    entering.then(
      (guard) => {
        this.#leave(caller, "holding");
        assertEquals(guard.mode, mode);
        // First come, first served: nobody is let in after one who came later.
        assertLessOrEqual(this.lastIn, caller.ticket);
        this.lastIn = caller.ticket;
        this.holders.add({ guard, mode });
      },
      (reason) => {
        this.#leave(caller, "refused");
        if (reason instanceof LockTimeoutError) this.counts.late++;
        else {
          assertEquals(reason, `abort ${caller.ticket}`);
          this.counts.aborted++;
        }
      },
    ).catch((error: unknown) => this.#failure ??= error);
  }

  #leave(caller: Caller, state: "holding" | "refused"): void {
    assertEquals(caller.state, "waiting");
    caller.state = state;
    this.waiting.delete(caller);
    assertEquals(caller.controller.listeners, 0);
    this.controllers.delete(caller.controller);
  }

  tryEnter(): void {
    const mode = this.random.chance(0.5) ? "exclusive" : "shared";
    const nobodyWaits = this.lock.waiting === 0;
    const free = !this.lock.writing && (mode === "shared" || this.lock.readers === 0);
    const guard = mode === "shared" ? this.lock.tryShared() : this.lock.tryExclusive();
    assertEquals(guard !== undefined, free && nobodyWaits);
    if (!guard) return;
    this.counts.tried++;
    this.holders.add({ guard, mode });
  }

  release(): void {
    const holders = [...this.holders];
    if (holders.length === 0) return;
    const holder = this.random.pick(holders);
    this.holders.delete(holder);
    holder.guard.release();
    this.counts.released++;
    if (this.random.chance(0.2)) holder.guard.release();
  }

  abort(): void {
    const callers = [...this.waiting];
    if (callers.length === 0) return;
    const caller = this.random.pick(callers);
    caller.controller.abort(`abort ${caller.ticket}`);
  }

  /** What holds at every moment. */
  check(): void {
    if (this.#failure !== undefined) throw this.#failure;
    const { lock } = this;
    assert(!lock.writing || lock.readers === 0, "a writer and a reader hold the lock");
    // Nobody waits without somebody to wait for.
    assert(lock.waiting === 0 || lock.writing || lock.readers > 0, "the queue stands still");
  }

  /** What holds when every caller has heard of what became of it. */
  checkSettled(): void {
    const { holders, lock, waiting } = this;
    this.check();
    const readers = [...holders].filter(({ mode }) => mode === "shared").length;
    const writers = holders.size - readers;
    assertEquals([readers, writers], [lock.readers, lock.writing ? 1 : 0]);
    assertEquals(lock.waiting, waiting.size);
    for (const { controller } of waiting) assertEquals(controller.listeners, 1);
    assertLessOrEqual(this.clock.timers, waiting.size);
  }
}

test("RwLock holds its rules whatever a crowd does", { timeout: 60_000 }, async () => {
  await withSeed(async (seed) => {
    const crowd = new Crowd(seed);
    const { random } = crowd;
    for (let step = 0; step < 20_000; step++) {
      random.weighted([
        [30, () => crowd.enter()],
        [10, () => crowd.tryEnter()],
        [40, () => crowd.release()],
        [8, () => crowd.abort()],
        [12, () => crowd.clock.advance(random.below(10))],
      ])();
      crowd.check();
      if (random.chance(0.5)) {
        await turns();
        crowd.checkSettled();
      }
    }
    await turns();
    // Everybody leaves, and so everybody who still waits comes in.
    while (crowd.holders.size > 0) {
      crowd.release();
      await turns();
      crowd.checkSettled();
    }
    assertEquals(crowd.waiting.size, 0);
    assertEquals(crowd.clock.timers, 0);
    assertEquals(crowd.controllers.size, 0);
    assertEquals([crowd.lock.readers, crowd.lock.writing, crowd.lock.waiting], [0, false, 0]);
    // The crowd did all that it could do.
    for (const [what, count] of Object.entries(crowd.counts)) {
      assert(count > 100, `${what}: ${count}`);
    }
  });
});
