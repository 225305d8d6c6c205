/**
 * What callers got recently, and whether that is trouble.
 *
 * @module
 */

import { rankOf } from "../../src/pool/watch/findings.ts";
import type { RequestStats } from "../../src/pool/watch/request_counts.ts";
import { percentOf, plural, type Problem, someOf, withinSpan } from "./problem.ts";
import type { Recent } from "./recent.ts";

/**
 * How bad it is when callers got bad answers: `critical` from a tenth on, `warning` from a
 * hundredth on, in both cases of three or more. Of very few requests, one in ten is worth a look,
 * and two are critical where they are half of all.
 */
export function severityOf(bad: number, all: number): "critical" | "warning" | undefined {
  const share = all > 0 ? bad / all : 0;
  if ((bad >= 3 && share >= 0.1) || (bad >= 2 && share >= 0.5)) return "critical";
  return share >= 0.1 || (bad >= 3 && share >= 0.01) ? "warning" : undefined;
}

/** From which share and number something that callers do not notice is worth a look. */
const NOTABLE = { share: 0.2, least: 10 };

/** How many hosts are named one by one. */
const NAMED_HOSTS = 5;

/** Evictions by something that broke the connection. */
const BROKEN = ["error", "unhealthy", "unsolicited"];

interface Trouble {
  readonly host?: string;
  readonly severity: "critical" | "warning";
  readonly failures: number;
  readonly serverErrors: number;
  /** Requests that are one of both, or both: one whose body broke off had a status as well. */
  readonly bad: number;
  readonly all: number;
}

/** What is wrong with what callers got. */
export function answerProblems({ failing, hosts, ms, requests }: Recent): Problem[] {
  const whole = troubleOf(requests);
  const byHost = Object.entries(hosts)
    .flatMap(([host, requests]) => troubleOf(requests, host) ?? [])
    .sort((a, b) => rankOf(a.severity) - rankOf(b.severity) || b.bad - a.bad);
  const named = byHost.slice(0, NAMED_HOSTS);
  // The trouble of the only host is the pool's: it is said once, at the host.
  const isSaid = named.some(({ severity }) => severity === whole?.severity);
  const told = whole && (!isSaid || byHost.length > 1) ? [whole, ...named] : named;
  return [
    ...told.map((trouble) => problemOf(trouble, ms, failing)),
    ...addressProblems(failing, ms, new Set(named.map(({ host }) => host))),
    ...refusals(requests, ms),
  ];
}

/** Addresses that answer badly without callers noticing, because other machines serve them. */
function addressProblems(failing: Recent["failing"], ms: number, hosts: ReadonlySet<unknown>) {
  const problems: Problem[] = [];
  for (const [host, addresses] of Object.entries(failing)) {
    if (hosts.has(host)) continue;
    for (const [address, { all, serverErrors }] of Object.entries(addresses)) {
      if (problems.length >= NAMED_HOSTS || severityOf(serverErrors, all) !== "critical") continue;
      const what = `${percentOf(serverErrors, all)} of its answers are 5xx ${withinSpan(ms)}`;
      problems.push({
        severity: "warning",
        what: "addressErrors",
        ...{ host, address },
        text: `${address} of ${host}: ${what}`,
        message: `Of ${plural(all, "answer", "answers")} of ${address} for ${host} `
          + `${withinSpan(ms)}, ${serverErrors} were 5xx. Callers got most of theirs elsewhere.`,
        advice: "Look at the machine, or block its address until it is well.",
      });
    }
  }
  return problems;
}

/** Which addresses most of a host's answers with 5xx came from. */
function whence(addresses: Recent["failing"][string] = {}): string {
  const entries = Object.entries(addresses).sort(([, a], [, b]) => b.serverErrors - a.serverErrors);
  if (entries.length === 0) return "";
  const texts = entries.map(([address, { all, serverErrors }]) =>
    `${address} (${serverErrors} of ${all})`
  );
  return ` They came from ${someOf(texts)}.`;
}

function troubleOf(requests: RequestStats, host?: string): Trouble | undefined {
  const { failures, statuses, successes } = requests;
  const serverErrors = statuses["5xx"] ?? 0;
  const all = successes + failures;
  const bad = Math.min(all, failures + serverErrors);
  const severity = severityOf(bad, all);
  return severity
    && { ...host !== undefined && { host }, severity, failures, serverErrors, bad, all };
}

