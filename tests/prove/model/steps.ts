/**
 * What may happen to a pool: a world that it is made in, and steps, as plain data, so that a program
 * of them can be cut short, printed and run again.
 *
 * @module
 */

import type { TlsVersion } from "../../../src/core/dialer.ts";
import type { DialFailure, DialPhase } from "../../../src/core/errors.ts";
import type { BalancerName } from "../../../src/hosts/balancer.ts";
import type { ConnectionLimits } from "../../../src/map/accountant.ts";
import { Random } from "../../support/random.ts";

/** The machines that there are. */
export const MACHINES: readonly string[] = [1, 2, 3, 4, 5].map((end) => `192.0.2.${end}`);

/** The hosts, with the machines that each has at first. */
export const HOSTS: { readonly [host: string]: readonly string[] } = {
  "a.test": MACHINES.slice(0, 3),
  "b.test": MACHINES.slice(2),
  "c.test": MACHINES.slice(2, 3),
};

const NAMES = Object.keys(HOSTS);

/** What a pool is made with. */
export interface World {
  readonly seed: number;
  readonly limits: ConnectionLimits;
  readonly maxIdleConnections: number;
  readonly maxWaiters: number;
  readonly maxConcurrentDials: number;
  readonly maxConcurrentDialsPerHost: number;
  readonly maxRetries: number;
  readonly idleTimeoutMs: number;
  readonly maxLifetimeMs: number;
  readonly ejectAfterFailures: number;
  readonly ejectionMs: number;
  readonly slowStartMs: number;
  readonly balancer: BalancerName;
  /** How many connections of `a.test` are kept warm from the start. */
  readonly minIdle: number;
  readonly checks: boolean;
}

/** How a caller asks. */
export interface Ask {
  readonly timeoutMs?: number;
  readonly ip?: string;
  readonly exclude?: readonly string[];
  readonly sticky?: string;
  /** For one of several leases of a connection at once, as HTTP/2 has them. */
  readonly shared?: true;
}

/** How dials of a machine go. */
export interface Weather {
  /** `null` is a black hole. */
  readonly delayMs: number | null;
  readonly failure?: DialFailure;
  readonly phase?: DialPhase;
  /** How many leases a connection carries at once, where they can share it. */
  readonly streams?: number;
}

/** How the resolver answers for a host. */
export interface Told {
  /** None: it fails. */
  readonly addresses?: readonly string[];
  /** `null` is never. */
  readonly delayMs: number | null;
  readonly ttlMs?: number;
}

/** One thing that happens. A number names one of those that there are then, counted round. */
export type Step =
  | readonly ["acquire", host: string, ask: Ask]
  | readonly ["try", host: string]
  | readonly ["release", lease: number, how: "well" | "unfit" | "error" | "twice"]
  | readonly ["abort", caller: number]
  | readonly ["warm", host: string, connections: number]
  | readonly ["stop warming", warmUp: number]
  | readonly ["drain", hostOrIp: string]
  | readonly ["remove", connection: number]
  | readonly ["block", ip: string, options: { readonly forMs?: number; readonly untilWell?: true }]
  | readonly ["unblock", ip: string]
  | readonly ["weigh", ip: string, weight: number | null]
  | readonly ["deny", ips: readonly string[]]
  | readonly ["resolver", host: string, told: Told]
  | readonly ["machine", address: string, weather: Weather]
  | readonly ["peer", socket: number, what: "ends" | "resets" | "speaks"]
  | readonly ["goaway", connection: number]
  | readonly ["streams", connection: number, streams: number]
  | readonly ["limits", limits: Partial<ConnectionLimits>]
  | readonly ["tls", minVersion: TlsVersion | null, host: string | null]
  | readonly ["pass", ms: number]
  | readonly ["jump", ms: number]
  | readonly ["wall", ms: number]
  | readonly ["close", graceMs: number];

/** A world and what happens in it. */
export interface Program {
  readonly world: World;
  readonly steps: readonly Step[];
}

/** Makes a world and so many steps, by a seed. */
export function makeProgram(seed: number, steps: number): Program {
  const random = new Random(seed);
  const world = makeWorld(seed, random);
  return { world, steps: Array.from({ length: steps }, () => makeStep(random)) };
}

function makeWorld(seed: number, random: Random): World {
  return {
    seed,
    limits: {
      maxConnections: 1 + random.below(12),
      maxConnectionsPerHost: 1 + random.below(8),
      maxConnectionsPerIp: 1 + random.below(5),
    },
    maxIdleConnections: random.pick([0, 1, 3, 100]),
    maxWaiters: random.pick([0, 1, 5, 100]),
    maxConcurrentDials: random.pick([1, 2, 100]),
    maxConcurrentDialsPerHost: random.pick([1, 3, 100]),
    maxRetries: random.below(3),
    idleTimeoutMs: random.pick([300, 2_000, 60_000]),
    maxLifetimeMs: random.pick([1_000, 8_000, 1_800_000]),
    ejectAfterFailures: random.pick([1, 2, 5]),
    ejectionMs: random.pick([500, 5_000]),
    slowStartMs: random.pick([0, 2_000]),
    balancer: random.pick(["p2cEwma", "leastLeased", "roundRobin", "random", "weighted", "sticky"]),
    minIdle: random.weighted([[3, 0], [1, 1], [1, 2]]),
    checks: random.chance(0.2),
  };
}

