/**
 * The schemas of what the admin router answers, by JSON Schema 2020-12.
 *
 * @module
 */

import type { Schema } from "./schema.ts";

/** A schema of the document, by its name. */
export function ref(name: string): Schema {
  return { $ref: `#/components/schemas/${name}` };
}

/** An object with these properties, and maybe others; all but some are required. */
export function object(
  properties: { readonly [name: string]: Schema },
  optional: readonly string[] = [],
): Schema {
  const required = Object.keys(properties).filter((name) => !optional.includes(name));
  return { type: "object", properties, required };
}

/** A list. */
export function list(items: Schema): Schema {
  return { type: "array", items };
}

/** An object of values by their names. */
export function map(additionalProperties: Schema): Schema {
  return { type: "object", additionalProperties };
}

/** A value, or null. */
export function nullable(schema: Schema): Schema {
  return { anyOf: [schema, { type: "null" }] };
}

/** One of some texts. */
function words(...texts: readonly string[]): Schema {
  return { type: "string", enum: texts };
}

const string: Schema = { type: "string" };
const boolean: Schema = { type: "boolean" };
const number: Schema = { type: "number" };
const count: Schema = { type: "integer", minimum: 0 };
const time: Schema = { type: "number", description: "Milliseconds since 1970" };
const duration: Schema = { type: "number", minimum: 0, description: "Milliseconds" };

const addressStats = {
  connections: count,
  idle: count,
  leased: count,
  multiplexed: count,
  leases: count,
  capacity: count,
  dialing: count,
  ceiling: nullable(count),
  standing: words("good", "doubtful", "ejected", "gone"),
  standingSince: nullable(time),
  deniedBy: nullable(string),
  retryAt: nullable(time),
  toldLater: nullable(object({
    status: { type: "integer" },
    since: time,
    until: time,
    restsUntil: nullable(time),
  })),
  weight: number,
  share: number,
  picks: count,
  statuses: map(count),
  bytesIn: count,
  bytesOut: count,
  ejections: count,
  certificateEndsAt: nullable(time),
  latencyMs: nullable(duration),
  health: ref("EndpointHealth"),
};

const hostStats = {
  connections: count,
  idle: count,
  leased: count,
  multiplexed: count,
  dialing: count,
  waiting: count,
  leases: count,
  capacity: count,
  maxConnections: nullable(count),
  warmTarget: count,
  ejections: count,
  resolveErrors: count,
  certificateEndsAt: nullable(time),
  requests: ref("RequestStats"),
  latency: ref("LatencyStats"),
  panic: boolean,
  toldLater: nullable(object({ since: time, until: time, statuses: list({ type: "integer" }) })),
  resolution: nullable(ref("HostInfo")),
  addresses: map(ref("AddressStats")),
};

const spread = object({
  count,
  p50: nullable(duration),
  p90: nullable(duration),
  p99: nullable(duration),
});

const atGlance = {
  at: time,
  connections: count,
  idle: count,
  leased: count,
  waiting: count,
};

