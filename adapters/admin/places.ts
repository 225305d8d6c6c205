/**
 * What is wrong with hosts and addresses, by how they stand now.
 *
 * @module
 */

import type { AddressStats, HostStats, PoolStats } from "../../src/pool/watch/stats.ts";
import { plural, type Problem, someOf } from "./problem.ts";

/** How a machine stands with a host. */
type State = "denied" | "resting" | AddressStats["standing"];

/** What is wrong with hosts and addresses that the diagnosis has not found already. */
export function placeProblems(stats: PoolStats, found: readonly Problem[]): Problem[] {
  const problems: Problem[] = [];
  const isFound = (host: string) =>
    found.some((problem) =>
      problem.host === host && ["allDenied", "panic", "resolverFailing"].includes(problem.what)
    );
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
    const problem = isFound(host) ? undefined : hostProblem(host, figures, states);
    if (problem) problems.push(problem);
    const ending = certificateProblem(host, figures, stats.at);
    if (ending) problems.push(ending);
    if (figures.toldLater && !found.some(({ what }) => what === "allToldLater")) {
      problems.push({
        severity: "warning",
        what: "allToldLater",
        host,
        text: `${host}: all say to come back later`,
        message: `Every machine of ${host} has said to come back later.`,
        advice: "Ask less often, or give the host more machines.",
      });
    }
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

/** The states of addresses that are told by how many are in them. */
type Told = "doubtful" | "ejected" | "resting";

const SAID: { readonly [Name in Told]: string } = {
  ejected: "failed so often that no request goes there for a while",
  doubtful: "failed of late, and may do so again",
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
  { panic, resolution }: HostStats,
  states: readonly State[],
): Problem | undefined {
  const about = { severity: "critical", host } as const;
  const error = resolution?.error ?? null;
  if (states.length === 0) {
    // Nobody has asked for its addresses yet.
    if (resolution === null || (error === null && resolution.resolvedAt === null)) return undefined;
    return error === null
      ? {
        ...about,
        what: "noAddress",
        text: `${host} has no address`,
        message: `The resolver ${resolution.source} knows ${host}, and no address of it.`,
        advice: "Look at its records, and whether they hold addresses of the wanted family.",
      }
      : {
        ...about,
        what: "resolverFailing",
        text: `${host} cannot be resolved`,
        message: `The resolver ${resolution.source} fails for ${host}: ${error}.`,
        advice: "Look at the resolver, and whether the name is right.",
      };
  }
  if (!states.some((state) => ["doubtful", "good", "resting"].includes(state))) {
    return {
      ...about,
      what: "noneUsable",
      text: `${host} has no usable address`,
      message: `None of the ${states.length} addresses of ${host} can be used: `
        + `${someOf(countsOf(states))}.`,
      advice: "Open it to see what keeps each of them from use.",
    };
  }
  const good = states.filter((state) => state === "good" || state === "resting").length;
  if (panic) {
    return {
      ...about,
      severity: good > 0 ? "warning" : "critical",
      what: "panic",
      text: good > 0
        ? `Fewer than half of ${host}\u2019s addresses are good`
        : `${host} has no good address`,
      message: `${good} of the ${states.length} addresses of ${host} are good.`,
      advice: "Open it to see why the others failed.",
    };
  }
  if (good === 0) {
    return {
      ...about,
      severity: "warning",
      what: "noneGood",
      text: `${host}: every address failed of late`,
      message: `All addresses of ${host} that may be used failed of late: `
        + `${someOf(countsOf(states))}.`,
      advice: "Open it to see what failed.",
    };
  }
  // Without an error it is old because nobody needed it anew.
  if (error === null) return undefined;
  return {
    ...about,
    severity: "warning",
    what: "resolverFailing",
    text: `${host} is not resolved anew, its old addresses serve`,
    message:
      `The resolver fails for ${host}: ${error}. The addresses that it told last still serve.`,
    advice: "Look at the resolver, and whether the name is right.",
  };
}

/** How long before its end a certificate is told of, in milliseconds: some live for a day alone. */
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
    // Of callers it is felt as failed dials: these are told by themselves.
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