function problemOf(trouble: Trouble, ms: number, failing: Recent["failing"]): Problem {
  const { all, bad, failures, host, serverErrors, severity } = trouble;
  const when = withinSpan(ms);
  const share = percentOf(bad, all);
  const what = failures === 0
    ? `${share} of answers are 5xx ${when}`
    : serverErrors === 0
    ? `${share} of requests failed ${when}`
    : `${share} of requests got 5xx or no answer ${when}`;
  const whose = host === undefined ? "" : ` to ${host}`;
  return {
    severity,
    what: serverErrors >= failures ? "serverErrors" : "requestsFailed",
    ...host !== undefined && { host },
    text: host === undefined ? what : `${host}: ${what}`,
    message: `Of ${plural(all, "request", "requests")}${whose} ${when}, `
      + [
        ...serverErrors > 0 ? [`${serverErrors} were answered with 5xx`] : [],
        ...failures > 0 ? [`${failures} failed`] : [],
      ].join(" and ") + "."
      + (host !== undefined && serverErrors > 0 ? whence(failing[host]) : ""),
    advice: serverErrors >= failures
      ? "Look at the servers behind the host. Is it one address alone? Block or drain it."
      : "Look at the events: dialError and evict say what failed, and where.",
  };
}

/** What servers refuse: callers got an answer, with a status of 4xx. */
function refusals({ failures, statuses, successes, toldLater }: RequestStats, ms: number) {
  const all = successes + failures;
  const refused = statuses["4xx"] ?? 0;
  const when = withinSpan(ms);
  const problems: Problem[] = [];
  if (refused >= 2 * NOTABLE.least && refused >= all / 2) {
    problems.push({
      severity: "warning",
      what: "clientErrors",
      text: `${percentOf(refused, all)} of answers are 4xx ${when}`,
      message: `${refused} of ${all} requests were answered with 4xx ${when}.`,
      advice: "Look at what is asked: the paths, the credentials, and how much of it.",
    });
  }
  if (toldLater >= 3 && toldLater >= all / 10) {
    problems.push({
      severity: "warning",
      what: "toldLater",
      text: `${plural(toldLater, "answer", "answers")} said to come back later ${when}`,
      message: `${toldLater} answers were 429 or 503 with Retry-After ${when}.`,
      advice: "Ask less often, or give the host more machines.",
    });
  }
  return problems;
}

/** What is wrong with how the pool gets connections and answers. */
export function workProblems(recent: Recent): Problem[] {
  const { acquired, dialErrors, dials, evicted, ms, requests, timedOut, waiting } = recent;
  const when = withinSpan(ms);
  const problems: Problem[] = [];
  const isNotable = (count: number, all: number) =>
    count >= NOTABLE.least && count >= NOTABLE.share * all;
  if (timedOut > 0) {
    problems.push({
      severity: severityOf(timedOut, acquired + timedOut) ?? "warning",
      what: "timedOut",
      text: `${plural(timedOut, "caller", "callers")} got no connection in time ${when}`,
      message:
        `${plural(timedOut, "caller", "callers")} ran out of time ${when} before there was a `
        + `connection; ${acquired.toLocaleString("en")} got one.`,
      advice: "Look at who waits: is a limit in the way, or does no address answer?",
    });
  }
  if (waiting > 0) {
    problems.push({
      severity: "warning",
      what: "waiting",
      text: plural(waiting, "caller waits", "callers wait"),
      message: `${plural(waiting, "caller waits", "callers wait")} for a connection.`,
      advice:
        "Look at which hosts they wait for. If it lasts, raise the limits, or look at the dials.",
    });
  }
  if (dialErrors >= 5 && dialErrors >= dials / 2) {
    problems.push({
      severity: "warning",
      what: "dialErrors",
      text: `${percentOf(Math.min(dialErrors, dials), dials)} of dials failed ${when}`,
      message: `${dialErrors} of ${plural(dials, "dial", "dials")} failed ${when}.`,
      advice: "The events named dialError say where, and why.",
    });
  }
  const again = requests.retries;
  if (isNotable(again, requests.count)) {
    problems.push({
      severity: "warning",
      what: "retries",
      text: `Requests were sent again ${plural(again, "time", "times")} ${when}`,
      message: `${requests.count} requests were sent once more ${again} times ${when}.`,
      advice: "Callers may not feel it yet. Look at which addresses fail.",
    });
  }
  if (isNotable(requests.hedges, requests.count)) {
    problems.push({
      severity: "warning",
      what: "hedges",
      text: `${
        percentOf(requests.hedges, requests.count)
      } of requests were sent to a second machine`,
      message: `${requests.hedges} of ${requests.count} requests went to a second machine ${when}, `
        + `for the first was silent; it was faster ${plural(requests.hedgesWon, "time", "times")}.`,
      advice: "Look at which addresses are slow.",
    });
  }
  const broken = BROKEN.filter((reason) => (evicted[reason] ?? 0) > 0);
  const count = broken.reduce((sum, reason) => sum + (evicted[reason] ?? 0), 0);
  if (count >= NOTABLE.least && count >= acquired / 10) {
    problems.push({
      severity: "warning",
      what: "evictions",
      text: `${plural(count, "connection", "connections")} broke ${when}`,
      message: `${plural(count, "connection", "connections")} left the pool ${when}, broken: `
        + `${someOf(broken.map((reason) => `${reason} ${evicted[reason]}`))}.`,
      advice: "The events named evict say which, and why.",
    });
  }
  return problems;
}