const KINDS: readonly (readonly [weight: number, make: (random: Random) => Step])[] = [
  [30, (random) => ["acquire", random.pick(NAMES), makeAsk(random)]],
  [3, (random) => ["try", random.pick(NAMES)]],
  [20, (random) => [
    "release",
    random.below(20),
    random.weighted([[12, "well"], [2, "unfit"], [2, "error"], [1, "twice"]]),
  ]],
  [3, (random) => ["abort", random.below(20)]],
  [2, (random) => ["warm", random.pick(NAMES), random.below(4)]],
  [0.5, (random) => ["stop warming", random.below(5)]],
  [1, (random) => ["drain", random.pick([...NAMES, ...MACHINES])]],
  [0.5, (random) => ["remove", random.below(20)]],
  [1, (random) => ["block", random.pick(MACHINES), makeBlock(random)]],
  [1, (random) => ["unblock", random.pick(MACHINES)]],
  [1, (random) => ["weigh", random.pick(MACHINES), random.pick([null, 0, 0, 1, 3])]],
  [0.5, (random) => ["deny", MACHINES.filter(() => random.chance(0.2))]],
  [2, (random) => ["resolver", random.pick(NAMES), makeTold(random)]],
  [8, (random) => ["machine", random.pick(MACHINES), makeWeather(random)]],
  [4, (random) => [
    "peer",
    random.below(20),
    random.weighted([[3, "ends"], [2, "resets"], [1, "speaks"]]),
  ]],
  [1, (random) => ["goaway", random.below(20)]],
  [1, (random) => ["streams", random.below(20), random.below(4)]],
  [1, (random) => ["limits", makeLimits(random)]],
  [
    0.5,
    (random) => {
      const host = random.pick([null, ...NAMES]);
      // Only a host can have its own taken away.
      return ["tls", random.pick(["TLSv1.2", "TLSv1.3", ...host === null ? [] : [null]]), host];
    },
  ],
  [
    28,
    (
      random,
    ) => ["pass", random.weighted([[6, random.below(30)], [2, random.below(300)], [1, 2_000]])],
  ],
  [1, (random) => ["jump", random.weighted([[4, random.below(1_000)], [1, 90_000]])]],
  [0.5, (random) => ["wall", random.pick([-60_000, 60_000, 7_200_000])]],
  [0.05, (random) => ["close", random.pick([0, 100, 5_000])]],
];

function makeStep(random: Random): Step {
  return random.weighted(KINDS)(random);
}

function makeAsk(random: Random): Ask {
  return {
    ...random.chance(0.3) && { timeoutMs: random.below(500) },
    ...random.chance(0.25) && { shared: true },
    ...random.weighted([
      [8, {}],
      [1, { ip: random.pick(MACHINES) }],
      [1, { exclude: [random.pick(MACHINES)] }],
      [1, { sticky: `${random.below(5)}` }],
    ]),
  };
}

function makeBlock(random: Random): { readonly forMs?: number; readonly untilWell?: true } {
  return random.pick([{}, { forMs: 1 + random.below(3_000) }, { untilWell: true }]);
}

function makeTold(random: Random): Told {
  const delayMs = random.weighted([[6, 0], [2, random.below(200)], [1, null]]);
  if (random.chance(0.2)) return { delayMs };
  const addresses = MACHINES.filter(() => random.chance(0.5));
  if (addresses.length === 0) addresses.push(random.pick(MACHINES));
  return { addresses, delayMs, ...random.chance(0.5) && { ttlMs: random.below(10_000) } };
}

function makeWeather(random: Random): Weather {
  const delayMs = random.weighted([[6, random.below(40)], [1, 350], [1, null]]);
  const streams = random.chance(0.5) ? { streams: 1 + random.below(4) } : {};
  return random.weighted<Weather>([
    [6, { delayMs, ...streams }],
    [2, { delayMs, failure: "refused" }],
    [1, { delayMs, failure: "reset", phase: "tls" }],
    [1, { delayMs, failure: "certificate", phase: "tls" }],
  ]);
}

function makeLimits(random: Random): Partial<ConnectionLimits> {
  const most = 1 + random.below(8);
  return random.pick([
    { maxConnections: most },
    { maxConnectionsPerHost: most },
    { maxConnectionsPerIp: most },
  ]);
}
