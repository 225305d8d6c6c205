/**
 * A pool's figures at one moment: plain data.
 *
 * @module
 */

import type { Block } from "../../hosts/block_list.ts";
import type { HostInfo } from "../../hosts/directory.ts";
import type { AllTold, ToldLater } from "../../hosts/rests.ts";
import type { EndpointHealth } from "../../hosts/verdict.ts";
import type { SetWeight } from "../../hosts/weights.ts";
import type { Standing } from "../../map/endpoint.ts";
import type { EvictReason } from "../../map/exits.ts";
import type { DebugInfo } from "../../map/manager.ts";
import type { ProxyStats } from "../proxy/routes.ts";
import type { PoolTimes } from "./figures.ts";
import type { LatencyStats } from "./latency_counts.ts";
import type { RequestStats } from "./request_counts.ts";

/** How many there may be, as it holds now; null if there is no limit. */
export interface PoolLimits {
  /** Connections in all. */
  readonly maxConnections: number | null;
  /** Connections to a host that has no limit of its own. */
  readonly maxConnectionsPerHost: number | null;
  /** Connections to an address. */
  readonly maxConnectionsPerIp: number | null;
  /** Connections that nobody uses. */
  readonly maxIdleConnections: number | null;
  /** Callers who wait. */
  readonly maxWaiters: number | null;
}

/** The figures of one host at one address. */
export interface AddressStats {
  /** Connections in the maps: idle, leased and draining. */
  readonly connections: number;
  /** Connections that are ready. */
  readonly idle: number;
  /** Connections in use. */
  readonly leased: number;
  /** Connections in use for the last time. */
  readonly draining: number;
  /** Connections without a known fault. */
  readonly healthy: number;
  /** Connections of HTTP/2: each carries many leases at once, which are its streams. */
  readonly multiplexed: number;
  /** Leases under way: requests, or over HTTP/2 streams. */
  readonly leases: number;
  /** How many there may be at once, on its connections that accept new ones. */
  readonly capacity: number;
  /** Dials under way. */
  readonly dialing: number;
  /**
   * How many connections its machine was seen to take, those to all hosts; null if none was turned
   * away.
   */
  readonly ceiling: number | null;
  /** Its standing: whether callers are sent there. */
  readonly standing: Standing;
  /**
   * Since when, in milliseconds since 1970; null if it was never used, because a rule or block has
   * always denied it.
   */
  readonly standingSince: number | null;
  /** The rule or block that denies it; null if there is none. */
  readonly deniedBy: string | null;
  /** When it is tried again after failures, in milliseconds since 1970; null without failures. */
  readonly retryAt: number | null;
  /** Its last `Retry-After`, with a 429 or 503; null if there is none in force. */
  readonly toldLater: ToldLater | null;
  /** How much load it gets, beside the others of its host. */
  readonly weight: number;
  /** How much of that it gets now: from a tenth up to 1 while it starts slowly. */
  readonly share: number;
  /** Leases that started. */
  readonly picks: number;
  /**
   * The answers that came from it, by class of status, such as `2xx`: those too that no caller saw,
   * because the request went to another machine.
   */
  readonly statuses: { readonly [statusClass: string]: number };
  /** Bytes received from it, inside TLS. */
  readonly bytesIn: number;
  /** Bytes sent to it, inside TLS. */
  readonly bytesOut: number;
  /** How often it was ejected. */
  readonly ejections: number;
  /**
   * When the first certificate of the chain runs out that it showed last and that was verified, in
   * milliseconds since 1970; null if the dialer does not tell, as Deno's own.
   */
  readonly certificateEndsAt: number | null;
  /** How long it is expected to take to answer, in milliseconds; null if unknown. */
  readonly latencyMs: number | null;
  /** The median of its recent answers, in milliseconds; null without any. */
  readonly p50Ms: number | null;
  /** The 99th percentile of a sample of them, in milliseconds; null without any. */
  readonly p99Ms: number | null;
  /** How often it failed, counting every kind of failure. */
  readonly failures: number;
  /** What is known about its failures. */
  readonly health: EndpointHealth;
}

