/**
 * One request of the chaos: what it asks, what it must get, and what came of it.
 *
 * @module
 */

import { systemClock, whenRead } from "../../../src/core/clock.ts";
import { AcquireTimeoutError, HotconnError, RequestError } from "../../../src/core/errors.ts";
import type { Random } from "../../support/random.ts";
import { bodyOf, hashOf } from "./echo.ts";
import { HOSTS, type World } from "./world.ts";

/** How a request ended. */
export interface Outcome {
  /** Whether it may be sent more than once. */
  readonly repeatable: boolean;
  readonly host: string;
  /** Whether the head of its answer had come. */
  readonly headCame: boolean;
  /** What was wrong with its answer; undefined where it was right, or there was none. */
  readonly wrong?: string;
  /** Why it failed; undefined where it was answered. */
  readonly error?: unknown;
  /** For how much of its time the program itself was late, in milliseconds. */
  readonly stalledMs: number;
  /** For how long after its deadline it went on, a bare timer's lateness taken off, in milliseconds. */
  readonly lateMs: number;
}

const METHODS = ["GET", "GET", "GET", "PUT", "POST", "POST"] as const;

/** How much time requests have, in milliseconds. */
const TIMEOUT_MS = 4_000;

/** How late this program is with everything, because the machine has something else to do. */
export class Lateness {
  /** In all, in milliseconds. */
  totalMs = 0;
  /** The most at once, in milliseconds. */
  mostMs = 0;
  readonly #timer: ReturnType<typeof setInterval>;

  constructor() {
    let before = performance.now();
    this.#timer = setInterval(() => {
      const now = performance.now();
      const lateMs = now - before - TICK_MS;
      before = now;
      if (lateMs < 2) return;
      this.totalMs += lateMs;
      this.mostMs = Math.max(this.mostMs, lateMs);
    }, TICK_MS);
  }

  /** Measures no more. */
  end(): void {
    clearInterval(this.#timer);
  }
}

const TICK_MS = 20;

/** Asks once. */
export async function ask(
  world: World,
  number: number,
  random: Random,
  lateness: Lateness,
): Promise<Outcome> {
  const { totalMs } = lateness;
  const id = `${number}`;
  const host = random.weighted([[4, HOSTS[0]], [4, HOSTS[1]], [2, HOSTS[2]]]);
  const method = random.pick(METHODS);
  const length = random.weighted([[6, random.below(2_000)], [2, random.below(60_000)]]) + 2;
  const body = method === "GET" ? undefined : bodyOf(id, random.below(4_000));
  const hasKey = method === "POST" && random.chance(0.4);
  const repeatable = method !== "POST" || hasKey;
  const timeoutMs = random.chance(0.1) ? 50 + random.below(400) : TIMEOUT_MS;
  const since = performance.now();
  let bareAt = Infinity;
  let totalThenMs = 0;
  let bare = setTimeout(() => {
    // A deadline is kept once what had arrived by then was read: in a program that stands still again
    // and again, that takes its time.
    bare = setTimeout(() =>
      whenRead(systemClock, () => {
        bareAt = performance.now();
        totalThenMs = lateness.totalMs;
      }), 0);
  }, timeoutMs);
  let headCame = false;
  let wrong: string | undefined;
  let error: unknown;
  try {
    const response = await world.pool.request(`https://${host}/`, {
      method,
      timeoutMs,
      ...body && { body },
      headers: {
        "x-id": id,
        "x-length": `${length}`,
        ...hasKey && { "idempotency-key": id },
        ...!repeatable && { "x-once": "1" },
      },
    });
    headCame = true;
    const bytes = await response.bytes();
    if (response.status !== 200) error = new Error(`It was answered ${response.status}`);
    else if (response.headers.get("x-id") !== id) wrong = "the answer to another request";
    else if (response.headers.get("x-method") !== method) wrong = "another method";
    else if (response.headers.get("x-received") !== hashOf(body ?? new Uint8Array(0))) {
      wrong = "another body arrived";
    } else if (hashOf(bytes) !== hashOf(bodyOf(id, length))) wrong = "the body is another";
  } catch (reason) {
    error = reason;
  }
  const now = performance.now();
  const beyondMs = now - since - timeoutMs;
  clearTimeout(bare);
  // What the machine itself was late by shows on timers that nothing else hangs on.
  let bareMs = bareAt === Infinity ? beyondMs : bareAt - since - timeoutMs;
  if (beyondMs > TICK_MS && bareAt !== Infinity) {
    await new Promise((resolve) => setTimeout(resolve, 2 * TICK_MS));
    bareMs += lateness.totalMs - totalThenMs;
  }
  const isShort = timeoutMs < TIMEOUT_MS && error !== undefined;
  return {
    repeatable: repeatable && !isShort,
    host,
    headCame,
    stalledMs: lateness.totalMs - totalMs,
    ...wrong !== undefined && { wrong },
    ...error !== undefined && { error },
    lateMs: beyondMs > 0 ? beyondMs - Math.max(bareMs, 0) : 0,
  };
}

/** Whether a failure says that its time was over. */
export function isTimeout(error: unknown): boolean {
  return error instanceof AcquireTimeoutError
    || (error instanceof RequestError && error.failure === "timeout");
}

/** Whether a failure is one that the product tells. */
export function isTold(error: unknown): boolean {
  return error instanceof HotconnError
    || (error instanceof Error && /^It was answered/.test(error.message))
    || (error instanceof DOMException && error.name === "TimeoutError");
}
