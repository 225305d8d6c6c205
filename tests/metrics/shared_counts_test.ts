import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import test from "node:test";
import { type Counts, SharedCounts } from "../../src/metrics/shared_counts.ts";

/** Counts of so many requests. */
function counts(requests: number): Counts {
  const none = { failures: 0, cancelled: 0, retries: 0, hedges: 0, hedgesWon: 0, waits: 0 };
  return {
    ejections: requests,
    resolveErrors: 0,
    requests: {
      ...none,
      count: requests,
      successes: requests,
      toldLater: 0,
      successRate: null,
      statuses: { "2xx": requests },
    },
    latency: { count: requests, sumMs: 2 * requests, upTo: [requests] },
  };
}

const step = fc.oneof(
  { weight: 4, arbitrary: fc.record({ use: fc.nat(5), times: fc.integer({ min: 1, max: 9 }) }) },
  { weight: 1, arbitrary: fc.record({ forget: fc.nat(5) }) },
  { weight: 3, arbitrary: fc.constant({ look: true }) },
);

test("What hosts share only grows, and never by more than all hosts have done since the last look", () => {
  fc.assert(fc.property(fc.array(step, { maxLength: 80 }), fc.nat(4), (steps, most) => {
    const shared = new SharedCounts();
    const hosts = new Map<string, number>();
    let all = 0;
    let before = { all: 0, rest: 0 };
    const look = () => {
      const entries = Array.from(hosts, ([host, count]) => [host, counts(count)] as const);
      const sharing = entries.slice(most).map(([host]) => host);
      const rest = shared.look(counts(all), new Map(entries.slice(0, most)), sharing);
      const { count } = rest.requests;
      assertEquals([rest.latency.count, rest.latency.upTo, rest.requests.statuses["2xx"]], [
        count,
        [count],
        count,
      ]);
      assert(count >= before.rest, `${count} after ${before.rest}`);
      assert(count - before.rest <= all - before.all, `${count} after ${before.rest}, a jump`);
      before = { all, rest: count };
    };
    look();
    for (const step of steps) {
      if ("use" in step) {
        const host = `${step.use}.test`;
        hosts.set(host, (hosts.get(host) ?? 0) + step.times);
        all += step.times;
      } else {
        // That takes a minute: somebody looks before it is back.
        if ("forget" in step) hosts.delete(`${step.forget}.test`);
        look();
      }
    }
    look();
  }));
});
