/**
 * Pools in trouble, of each kind that the dashboard must not miss: for its tests, and for pictures.
 *
 * @module
 */

import { recentWith, spread } from "./dashboard_recent.ts";
import { hugeScene, quietScene, type Scene, troubledScene } from "./dashboard_scenes.ts";

const SHOP = "api.example";

/** Three of ten answers are 500. */
export function errorsScene(): Scene {
  const made = quietScene();
  made.recent = recentWith({
    "api.example": { "2xx": 840, "4xx": 12, "5xx": 360 },
    "auth.example": { "2xx": 1_200 },
    "search.example": { "2xx": 310, "3xx": 44 },
  });
  return made;
}

/** Answers come late, callers run out of time, and are asked for again elsewhere. */
export function slowScene(): Scene {
  const made = quietScene();
  const ends = { "2xx": 900, "failed": 140, "retries": 320, "hedges": 260 };
  made.recent = recentWith({ [SHOP]: ends, "auth.example": { "2xx": 80 } }, {
    timedOut: 31,
    waiting: 18,
    queue: spread(1_040, 900, 9_800),
    firstByte: spread(900, 1_400, 8_200),
    total: spread(1_040, 2_300, 9_900),
    evicted: { error: 120, unhealthy: 40, lifetime: 20 },
  });
  Object.assign(made.stats.hosts[SHOP]!, { waiting: 18 });
  made.step(0);
  return made;
}

/** A host whose name the resolver does not know, beside others that are well. */
export function unresolvedScene(): Scene {
  const made = quietScene();
  const { hosts } = made.stats;
  const { resolution } = hosts["search.example"]!;
  hosts["zebra.example"] = {
    ...hosts["search.example"]!,
    addresses: {},
    resolution: {
      ...resolution!,
      addresses: [],
      resolvedAt: null,
      expiresAt: null,
      error: "getaddrinfo ENOTFOUND zebra.example",
    },
  };
  made.findings = [{
    severity: "critical",
    what: "resolverFailing",
    host: "zebra.example",
    message: "The resolver dns fails for zebra.example: getaddrinfo ENOTFOUND zebra.example. No "
      + "address of it is known.",
    advice: "Look at the resolver, and whether the name is right.",
  }];
  made.step(0);
  return made;
}

/** Every address of every host refuses. */
export function refusedScene(): Scene {
  const made = quietScene();
  for (const [host, figures] of Object.entries(made.stats.hosts)) {
    Object.assign(figures, { panic: true });
    made.findings.push({
      severity: "critical",
      what: "panic",
      host,
      message: `0 of the ${Object.keys(figures.addresses).length} addresses of ${host} are good.`,
      advice: "Look at why they failed: stats() tells the last verdict of each address.",
    });
    for (const address of Object.values(figures.addresses)) {
      Object.assign(address, {
        ...{ connections: 0, idle: 0, leased: 0, standing: "ejected", failures: 9 },
        standingSince: made.stats.at - 180_000,
        retryAt: made.stats.at + 40_000,
        health: { ...address.health, consecutiveFailures: 9, ejectedFor: "9 failures in a row" },
      });
    }
  }
  const all = Object.keys(made.stats.hosts).map((host) => [host, { failed: 40 }]);
  made.recent = recentWith(Object.fromEntries(all), { dials: 400, dialErrors: 400 });
  made.step(0);
  return made;
}

/** One address is ejected, and the diagnosis has found nothing. */
export function ejectedScene(): Scene {
  const made = quietScene();
  const address = made.stats.hosts[SHOP]!.addresses["192.0.2.12"]!;
  Object.assign(address, {
    ...{ connections: 0, idle: 0, leased: 0, standing: "ejected", failures: 6 },
    standingSince: made.stats.at - 180_000,
    retryAt: made.stats.at + 25_000,
    health: { ...address.health, consecutiveFailures: 6, ejectedFor: "6 failures in a row" },
  });
  made.step(0);
  return made;
}

/** Hosts in every state in which they cannot serve, or hardly: nothing of it may look well. */
export function statesScene(): Scene {
  const made = unresolvedScene();
  const { at, hosts } = made.stats;
  const set = (host: string, change: object) => {
    for (const address of Object.values(hosts[host]!.addresses)) Object.assign(address, change);
  };
  const gone = { connections: 0, idle: 0, leased: 0, standing: "gone" };
  set("auth.example", { ...gone, deniedBy: "the rule 192.0.2.0/24" });
  const toldLater = { since: at - 5_000, until: at + 60_000 };
  set("api.example", { toldLater: { ...toldLater, status: 503, restsUntil: at + 60_000 } });
  Object.assign(hosts["api.example"]!, { toldLater: { ...toldLater, statuses: [503] } });
  set("images.cdn.example", { standing: "doubtful", standingSince: at - 180_000 });
  set("search.example", {
    ...{ connections: 0, idle: 0, picks: 0, failures: 0, latencyMs: null, p50Ms: null },
    ...{ p99Ms: null, health: { ...NO_HEALTH } },
  });
  hosts["empty.example"] = {
    ...hosts["search.example"]!,
    addresses: {},
    resolution: { ...hosts["search.example"]!.resolution!, addresses: [] },
  };
  made.step(0);
  return made;
}

const NO_HEALTH = {
  ...{ verdict: null, lastCheckedAt: null, failures: {}, consecutiveFailures: 0, ejections: 0 },
  ejectedFor: null,
};

/** Scenes by name: what there is a picture of. */
export const TROUBLES: { readonly [name: string]: () => { readonly [pool: string]: Scene } } = {
  well: () => ({ shop: quietScene() }),
  errors: () => ({ shop: errorsScene() }),
  slow: () => ({ shop: slowScene() }),
  unresolved: () => ({ shop: unresolvedScene() }),
  refused: () => ({ shop: refusedScene() }),
  ejected: () => ({ shop: ejectedScene() }),
  states: () => ({ shop: statesScene() }),
  everything: () => ({ shop: troubledScene() }),
  huge: () => ({ shop: hugeScene() }),
  pools: () => ({
    shop: quietScene(),
    payments: errorsScene(),
    search: refusedScene(),
    mail: ejectedScene(),
    reports: quietScene(),
  }),
};
