import { assertEquals } from "@std/assert";
import test from "node:test";
import { CLIENT_DOM } from "../../adapters/dashboard/client_dom.ts";
import { CLIENT_HISTORY } from "../../adapters/dashboard/client_history.ts";
import { CLIENT_MODEL } from "../../adapters/dashboard/client_model.ts";
import { fromScript } from "../support/client_script.ts";
import { historyBefore } from "../support/dashboard_scenes.ts";

interface Sample {
  readonly at: number;
  readonly ms: number;
  readonly value: number | null;
}

const { chartPath, niceTop, spanFor } = fromScript([CLIENT_DOM, CLIENT_HISTORY], [
  "chartPath",
  "niceTop",
  "spanFor",
]) as {
  chartPath: (
    samples: readonly Sample[],
    of: (sample: Sample) => number | null,
    from: number,
    keptMs: number,
    top: number,
  ) => string;
  niceTop: (most: number) => number;
  spanFor: (
    samples: readonly { readonly at: number; readonly ms: number }[],
    keptMs: number,
  ) => number;
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

test("an axis is of no more time than there is to see, in whole steps", () => {
  const minutesFor = (samples: number, keptMs = 1_800_000) => {
    const history = Array.from(
      { length: samples },
      (_, index) => ({ at: index * 10_000, ms: 10_000 }),
    );
    return spanFor(history, keptMs) / 60_000;
  };
  assertEquals([0, 1, 12, 13, 30, 31, 60, 61, 180, 181].map((samples) => minutesFor(samples)), [
    ...[2, 2, 2, 5, 5, 10, 10, 30, 30, 30],
  ]);
  assertEquals(minutesFor(100, 600_000), 10);
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

interface Trail {
  readonly lines: { readonly [name: string]: readonly (number | null)[] };
  fill(samples: readonly object[]): void;
  push(name: string, value: number | null): void;
}

test("a figure's line begins with what the router has kept, and goes on with what comes", () => {
  const { Trail } = fromScript([CLIENT_DOM, CLIENT_MODEL], ["Trail"]) as { Trail: new() => Trail };
  const trail = new Trail();
  trail.push("waiting", 99);
  const history = historyBefore(1_800_000).slice(0, 121);
  trail.fill(history);
  const of = (name: string) => trail.lines[name]!;
  // One sample in ten seconds makes five points; the last of them has trouble.
  assertEquals([of("waiting").length, of("busy").length], [150, 150]);
  assertEquals(of("waiting").slice(-7), [0, 12, 12, 12, 12, 12, 99]);
  assertEquals(of("bad").slice(-6), [0, 0.5, 0.5, 0.5, 0.5, 0.5]);
  assertEquals([of("requests").at(-1), of("handshakes").at(-1), of("ended").at(-1)], [
    20,
    0.2,
    0.4,
  ]);
  assertEquals([of("latency").at(-1), of("again").at(-1)], [history.at(-1)?.p99Ms, 0]);
  const empty = new Trail();
  empty.fill([]);
  assertEquals(empty.lines["busy"], []);
});
