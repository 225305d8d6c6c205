import { assertEquals } from "@std/assert";
import test from "node:test";
import { CLIENT_DOM } from "../../adapters/dashboard/client_dom.ts";
import { CLIENT_FRESH } from "../../adapters/dashboard/client_fresh.ts";
import { fromScript } from "../support/client_script.ts";

interface Moment {
  readonly steady: number;
  readonly wall: number;
}

interface Freshness {
  take(takenAt: unknown, now: Moment): void;
  fail(reason: string): void;
  age(now: Moment): number;
  isLate(now: Moment): boolean;
  isStale(now: Moment, isHidden: boolean): boolean;
  words(now: Moment): { readonly title: string; readonly why: string };
}

const { Freshness } = fromScript([CLIENT_DOM, CLIENT_FRESH], ["Freshness"]) as {
  Freshness: new() => Freshness;
};

const at = (ms: number, wallMs = ms): Moment => ({ steady: ms, wall: 1_000_000 + wallMs });

/** Figures that came at 0. */
function fresh(): Freshness {
  const freshness = new Freshness();
  freshness.take(1, at(0));
  return freshness;
}

test("figures that are not renewed are late, and then stale", () => {
  const freshness = fresh();
  const look = (ms: number) => [freshness.isLate(at(ms)), freshness.isStale(at(ms), false)];
  assertEquals([look(2_000), look(5_000), look(7_500)], [
    [false, false],
    [true, false],
    [true, true],
  ]);
  assertEquals(freshness.words(at(12_000)).title, "No figures for 12 s");
  freshness.take(2, at(13_000));
  assertEquals([look(13_000), freshness.age(at(14_000))], [[false, false], 1_000]);
});

test("the same figures again are no newer", () => {
  const freshness = fresh();
  freshness.take(1, at(6_000));
  assertEquals(freshness.isStale(at(8_000), false), true);
  // Those of a program that was started again are, though its clock is behind.
  freshness.take(0, at(8_000));
  assertEquals(freshness.isStale(at(8_000), false), false);
});

test("where asking has failed they are stale sooner, and it is said why", () => {
  const freshness = fresh();
  freshness.fail("The server answered 500");
  assertEquals(freshness.isStale(at(2_000), false), false);
  assertEquals(freshness.isStale(at(3_500), false), true);
  assertEquals(freshness.words(at(3_500)).why, "The server answered 500");
  freshness.take(2, at(4_000));
  assertEquals(freshness.words(at(4_000)).why, "The server is silent");
});

test("a machine that slept, and a clock that was set back, hide no age", () => {
  // Asleep: the steady clock stood still.
  assertEquals(fresh().isStale(at(1_000, 600_000), false), true);
  // Set back by an hour while time went on.
  assertEquals(fresh().isStale(at(8_000, -3_600_000), false), true);
  assertEquals(fresh().isStale(at(1_000, -3_600_000), false), false);
});

test("a tab out of sight has slow timers, and is given more time", () => {
  assertEquals(fresh().isStale(at(60_000), true), false);
  assertEquals(fresh().isStale(at(100_000), true), true);
});

test("without any figures nothing is stale, unless asking for them has failed", () => {
  const freshness = new Freshness();
  assertEquals([freshness.isLate(at(0)), freshness.isStale(at(99_000), false)], [true, false]);
  freshness.fail("The server answered 502");
  assertEquals(freshness.isStale(at(0), false), true);
  assertEquals(freshness.words(at(0)).title, "No figures");
});
