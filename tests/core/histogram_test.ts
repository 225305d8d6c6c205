import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import test from "node:test";
import { Histogram } from "../../src/core/histogram.ts";

/** The smallest value that at least so many of a hundred do not exceed. */
function exact(sorted: readonly number[], percent: number): number {
  const rank = Math.max(1, Math.ceil(percent * sorted.length / 100 - 1e-9 * sorted.length));
  return sorted[rank - 1]!;
}

function assertNear(got: number, wanted: number, tolerance: number): void {
  assert(Math.abs(got - wanted) <= tolerance, `${got} is too far from ${wanted}`);
}

const times = fc.double({ min: -3, max: Math.log10(600_000), noNaN: true })
  .map((exponent) => 10 ** exponent);

test("Histogram tells percentiles that are wrong by 5 % at the most", () => {
  const percents = [0, 1, 25, 50, 90, 99, 99.9, 100];
  fc.assert(fc.property(fc.array(times, { minLength: 1, maxLength: 400 }), (values) => {
    const histogram = new Histogram();
    for (const value of values) histogram.record(value);
    const sorted = [...values].sort((a, b) => a - b);
    for (const percent of percents) {
      const wanted = exact(sorted, percent);
      assertNear(histogram.percentile(percent)!, wanted, wanted * 0.05);
    }
    assertEquals(histogram.count, values.length);
    assertEquals(histogram.min, sorted[0]);
    assertEquals(histogram.max, sorted.at(-1));
    const sum = values.reduce((sum, value) => sum + value, 0);
    assertNear(histogram.sum, sum, sum * 1e-9);
    assertNear(histogram.mean!, sum / values.length, sum * 1e-9);
  }));
});

test("Histogram.countUpTo() is exact at each edge, what lies on it included", () => {
  const edges = [0.25, 0.5, 1, 1.0625, 1.5, 2, 512, 32_768];
  fc.assert(fc.property(
    fc.array(fc.oneof(times, fc.constantFrom(...edges), fc.integer({ min: 0, max: 40_000 }))),
    (values) => {
      const histogram = new Histogram();
      // A float of 32 bits is what is told apart.
      const floats = values.map(Math.fround);
      for (const value of floats) histogram.record(value);
      for (const edge of edges) {
        assertEquals(histogram.countUpTo(edge), floats.filter((value) => value <= edge).length);
      }
    },
  ));
});

test("Histogram takes what is out of its bounds, and passes over what is no number", () => {
  const histogram = new Histogram();
  assertEquals(histogram.percentile(50), undefined);
  assertEquals(histogram.snapshot(), {
    count: 0,
    sum: 0,
    mean: null,
    min: null,
    max: null,
    p50: null,
    p90: null,
    p99: null,
    p999: null,
  });
  for (const value of [NaN, Infinity, -1, 0, 1e-9, 1e12]) histogram.record(value);
  assertEquals(histogram.count, 4);
  assertEquals(histogram.min, 0);
  assertEquals(histogram.max, 1e12);
  assertEquals(histogram.percentile(50), 0);
  assertEquals(histogram.percentile(99), 1e12);
  assertEquals(histogram.countUpTo(1), 3);
  histogram.recordZeros(96);
  assertEquals(histogram.count, 100);
  assertEquals(histogram.countUpTo(0), 99);
});

test("Histogram that remembers little forgets what was long ago", () => {
  const histogram = new Histogram({ relativeError: 0.125, remember: 1_000 });
  for (let index = 0; index < 1_000; index++) histogram.record(100);
  assertNear(histogram.percentile(99)!, 100, 12.5);
  for (let index = 0; index < 20_000; index++) histogram.record(1);
  assertNear(histogram.percentile(99)!, 1, 0.125);
  assert(histogram.count < 1_000);
  assertNear(histogram.mean!, 1, 0.2);
});

test("Histogram remembers no more times that took none than any others", () => {
  const histogram = new Histogram({ remember: 1_000 });
  for (let index = 0; index < 900; index++) histogram.record(100);
  histogram.recordZeros(100);
  // Half of all is forgotten, as it would be where each was noted by itself.
  assertEquals([histogram.count, histogram.countUpTo(1), histogram.mean], [500, 50, 90]);
  for (const zeros of [70_000, 1e12]) {
    histogram.recordZeros(zeros);
    assert(histogram.count > 400 && histogram.count < 1_000, `${histogram.count}`);
    assertEquals(histogram.countUpTo(1), histogram.count);
    assertEquals(histogram.percentile(99), 0);
    assertNear(histogram.mean!, 0, 1e-9);
  }
});

test("Histogram refuses options that make no sense, by name", () => {
  assertThrows(() => new Histogram({ relativeError: 0 }), RangeError, "relativeError");
  assertThrows(() => new Histogram({ remember: 1 }), RangeError, "remember");
  assertThrows(() => new Histogram().percentile(101), RangeError, "percent");
});
