import { assertEquals } from "@std/assert";
import test from "node:test";
import { CLIENT_DOM } from "../../adapters/dashboard/client_dom.ts";
import { CLIENT_HISTORY } from "../../adapters/dashboard/client_history.ts";
import { fromScript } from "../support/client_script.ts";

interface Sample {
  readonly at: number;
  readonly ms: number;
  readonly value: number | null;
}

const { chartPath, niceTop } = fromScript([CLIENT_DOM, CLIENT_HISTORY], [
  "chartPath",
  "niceTop",
]) as {
  chartPath: (
    samples: readonly Sample[],
    of: (sample: Sample) => number | null,
    from: number,
    keptMs: number,
    top: number,
  ) => string;
  niceTop: (most: number) => number;
};

const path = (...samples: readonly (readonly [at: number, value: number | null])[]) =>
  chartPath(
    samples.map(([at, value]) => ({ at, ms: 10, value })),
    ({ value }) => value,
    0,
    300,
    10,
  );

test("an axis ends at a number that is easy to read", () => {
  assertEquals([0, 0.3, 1, 3, 7, 10, 101, 4_321].map(niceTop), [1, 0.5, 1, 5, 10, 10, 200, 5_000]);
});

test("a line breaks where nothing was told, and where samples are missing", () => {
  assertEquals(path([10, 0], [20, 10]), "M10.0 100.0L10.0 100.0L20.0 0.0");
  assertEquals(path([10, 0], [20, null], [30, 5]).match(/M/g)?.length, 2);
  assertEquals(path([10, 0], [90, 5]).match(/M/g)?.length, 2);
  // What is older than the axis, or above its top, stays out of the way.
  assertEquals(path([-10, 5], [10, 5]), "M10.0 50.0L10.0 50.0");
  assertEquals(path([10, 99]), "M10.0 0.0L10.0 0.0");
  assertEquals(path(), "");
});
