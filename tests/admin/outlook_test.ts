import { assertEquals } from "@std/assert";
import test from "node:test";
import { severityOf } from "../../adapters/admin/answers.ts";
import { outlookOf } from "../../adapters/admin/outlook.ts";
import { percentOf, withinSpan } from "../../adapters/admin/problem.ts";
import type { Recent } from "../../adapters/admin/recent.ts";
import { type Ends, recentWith } from "../support/dashboard_recent.ts";
import { quietScene, type Scene, type SceneFinding } from "../support/dashboard_scenes.ts";

const QUIET = recentWith({ "api.example": { "2xx": 1_000 } });

/** What is said of a pool: the sign, and each problem in a few words. */
function said(
  recent: Recent,
  change: (stats: Scene["stats"]) => void = () => {},
  { closed = false, findings = [] as SceneFinding[] } = {},
): [worst: string, ...problems: string[]] {
  const { stats } = quietScene();
  change(stats);
  const { problems, worst } = outlookOf({ stats, recent, findings, closed } as never);
  return [worst, ...problems.map(({ text }) => text)];
}

const answers = (hosts: { readonly [host: string]: Ends }, change: Partial<Recent> = {}) =>
  said(recentWith(hosts, change));

test("a pool whose callers get what they ask for is well", () => {
  assertEquals(said(QUIET), ["fine"]);
  assertEquals(said(recentWith({})), ["fine"]);
  assertEquals(answers({ "api.example": { "2xx": 900, "3xx": 50, "4xx": 50 } }), ["fine"]);
  assertEquals(answers({ "api.example": { "2xx": 9_997, "5xx": 3 } }), ["fine"]);
});

test("three of ten answers with 500 are trouble, and are said in words", () => {
  assertEquals(answers({ "api.example": { "2xx": 7, "5xx": 3 } }), [
    "critical",
    "api.example: 30 % of answers are 5xx in the last minute",
  ]);
  const { stats } = quietScene();
  const recent = recentWith({ "api.example": { "2xx": 7, "5xx": 3 } }, { ms: 12_000 });
  const [problem] = outlookOf({ stats, recent, findings: [], closed: false } as never).problems;
  assertEquals(
    problem?.message,
    "Of 10 requests to api.example in the last 12 s, 3 were answered with 5xx.",
  );
});

test("what failed counts as what was answered badly does", () => {
  assertEquals(answers({ "a.test": { "2xx": 50, "failed": 50 } }), [
    "critical",
    "a.test: 50 % of requests failed in the last minute",
  ]);
  assertEquals(answers({ "a.test": { "2xx": 80, "5xx": 10, "failed": 10 } }), [
    "critical",
    "a.test: 20 % of requests got 5xx or no answer in the last minute",
  ]);
  assertEquals(answers({ "a.test": { "2xx": 970, "5xx": 30 } }), [
    "warning",
    "a.test: 3 % of answers are 5xx in the last minute",
  ]);
});

test("a small host in trouble is named beside a large one that is well", () => {
  assertEquals(answers({ "big.test": { "2xx": 100_000 }, "small.test": { "5xx": 20 } }), [
    "critical",
    "small.test: 100 % of answers are 5xx in the last minute",
  ]);
});

test("where several hosts are in trouble the whole is said first, and few are named", () => {
  const bad = Object.fromEntries(
    Array.from({ length: 9 }, (_, n) => [`h${n}.test`, { "2xx": 5, "5xx": 5 + n }]),
  );
  const [worst, whole, first, ...others] = answers(bad);
  assertEquals([worst, whole, first], [
    "critical",
    "64 % of answers are 5xx in the last minute",
    "h8.test: 72 % of answers are 5xx in the last minute",
  ]);
  assertEquals(others.length, 4);
});

test("how bad it is follows from the share, and from how many there were", () => {
  for (
    const [bad, all, severity] of [
      [0, 0, undefined],
      [0, 10, undefined],
      [1, 1, "warning"],
      [1, 10, "warning"],
      [1, 11, undefined],
      [2, 4, "critical"],
      [2, 20, "warning"],
      [3, 30, "critical"],
      [3, 31, "warning"],
      [3, 300, "warning"],
      [3, 301, undefined],
      [500, 100_000, undefined],
      [1_000, 100_000, "warning"],
    ] as const
  ) assertEquals(severityOf(bad, all), severity, `${bad} of ${all}`);
});

