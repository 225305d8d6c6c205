/**
 * What is wrong with hosts and addresses now, besides what the diagnosis finds.
 *
 * @module
 */

import type { AddressStats, HostStats, PoolStats } from "../../src/pool/watch/stats.ts";
import { plural, type Problem, someOf } from "./problem.ts";

/** The state of a machine for a host. */
type State = "denied" | "resting" | AddressStats["standing"];

/** What the diagnosis finds of a host, and says in its own words. */
const IN_FINDINGS: ReadonlySet<string> = new Set(["allDenied", "panic", "resolverFailing"]);

/** What is wrong with hosts and addresses that the diagnosis has no finding for. */
export function placeProblems(stats: PoolStats, found: readonly Problem[]): Problem[] {
  const problems: Problem[] = [];
  const told = new Set(found.flatMap(({ host, what }) => IN_FINDINGS.has(what) ? [host] : []));
  const inState: { [Name in Told]: Map<string, string[]> } = {
    ejected: new Map(),
    doubtful: new Map(),
    resting: new Map(),
  };
  for (const [host, figures] of Object.entries(stats.hosts)) {
    const states = Object.entries(figures.addresses).map(([address, figures]) => {
      const state = stateOf(figures);
      if (state === "ejected" || state === "doubtful" || state === "resting") {
        const hosts = inState[state].get(address);
        if (hosts) hosts.push(host);
        else inState[state].set(address, [host]);
      }
      return state;
    });
    const problem = told.has(host) ? undefined : hostProblem(host, figures, states);
    if (problem) problems.push(problem);
    const ending = certificateProblem(host, figures, stats.at);
    if (ending) problems.push(ending);
  }
  for (const [state, addresses] of Object.entries(inState) as [Told, Map<string, string[]>][]) {
    if (addresses.size > 0) problems.push(addressesProblem(state, addresses));
  }
  const avoided = stats.proxies.filter(({ failure }) => failure !== null);
  if (avoided.length > 0) {
    problems.push({
      severity: "warning",
      what: "proxies",
      text: `${plural(avoided.length, "proxy is", "proxies are")} avoided`,
      message: `${avoided.length} of ${plural(stats.proxies.length, "proxy", "proxies")} failed: `
        + `${someOf(avoided.map(({ failure, proxy }) => `${proxy}: ${failure}`))}.`,
      advice: "Look whether the proxy is up, and lets this program through.",
    });
  }
  return problems;
}

/** The states of addresses that are shown with how many are in them. */
type Told = "doubtful" | "ejected" | "resting";

const SAID: { readonly [Name in Told]: string } = {
  ejected: "failed so often that no request goes there for a while",
  doubtful: "failed recently, and may fail again",
  resting: "answered 503 and said when to come back, and no request goes there before",
};

function addressesProblem(state: Told, addresses: ReadonlyMap<string, readonly string[]>): Problem {
  const named = Array.from(addresses, ([address, hosts]) => `${address} (${someOf(hosts)})`);
  const some = plural(addresses.size, "address", "addresses");
  return {
    severity: "warning",
    what: state,
    state,
    text: `${some} ${state}`,
    message: `${some} ${SAID[state]}: ${someOf(named)}.`,
    advice: "Open it to see why. It comes back by itself once it does well.",
  };
}

function hostProblem(
  host: string,
  { resolution }: HostStats,
  states: readonly State[],
): Problem | undefined {
  if (states.length === 0) {
    // Nobody has asked for its addresses yet.
    if (resolution === null || resolution.resolvedAt === null) return undefined;
    return {
      severity: "critical",
      what: "noAddress",
      host,
      text: `${host} has no address`,
      message: `The resolver ${resolution.source} knows ${host}, and no address of it.`,
      advice: "Look at its records, and whether they hold addresses of the wanted family.",
    };
  }
  if (!states.some((state) => ["doubtful", "good", "resting"].includes(state))) {
    return {
      severity: "critical",
      what: "noneUsable",
      host,
      text: `${host} has no usable address`,
      message: `None of the ${states.length} addresses of ${host} can be used: `
        + `${someOf(countsOf(states))}.`,
      advice: "Open it to see what keeps each of them from use.",
    };
  }
  if (states.some((state) => state === "good" || state === "resting")) return undefined;
  return {
    severity: "warning",
    what: "noneGood",
    host,
    text: `${host}: every address failed recently`,
    message: `All addresses of ${host} that may be used failed recently: `
      + `${someOf(countsOf(states))}.`,
    advice: "Open it to see what failed.",
  };
}

/** How long before its end a certificate is reported, in milliseconds: some live for only a day. */
const CERTIFICATE_MS = 21_600_000;

function certificateProblem(
  host: string,
  { certificateEndsAt }: HostStats,
  now: number,
): Problem | undefined {
  const leftMs = (certificateEndsAt ?? Infinity) - now;
  if (leftMs > CERTIFICATE_MS) return undefined;
  const minutes = Math.ceil(leftMs / 60_000);
  const when = leftMs <= 0
    ? "has ended"
    : minutes < 120
    ? `ends in ${plural(minutes, "minute", "minutes")}`
    : `ends in ${Math.floor(minutes / 60)} hours`;
  return {
    // Callers feel it as failed dials, which are reported by themselves.
    severity: "warning",
    what: "certificate",
    host,
    text: `${host}: a certificate ${when}`,
    message: `The certificate that a machine of ${host} showed last ${when}. After that no new `
      + "connection to it can be opened.",
    advice: "Renew it, and look at why that did not happen by itself.",
  };
}

/** A block is a denial too. */
function stateOf({ deniedBy, standing, toldLater }: AddressStats): State {
  if (deniedBy !== null) return "denied";
  return standing === "good" && (toldLater?.restsUntil ?? null) !== null ? "resting" : standing;
}

function countsOf(states: readonly State[]): string[] {
  const counts = new Map<State, number>();
  for (const state of states) counts.set(state, (counts.get(state) ?? 0) + 1);
  return Array.from(counts, ([state, count]) => `${count} ${state}`);
}