/** Every schema of the document, by its name. */
export const SCHEMAS: { readonly [name: string]: Schema } = {
  Error: object({ error: object({ code: string, message: string }) }),
  Health: object({ status: words("ok", "unavailable") }),
  Pools: object({
    pools: list(object({ name: string })),
    rights: list(words("read", "act")),
  }),
  PoolStats: object({
    at: time,
    connections: count,
    idle: count,
    leased: count,
    draining: count,
    multiplexed: count,
    leases: count,
    capacity: count,
    ending: count,
    upgraded: count,
    dialing: count,
    waiting: count,
    acquired: count,
    reused: count,
    released: count,
    timedOut: count,
    dials: count,
    dialErrors: count,
    evicted: map(count),
    ejections: count,
    resolveErrors: count,
    bytesIn: count,
    bytesOut: count,
    limits: ref("PoolLimits"),
    requests: ref("RequestStats"),
    latency: ref("LatencyStats"),
    latencyBoundsMs: list(duration),
    blocks: list(ref("Block")),
    weights: list(object({ ip: string, weight: number, since: time })),
    proxies: list(object({
      proxy: string,
      opened: count,
      failed: count,
      failure: nullable(string),
      retryAt: nullable(time),
    })),
    hosts: map(ref("HostStats")),
  }),
  PoolLimits: object({
    maxConnections: nullable(count),
    maxConnectionsPerHost: nullable(count),
    maxConnectionsPerIp: nullable(count),
    maxIdleConnections: nullable(count),
    maxWaiters: nullable(count),
  }),
  Options: object({
    options: map(object({ value: {}, isSet: boolean })),
    hosts: map({ type: "object" }),
  }),
  WatchedStats: { allOf: [ref("PoolStats"), object({ outlook: ref("Outlook") })] },
  Outlook: object({
    worst: words("critical", "warning", "fine"),
    problems: list(ref("Problem")),
    recent: ref("Recent"),
    closed: boolean,
  }),
  Problem: object({
    severity: words("info", "warning", "critical"),
    what: string,
    host: string,
    address: string,
    state: words("doubtful", "ejected", "resting"),
    text: string,
    message: string,
    advice: string,
  }, ["host", "address", "state"]),
  Recent: object({
    ms: duration,
    requests: ref("RequestStats"),
    acquired: count,
    reused: count,
    timedOut: count,
    waiting: count,
    dials: count,
    dialErrors: count,
    evicted: map(count),
    bytesIn: count,
    bytesOut: count,
    queue: spread,
    tls: spread,
    firstByte: spread,
    total: spread,
    hosts: map({ allOf: [ref("RequestStats"), object({ latency: spread })] }),
    failing: map(map(object({ all: count, serverErrors: count }))),
  }),
  RequestStats: object({
    count,
    successes: count,
    failures: count,
    cancelled: count,
    successRate: nullable(number),
    retries: count,
    hedges: count,
    hedgesWon: count,
    toldLater: count,
    waits: count,
    statuses: map(count),
  }),
  LatencyStats: object({ count, sumMs: duration, upTo: list(count) }),
  Overview: object({
    pools: list(object({
      name: string,
      ...atGlance,
      worst: words("critical", "warning", "fine"),
      hosts: count,
      addresses: count,
      problems: list(ref("Problem")),
      problemCount: count,
      recent: ref("Recent"),
    })),
  }),
  HostStats: object(hostStats),
  NamedHostStats: object({ host: string, ...hostStats }),
  Hosts: object({ hosts: list(ref("NamedHostStats")) }),
  HostInfo: object({
    source: string,
    addresses: list(string),
    resolvedAt: nullable(time),
    expiresAt: nullable(time),
    ttlMs: nullable(duration),
    stale: boolean,
    error: nullable(string),
    leftOut: list(string),
  }),
  AddressStats: object(addressStats),
  Addresses: object({ addresses: list(ref("MachineStats")) }),
  MachineStats: object({
    address: string,
    ip: string,
    port: { type: "integer", minimum: 1, maximum: 65_535 },
    connections: count,
    hosts: list(object({ host: string, ...addressStats })),
    block: nullable(ref("Block")),
  }),
  EndpointHealth: object({
    verdict: nullable(object({ ok: boolean, reason: string, at: time })),
    failures: map(count),
    consecutiveFailures: count,
    ejections: count,
    ejectedFor: nullable(string),
    lastCheckedAt: nullable(time),
  }),
  Block: object({
    ip: string,
    reason: string,
    since: time,
    until: nullable({ ...time, description: "Null: not before it is unblocked" }),
    untilWell: boolean,
  }, ["reason"]),
  Connection: object({
    id: { type: "integer", minimum: 1 },
    host: string,
    address: string,
    tlsProfile: string,
    state: words("idle", "leased", "draining", "closed"),
    healthy: boolean,
    createdAt: time,
    lastUsedAt: time,
    lastCheckedAt: nullable(time),
    requestCount: count,
    errorCount: count,
    leases: count,
    capacity: count,
    multiplexed: boolean,
    upgraded: nullable(string),
    tls: object({
      alpn: nullable(string),
      localAddress: string,
      remoteAddress: string,
      version: string,
      cipher: string,
      certificateEndsAt: time,
      tcpMs: duration,
      tlsMs: duration,
    }, ["localAddress", "remoteAddress", "version", "cipher", "certificateEndsAt"]),
  }),
  ConnectionPage: object({
    total: count,
    offset: count,
    limit: count,
    connections: list(ref("Connection")),
  }),
  History: object({
    everyMs: duration,
    keptMs: duration,
    hosts: count,
    hostsLeftOut: count,
    kept: boolean,
    samples: list(ref("HistorySample")),
  }),
  HistorySample: object({
    at: time,
    ms: duration,
    connections: count,
    leased: count,
    waiting: count,
    acquired: count,
    reused: count,
    timedOut: count,
    dials: count,
    dialErrors: count,
    evicted: count,
    successes: count,
    failures: count,
    cancelled: count,
    retries: count,
    hedges: count,
    statuses: map(count),
    p50Ms: nullable(duration),
    p99Ms: nullable(duration),
    times: list(list(number)),
  }),
  Findings: object({
    findings: list(object({
      severity: words("info", "warning", "critical"),
      what: string,
      host: string,
      address: string,
      message: string,
      advice: string,
    }, ["host", "address"])),
  }),
  FleetPlace: object({ place: string, connections: count, leased: count, members: count }),
  Fleet: object({
    fleet: nullable(object({
      name: string,
      member: string,
      store: string,
      state: words("joining", "joined", "alone"),
      stateSince: time,
      error: nullable(string),
      members: count,
      peers: list(object({ member: string, since: time, connections: count, leased: count })),
      addresses: list(ref("FleetPlace")),
      hosts: list(ref("FleetPlace")),
      caps: list(object({ key: string, cap: nullable(count), used: count, permits: count })),
      verdicts: list(object({
        member: string,
        host: string,
        address: string,
        reason: string,
        at: time,
        until: time,
      })),
      requests: count,
      failures: count,
      hints: count,
      foreign: count,
    })),
  }),
  AddressFailure: object({
    address: string,
    error: object({ name: string, code: string, message: string }, ["name", "code", "message"]),
    retryAt: nullable(time),
  }),
  Limits: object({
    maxConnections: nullable(count),
    maxConnectionsPerHost: nullable(count),
    maxConnectionsPerIp: nullable(count),
  }),
};