/** The figures of one host. */
export interface HostStats {
  /** Connections in the maps: idle, leased and draining. */
  readonly connections: number;
  /** Connections that are ready. */
  readonly idle: number;
  /** Connections in use. */
  readonly leased: number;
  /** Connections in use for the last time. */
  readonly draining: number;
  /** Connections without a known fault. */
  readonly healthy: number;
  /** Connections of HTTP/2: each carries many leases at once, which are its streams. */
  readonly multiplexed: number;
  /** Dials under way. */
  readonly dialing: number;
  /** Callers who wait. */
  readonly waiting: number;
  /** Leases under way: over HTTP/2 a connection carries many at once, each of them a stream. */
  readonly leases: number;
  /** How many there may be at once, on its connections that accept new ones. */
  readonly capacity: number;
  /** How many connections there may be; null if only the limits of the pool and of addresses hold. */
  readonly maxConnections: number | null;
  /** How many connections are to be kept open. */
  readonly warmTarget: number;
  /** Whether fewer than half of its addresses are good, so that none is left alone. */
  readonly panic: boolean;
  /**
   * Since when all of its machines have said to come back later, and when the first of them may be
   * asked again; null if one has not.
   */
  readonly toldLater: AllTold | null;
  /** Where its addresses come from, and for how long they hold; null if nobody has asked. */
  readonly resolution: HostInfo | null;
  /** How many times one of its addresses was ejected. */
  readonly ejections: number;
  /** How many times the resolver failed for it. */
  readonly resolveErrors: number;
  /** When the first certificate of its addresses runs out, as `certificateEndsAt` there. */
  readonly certificateEndsAt: number | null;
  /** What became of its requests. */
  readonly requests: RequestStats;
  /** How long its requests took that were answered or failed, from their beginning to their end. */
  readonly latency: LatencyStats;
  /** The figures by address. */
  readonly addresses: { readonly [address: string]: AddressStats };
}

/** The figures of a pool. Counts named after something that happens count since it was made. */
export interface PoolStats {
  /** When these figures were taken, in milliseconds since 1970. */
  readonly at: number;
  /** Since when things are counted, in milliseconds since 1970. */
  readonly since: number;
  /** Connections in the maps: idle, leased and draining. */
  readonly connections: number;
  /** Connections that are ready. */
  readonly idle: number;
  /** Connections in use. */
  readonly leased: number;
  /** Connections in use for the last time. */
  readonly draining: number;
  /** Connections without a known fault. */
  readonly healthy: number;
  /** Connections of HTTP/2: each carries many leases at once, which are its streams. */
  readonly multiplexed: number;
  /** Leases under way on connections in the maps: over HTTP/2 each is a stream. */
  readonly leases: number;
  /** How many there may be at once on connections that take new ones. */
  readonly capacity: number;
  /** Connections that have left the maps whose sockets are not done yet. */
  readonly ending: number;
  /** Connections in use that go on in another protocol after an upgrade, such as WebSocket. */
  readonly upgraded: number;
  /** Dials under way. */
  readonly dialing: number;
  /** Callers who wait. */
  readonly waiting: number;
  /** Leases that started. */
  readonly acquired: number;
  /** Leases that started on a connection that had one before. */
  readonly reused: number;
  /** Reused ones as a share of all leases, from 0 to 1; null if there were none. */
  readonly reuseRate: number | null;
  /** Leases that ended. */
  readonly released: number;
  /** Callers whose time ran out. */
  readonly timedOut: number;
  /** Dials that started. */
  readonly dials: number;
  /** Dials that failed. */
  readonly dialErrors: number;
  /** Connections that were dialled. */
  readonly opened: number;
  /**
   * Those among them to addresses that a resolver told, as against addresses that were configured,
   * or named by the caller.
   */
  readonly resolved: number;
  /** Connections that left the maps, by reason. */
  readonly evicted: { readonly [Reason in EvictReason]?: number };
  /** How many times an address was ejected. */
  readonly ejections: number;
  /** How many times the resolver failed. */
  readonly resolveErrors: number;
  /** Bytes received over all connections, inside TLS. */
  readonly bytesIn: number;
  /** Bytes sent over all connections, inside TLS. */
  readonly bytesOut: number;
  /** The limits in force. */
  readonly limits: PoolLimits;
  /** What became of requests. */
  readonly requests: RequestStats;
  /** How long requests took that were answered or failed, from their beginning to their end. */
  readonly latency: LatencyStats;
  /** The times that `latency` counts up to, here and by host, in milliseconds. */
  readonly latencyBoundsMs: readonly number[];
  /** How long things took. */
  readonly times: PoolTimes;
  /** How many different addresses of the hosts in use may be used. */
  readonly allowedAddresses: number;
  /** How many of them may not, by a rule or by a block. */
  readonly deniedAddresses: number;
  /** What is blocked now. */
  readonly blocks: readonly Block[];
  /** The weights that are set by hand, oldest first. */
  readonly weights: readonly SetWeight[];
  /** The figures of the proxies that connections go over, if any do. */
  readonly proxies: readonly ProxyStats[];
  /** The figures by host. */
  readonly hosts: { readonly [host: string]: HostStats };
}

/** A pool's figures, and those of each of its connections: plain data. */
export interface PoolDebugInfo extends DebugInfo {
  /** The pool's figures. */
  readonly stats: PoolStats;
}