test("what callers do not feel yet is worth a look", () => {
  assertEquals(answers({ "a.test": { "2xx": 100, "retries": 40 } }), [
    "warning",
    "Requests were sent again 40 times in the last minute",
  ]);
  assertEquals(answers({ "a.test": { "2xx": 100, "hedges": 30 } }), [
    "warning",
    "30 % of requests were sent to a second machine",
  ]);
  assertEquals(answers({ "a.test": { "2xx": 40, "4xx": 60 } }), [
    "warning",
    "60 % of answers are 4xx in the last minute",
  ]);
  assertEquals(said({ ...QUIET, dials: 9, dialErrors: 8 }), [
    "warning",
    "89 % of dials failed in the last minute",
  ]);
  assertEquals(said({ ...QUIET, evicted: { idle: 900, error: 90, unhealthy: 20 } }), [
    "warning",
    "110 connections broke in the last minute",
  ]);
  assertEquals(said({ ...QUIET, waiting: 1 }), ["warning", "1 caller waits"]);
  const requests = { ...QUIET.requests, toldLater: 200 };
  assertEquals(said({ ...QUIET, requests }), [
    "warning",
    "200 answers said to come back later in the last minute",
  ]);
});

test("callers who got no connection in time are trouble", () => {
  assertEquals(said({ ...QUIET, timedOut: 1 }), [
    "warning",
    "1 caller got no connection in time in the last minute",
  ]);
  assertEquals(said({ ...QUIET, acquired: 100, timedOut: 40 }), [
    "critical",
    "40 callers got no connection in time in the last minute",
  ]);
});

test("a closed pool is never well", () => {
  assertEquals(said(QUIET, () => {}, { closed: true }), ["critical", "The pool is closed"]);
});

test("a host whose callers cannot be served is critical, whatever the reason", () => {
  const host = (stats: Scene["stats"]) => stats.hosts["search.example"]!;
  const all = (change: object) => (stats: Scene["stats"]) => {
    for (const address of Object.values(host(stats).addresses)) Object.assign(address, change);
  };
  const resolution = { source: "dns", addresses: [], resolvedAt: null, expiresAt: null };
  const resolved = { ...resolution, ttlMs: null, stale: false, error: null, leftOut: [] };
  for (
    const [change, text] of [
      [all({ standing: "ejected" }), "search.example has no usable address"],
      [
        all({ standing: "gone", deniedBy: "a block of 203.0.113.0/24" }),
        "search.example has no usable address",
      ],
      [
        (stats: Scene["stats"]) =>
          Object.assign(host(stats), {
            addresses: {},
            resolution: { ...resolved, resolvedAt: 1 },
          }),
        "search.example has no address",
      ],
    ] as const
  ) {
    const [worst, first] = said(QUIET, change);
    assertEquals([worst, first], ["critical", text]);
  }
});

test("it is said which addresses answer badly, also where no caller feels it", () => {
  const hosts = { "a.test": { "2xx": 70, "5xx": 30 }, "b.test": { "2xx": 100 } };
  const recent = recentWith(hosts, {
    failing: {
      "a.test": {
        "192.0.2.1": { all: 50, serverErrors: 2 },
        "192.0.2.2": { all: 50, serverErrors: 28 },
      },
      "b.test": {
        "192.0.2.3": { all: 9, serverErrors: 8 },
        "192.0.2.4": { all: 90, serverErrors: 1 },
      },
    },
  });
  const { stats } = quietScene();
  const { problems } = outlookOf({ stats, recent, findings: [], closed: false } as never);
  assertEquals(problems.map(({ text }) => text), [
    "a.test: 30 % of answers are 5xx in the last minute",
    "192.0.2.3 of b.test: 89 % of its answers are 5xx in the last minute",
  ]);
  assertEquals(
    problems[0]?.message,
    "Of 100 requests to a.test in the last minute, 30 were answered with 5xx. "
      + "They came from 192.0.2.2 (28 of 50), 192.0.2.1 (2 of 50).",
  );
});

