/**
 * What one member learns of a server, so that the others need not: how long it keeps a connection
 * unused, and how many requests at a time one carries.
 *
 * @module
 */

import type { Clock } from "../core/clock.ts";
import type { FleetSite, Lesson } from "./fleet.ts";
import type { StoreLine } from "./line.ts";
import { type LessonWord, write } from "./words.ts";

/** The store's section for lessons. */
export const LESSONS = "lessons";

/** How long a lesson holds, in milliseconds. It is sent again when half of that is over. */
const LESSON_MS = 600_000;

/** How many are sent at a time. */
const MAX_TOLD = 20;

/** How many are remembered. */
const MAX_LESSONS = 5_000;

/** How much two idle times may differ to say the same. */
const ALIKE = 0.25;

/** Sends what the pool has learned, and passes on what others have if it knows nothing itself. */
export class Lessons {
  readonly #clock: Clock;
  readonly #line: StoreLine;
  /** What the store has from any member, by host and address. */
  readonly #known = new Map<string, { readonly lesson: Lesson; readonly until: number }>();
  /**
   * When this member last sent a lesson for a host and address, so that two that disagree do not
   * dispute.
   */
  readonly #toldAt = new Map<string, number>();

  /** Begins without any. */
  constructor(clock: Clock, line: StoreLine) {
    this.#clock = clock;
    this.#line = line;
  }

  /** Tells the others what the pool has learned and they do not know, a few at a time. */
  tell(site: FleetSite): void {
    if (!this.#line.isOpen) return;
    const now = this.#clock.now();
    for (const [key, { until }] of this.#known) if (until <= now) this.#known.delete(key);
    for (const [key, at] of this.#toldAt) if (now - at >= LESSON_MS / 2) this.#toldAt.delete(key);
    let told = 0;
    for (const lesson of site.learned()) {
      const key = `${lesson.host} ${lesson.address}`;
      const known = this.#known.get(key);
      if (this.#toldAt.has(key)) continue;
      if (known && known.until - now > LESSON_MS / 2 && isAlike(known.lesson, lesson)) continue;
      if (++told > MAX_TOLD || (!known && this.#known.size >= MAX_LESSONS)) return;
      this.#known.set(key, { lesson, until: now + LESSON_MS });
      this.#toldAt.set(key, now);
      const text = write({ kind: "lesson", ...lesson, at: this.#clock.wallNow() });
      void this.#line.tell((link) =>
        Promise.all([link.hint(text), link.put(LESSONS, key, text, LESSON_MS)])
      );
    }
  }

  /** Takes a lesson. It holds for what is left of its time; clocks differ, so never for longer. */
  take({ address, at, host, idleMs, streams }: LessonWord, site: FleetSite): void {
    const now = this.#clock.now();
    const until = now + LESSON_MS - Math.max(0, this.#clock.wallNow() - at);
    const key = `${host} ${address}`;
    if (until <= now || (!this.#known.has(key) && this.#known.size >= MAX_LESSONS)) return;
    const lesson = { host, address, idleMs, streams };
    this.#known.set(key, { lesson, until });
    site.onLesson(lesson, until);
  }
}

function isAlike(one: Lesson, other: Lesson): boolean {
  if (one.streams !== other.streams) return false;
  const [a, b] = [one.idleMs, other.idleMs];
  return Math.abs(a - b) <= ALIKE * Math.max(a, b);
}
