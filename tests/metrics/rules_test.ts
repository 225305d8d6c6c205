import { assert, assertEquals } from "@std/assert";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import test from "node:test";
import { openMetrics } from "../../src/metrics/open_metrics.ts";
import { readDocument } from "../support/documents.ts";
import { memoryPool } from "../support/memory_pool.ts";
import { findProgram } from "../support/services.ts";

const promtool = findProgram("promtool");
const skip = promtool ? false : "promtool is not installed";
const rules = readDocument("docs/alerts.yml");
const page = readDocument("docs/operating.md");
const dashboard = JSON.parse(readDocument("docs/grafana.json"));

/** Runs promtool over files, and gives what it objects to. */
function ask(files: { readonly [name: string]: string }, ...args: readonly string[]): string {
  const folder = mkdtempSync(path.join(tmpdir(), "hotconn-rules-"));
  try {
    for (const [name, text] of Object.entries(files)) {
      writeFileSync(path.join(folder, name), text);
    }
    const done = spawnSync(promtool!, args, { cwd: folder, encoding: "utf8" });
    return done.status === 0 ? "" : `${done.stdout}${done.stderr}`;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** The series that there are, without the suffixes of their samples. */
async function families(): Promise<Set<string>> {
  await using it = memoryPool();
  const text = openMetrics(it.pool, { addresses: true });
  return new Set(Array.from(text.matchAll(/^# TYPE (\S+)/gm), ([, name = ""]) => name));
}

function namesIn(expression: string): string[] {
  const names = expression.match(/hotconn_\w+/g) ?? [];
  return names.map((name) => name.replace(/_(total|bucket|sum|count)$/, ""));
}

const alerts = rules.split("- alert: ").slice(1).map((text) => ({
  text,
  name: /^\w+/.exec(text)![0],
  expr: text.slice(text.indexOf("expr:"), text.indexOf("for:")),
}));

/** A heading as a place in its page, as GitHub names it. */
function placeOf(heading: string): string {
  return heading.toLowerCase().replace(/[^\w -]/g, "").replaceAll(" ", "-");
}

test("Prometheus takes the alerts", { skip }, () => {
  assertEquals(ask({ "a.yml": rules }, "check", "rules", "a.yml"), "");
  const broken = rules.replace("sum by (job", "sum by ((job");
  assert(ask({ "a.yml": broken }, "check", "rules", "a.yml") !== "", "Nothing is refused");
});

test("each alert keeps who it is about, has a severity, and leads to a section that is there", async () => {
  const places = new Set(
    Array.from(page.matchAll(/^#+ (.*)$/gm), ([, title = ""]) => placeOf(title)),
  );
  const known = await families();
  assert(alerts.length >= 10);
  for (const { expr, name, text } of alerts) {
    for (const [, labels = ""] of expr.matchAll(/by \(([^)]*)\)/g)) {
      assert(labels.startsWith("job, instance, pool"), `${name} is by ${labels}`);
    }
    assert(/severity: (critical|warning|info)$/m.test(text), name);
    const [, place = ""] = /runbook: "docs\/operating\.md#([^"]+)"/.exec(text) ?? [];
    assert(places.has(place), `${name} leads to ${place}`);
    assert(page.includes(`| \`${name}\``), `${name} is not in the page`);
    for (const series of namesIn(expr)) assert(known.has(series), `${name} asks for ${series}`);
  }
});

interface Scene {
  readonly interval: string;
  readonly input_series: readonly object[];
  readonly alert_rule_test: readonly [
    {
      readonly eval_time: string;
      readonly alertname: string;
      readonly exp_alerts: readonly object[];
    },
  ];
}

const isRaised = ({ alert_rule_test: [{ exp_alerts }] }: Scene): boolean => exp_alerts.length > 0;

/** A scene of promtool's: what comes each minute, and who is alerted after twenty, or so long. */
function scene(
  alertname: string,
  series: { readonly [series: string]: string },
  expected: readonly object[],
  evalTime = "20m",
): Scene {
  return {
    interval: "1m",
    input_series: Object.entries(series).map(([series, values]) => ({ series, values })),
    alert_rule_test: [{ eval_time: evalTime, alertname, exp_alerts: expected }],
  };
}

const AT = "job=\"shop\",instance=\"one:80\",pool=\"main\"";
const LABELS = { job: "shop", instance: "one:80", pool: "main" };

function alert(severity: string, summary: string, place: string, more: object = {}): object {
  return {
    exp_labels: { ...LABELS, severity, ...more },
    exp_annotations: { summary, runbook: `docs/operating.md#${place}` },
  };
}

test("the alerts are raised for who is in trouble, and for nobody else", { skip }, () => {
  const rare = { "hotconn_dials_total": "0+1x25", "hotconn_dial_errors_total": "0+1x25" };
  const few = { "hotconn_dials_total": "0+2x25", "hotconn_dial_errors_total": "0+2x25" };
  const well = { "hotconn_dials_total": "0+2x25", "hotconn_dial_errors_total": "0+1x25" };
  const many = { "hotconn_dials_total": "0+120x25", "hotconn_dial_errors_total": "0+100x25" };
  const at = (series: { readonly [name: string]: string }, labels = AT) =>
    Object.fromEntries(
      Object.entries(series).map(([name, values]) => [`${name}{${labels}}`, values]),
    );
  const host = { host: "a.test" };
  const atHost = `${AT},host="a.test"`;
  const tests = [
    // A quiet program dials seldom, and is to be heard all the same.
    scene("HotconnDialsFail", at(rare), []),
    scene("HotconnDialsFail", at(well), []),
    scene("HotconnDialsFail", at(few), [
      alert("warning", "Half of the dials of main fail", "dials-fail"),
    ]),
    scene("HotconnDialsFail", at(many), [
      alert("warning", "Half of the dials of main fail", "dials-fail"),
    ]),
    scene("HotconnCallersWait", at({ hotconn_waiting_callers: "11x25" }, atHost), [
      alert("warning", "11 callers of main wait for a.test", "requests-wait", host),
    ]),
    scene("HotconnRequestsFail", {
      [`hotconn_requests_total{${atHost},outcome="success"}`]: "0+98x25",
      [`hotconn_requests_total{${atHost},outcome="failure"}`]: "0+2x25",
    }, [alert("critical", "More than 1% of requests to a.test fail", "requests-fail", host)]),
    scene("HotconnServerErrors", {
      [`hotconn_responses_total{${atHost},status_class="2xx"}`]: "0+1000x25",
      [`hotconn_responses_total{${atHost},status_class="5xx"}`]: "0+2x25",
    }, []),
    scene("HotconnServerErrors", {
      [`hotconn_responses_total{${atHost},status_class="2xx"}`]: "0+98x25",
      [`hotconn_responses_total{${atHost},status_class="5xx"}`]: "0+2x25",
    }, [
      alert(
        "critical",
        "More than 1% of the answers of a.test are server errors",
        "servers-answer-with-errors",
        host,
      ),
    ]),
    scene("HotconnAcquireTimeouts", at({ hotconn_acquire_timeouts_total: "0+2x25" }), [
      alert("critical", "Callers of main get no connection in time", "requests-wait"),
    ]),
    scene("HotconnPanic", at({ hotconn_hosts_in_panic: "1x25" }, atHost), [
      alert(
        "critical",
        "Fewer than half of the addresses of a.test are good",
        "a-host-is-in-panic",
        host,
      ),
    ]),
    scene("HotconnToldLater", at({ hotconn_hosts_told_later: "1x25" }, atHost), [
      alert(
        "warning",
        "All machines of a.test say to come back later",
        "all-machines-of-a-host-say-to-come-back-later",
        host,
      ),
    ]),
    scene("HotconnColdConnections", {
      [`hotconn_leases_total{${AT},reused="true"}`]: "0+7x45",
      [`hotconn_leases_total{${AT},reused="false"}`]: "0+3x45",
    }, [
      alert("warning", "A fifth of the leases of main need a new connection", "many-handshakes"),
    ], "40m"),
    scene("HotconnFlapping", at({ hotconn_ejections_total: "0+1x45" }, atHost), [
      alert(
        "warning",
        "Addresses of a.test are ejected time and again",
        "a-machine-comes-and-goes",
        host,
      ),
    ], "40m"),
    scene(
      "HotconnCertificateEnds",
      // Four days after the time that the scene begins at, which is 1970.
      at({ hotconn_certificate_expiry_timestamp_seconds: `${4 * 86_400 + 7_200}x125` }, atHost),
      [
        alert(
          "warning",
          "A certificate of a.test runs out in 4d 0h 0m 0s",
          "a-certificate-runs-out",
          host,
        ),
      ],
      "2h",
    ),
    scene(
      "HotconnAddressDown",
      at({ hotconn_address_good: "0x25" }, `${atHost},address="192.0.2.1:443"`),
      [
        alert("info", "192.0.2.1:443 of a.test is not good", "a-machine-is-down", {
          ...host,
          address: "192.0.2.1:443",
        }),
      ],
    ),
    scene("HotconnResolverFails", at({ hotconn_resolver_failures_total: "0+1x25" }, atHost), [
      alert("warning", "The resolver fails for a.test", "resolveerror", host),
    ]),
    scene("HotconnSlow", {
      [`hotconn_host_request_duration_seconds_bucket{${atHost},le="1.024"}`]: "0+90x25",
      [`hotconn_host_request_duration_seconds_count{${atHost}}`]: "0+100x25",
    }, [
      alert(
        "warning",
        "More than 1% of requests to a.test take longer than a second",
        "it-is-slower-than-it-should-be",
        host,
      ),
    ]),
  ];
  // Each of them can be raised: a rule that asks for too much would be silent for ever.
  assertEquals(
    new Set(tests.filter(isRaised).map(({ alert_rule_test: [{ alertname }] }) => alertname)),
    new Set(alerts.map(({ name }) => name)),
  );
  const files = { "a.yml": rules, "test.yml": JSON.stringify({ rule_files: ["a.yml"], tests }) };
  assertEquals(ask(files, "test", "rules", "test.yml"), "");
});

interface Panel {
  readonly id: number;
  readonly title: string;
  readonly description: string;
  readonly gridPos: {
    readonly x: number;
    readonly y: number;
    readonly w: number;
    readonly h: number;
  };
  readonly targets: readonly { readonly refId: string; readonly expr: string }[];
}

test("the dashboard for Grafana asks for series that there are, in their own places", async () => {
  const panels: readonly Panel[] = dashboard.panels;
  const known = await families();
  const variables: readonly { readonly name: string; readonly query: unknown }[] =
    dashboard.templating.list;
  assertEquals(variables.map(({ name }) => name), [
    "datasource",
    "job",
    "instance",
    "pool",
    "host",
  ]);
  assertEquals(new Set(panels.map(({ id }) => id)).size, panels.length);
  const corners = panels.map(({ gridPos: { x, y } }) => `${x} ${y}`);
  assertEquals(new Set(corners).size, panels.length);
  for (const { description, gridPos, targets, title } of panels) {
    assert(gridPos.x + gridPos.w <= 24 && description !== "", title);
    assertEquals(new Set(targets.map(({ refId }) => refId)).size, targets.length, title);
    for (const { expr } of targets) {
      for (const series of namesIn(expr)) assert(known.has(series), `${title}: ${series}`);
      for (const [, name = ""] of expr.matchAll(/\$(?!__)(\w+)/g)) {
        assert(variables.some((variable) => variable.name === name), `${title}: $${name}`);
      }
    }
  }
  for (const series of namesIn(JSON.stringify(variables))) assert(known.has(series), series);
});

test("Prometheus can read each question of the dashboard for Grafana", { skip }, () => {
  const expressions = (dashboard.panels as readonly Panel[]).flatMap(({ targets }) =>
    targets.map(({ expr }) => expr.replaceAll("$__rate_interval", "5m").replace(/\$\w+/g, ".*"))
  );
  const groups = [{
    name: "grafana",
    rules: expressions.map((expr, index) => ({ record: `question_${index}`, expr })),
  }];
  assertEquals(ask({ "q.yml": JSON.stringify({ groups }) }, "check", "rules", "q.yml"), "");
});