test("a certificate that ends soon is told in time", () => {
  const ending = (hours: number) => (stats: Scene["stats"]) =>
    Object.assign(stats.hosts["search.example"]!, {
      certificateEndsAt: stats.at + hours * 3_600_000,
    });
  assertEquals(said(QUIET, ending(23)), ["fine"]);
  assertEquals(said(QUIET, ending(5)), [
    "warning",
    "search.example: a certificate ends in 5 hours",
  ]);
  assertEquals(said(QUIET, ending(-1)), [
    "warning",
    "search.example: a certificate has ended",
  ]);
});

test("what the diagnosis finds of a host is said in few words, as bad as it is", () => {
  for (
    const [what, severity, text] of [
      ["panic", "warning", "Fewer than half of search.example\u2019s addresses are good"],
      ["panic", "critical", "search.example has no good address"],
      [
        "resolverFailing",
        "warning",
        "search.example cannot be resolved, its last addresses are used",
      ],
      ["resolverFailing", "critical", "search.example cannot be resolved"],
      ["allToldLater", "warning", "search.example: all say to come back later"],
      ["allDenied", "critical", "No address of search.example may be used"],
    ] as const
  ) {
    const finding = { what, severity, host: "search.example", message: "Long.", advice: "" };
    assertEquals(said(QUIET, () => {}, { findings: [finding] }), [severity, text]);
  }
});

test("a host that nobody has asked for yet, or not for long, is no trouble", () => {
  const change = (stats: Scene["stats"]) =>
    Object.assign(stats.hosts["search.example"]!, { addresses: {}, resolution: null });
  assertEquals(said(QUIET, change), ["fine"]);
  const outdated = (stats: Scene["stats"]) => {
    const host = stats.hosts["search.example"]!;
    Object.assign(host, { resolution: { ...host.resolution, stale: true } });
  };
  assertEquals(said(QUIET, outdated), ["fine"]);
});

test("whatever is counted is found, and what the diagnosis found is said once", () => {
  const eject = (stats: Scene["stats"]) =>
    Object.assign(stats.hosts["api.example"]!.addresses["192.0.2.10"]!, { standing: "ejected" });
  assertEquals(said(QUIET, eject), ["warning", "1 address ejected"]);
  const rest = (stats: Scene["stats"]) =>
    Object.assign(stats.hosts["api.example"]!.addresses["192.0.2.10"]!, {
      toldLater: { status: 503, since: 1, until: 2, restsUntil: 2 },
    });
  assertEquals(said(QUIET, rest), ["warning", "1 address resting"]);
  const finding = {
    severity: "critical",
    what: "panic",
    host: "search.example",
    message: "0 of the 2 addresses of search.example are good.",
    advice: "Look.",
  } as const;
  const panic = (stats: Scene["stats"]) => {
    const { addresses } = Object.assign(stats.hosts["search.example"]!, { panic: true });
    for (const address of Object.values(addresses)) Object.assign(address, { standing: "ejected" });
  };
  assertEquals(said(QUIET, panic, { findings: [finding] }), [
    "critical",
    "search.example has no good address",
    "2 addresses ejected",
  ]);
});

test("what is only for information leaves the pool well", () => {
  const finding = {
    severity: "info",
    what: "proxyUnused",
    message: "The environment names http://10.0.0.1:3128. It is not used.",
    advice: "",
  } as const;
  assertEquals(said(QUIET, () => {}, { findings: [finding] }), [
    "fine",
    "The environment names http://10.0.0.1:3128",
  ]);
});

test("a share is never rounded to all of it, nor to none", () => {
  assertEquals(percentOf(99_999, 100_000), "99.9 %");
  assertEquals(percentOf(1, 100_000), "0.1 %");
  assertEquals(percentOf(0, 10), "0 %");
  assertEquals(percentOf(10, 10), "100 %");
  assertEquals([59_900, 64_000, 300, 600_000].map(withinSpan), [
    "in the last minute",
    "in the last minute",
    "in the last 1 s",
    "in the last 10 min",
  ]);
});
