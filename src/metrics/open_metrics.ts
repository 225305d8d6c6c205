/**
 * The figures of pools as OpenMetrics text, for Prometheus and what speaks its language.
 *
 * @module
 */

import { checkNames, checkNumber, describe } from "../core/check.ts";
import type { HistogramView } from "../core/histogram.ts";
import { VERSION } from "../core/version.ts";
import type { FleetStatus } from "../fleet/fleet.ts";
import { ConnectionPool } from "../pool/pool.ts";
import { LATENCY_BOUNDS_MS, type LatencyStats } from "../pool/watch/latency_counts.ts";
import type { AddressStats, HostStats, PoolStats } from "../pool/watch/stats.ts";
import { type Labels, type MetricFormat, MetricText } from "./metric_text.ts";

/** The media type of the text. */
export const OPEN_METRICS_TYPE: string =
  "application/openmetrics-text; version=1.0.0; charset=utf-8";

/** The media type of the older text. */
export const METRICS_TEXT_TYPE: string = "text/plain; version=0.0.4; charset=utf-8";

/** What the text tells. */
export interface OpenMetricsOptions {
  /**
   * How many hosts of each pool have series of their own; the others share the host `other`, and
   * so does a host of that name. The hosts that came first are told by name, so that a series does
   * not change its meaning.
   *
   * @default {100}
   */
  readonly maxHosts?: number;
  /**
   * Whether the hosts with series of their own have some for each address too: there may be many.
   *
   * @default {false}
   */
  readonly addresses?: boolean;
  /**
   * Whether counters and histograms tell since when they count, in series that end in `_created`.
   *
   * @default {false}
   */
  readonly created?: boolean;
  /**
   * How it is written: by OpenMetrics 1.0, or in the text format 0.0.4 of Prometheus that came before
   * it, for what reads no other.
   *
   * @default {"openMetrics"}
   */
  readonly format?: "openMetrics" | "text";
}

/** A pool and its figures at one moment. */
interface Source {
  readonly pool: string;
  readonly stats: PoolStats;
  readonly fleet: FleetStatus | undefined;
  readonly histograms: ReturnType<ConnectionPool["histograms"]>;
  readonly hosts: readonly (readonly [name: string, stats: HostStats])[];
  /** The hosts that share a name. */
  readonly others: readonly HostStats[];
}

/** Which of the buckets of times are told by host, in milliseconds. */
const HOST_BUCKETS_MS = { min: 1, max: 16_384 };

const OUTCOMES = { success: "successes", failure: "failures", cancelled: "cancelled" } as const;
const STATES = ["idle", "leased", "draining"] as const;
const CLASSES = ["1xx", "2xx", "3xx", "4xx", "5xx"] as const;

/**
 * Tells the figures of pools as OpenMetrics 1.0 text. Every series has the label `pool`.
 *
 * Times are histograms with fixed buckets, from a quarter of a millisecond to half a minute, each
 * twice as long as the one before. Unlike quantiles they can be added up over processes and over
 * time, and an alert can ask what share of requests took too long.
 *
 * @param pools One pool, which is named `default`, or several by name
 * @throws {TypeError | RangeError} An option is not valid
 *
 * @example
 * ```ts
 * import { createPool, openMetrics, staticResolver } from "@hotconn/hotconn";
 * import { memoryDialer } from "@hotconn/hotconn/memory";
 * import { assert } from "@std/assert";
 *
 * await using pool = createPool({
 *   dialer: memoryDialer(),
 *   resolver: staticResolver({ "example.test": ["192.0.2.1"] }),
 * });
 * await pool.warm("example.test", { connections: 2 });
 * const text = openMetrics({ shop: pool });
 * assert(text.includes('hotconn_connections{pool="shop",host="example.test",state="idle"} 2\n'));
 * assert(text.endsWith("# EOF\n"));
 * ```
 */
export function openMetrics(
  pools: ConnectionPool | { readonly [name: string]: ConnectionPool },
  options: OpenMetricsOptions = {},
): string {
  checkNames("openMetrics()", options, ["maxHosts", "addresses", "created", "format"]);
  const { addresses = false, created = false, format = "openMetrics", maxHosts = 100 } = options;
  if (format !== "openMetrics" && format !== "text") {
    throw new TypeError(`format must be "openMetrics" or "text", got ${describe(format)}`);
  }
  checkNumber("maxHosts", maxHosts, { min: 0, whole: true });
  const named = pools instanceof ConnectionPool ? { default: pools } : pools;
  const sources = Object.entries(named).map(([name, pool]) => read(name, pool, maxHosts));
  const writer = new Writer(sources, created, format);
  writeBuild(writer);
  writeConnections(writer);
  writeLimits(writer);
  writeRequests(writer);
  writeHealth(writer);
  writeTraffic(writer);
  writeLeases(writer);
  writeDials(writer);
  writeProxies(writer);
  writeFleet(writer);
  if (addresses) writeAddresses(writer);
  return writer.text.end();
}

function read(pool: string, source: ConnectionPool, maxHosts: number): Source {
  const stats = source.stats();
  // A host of the name that others share is one of them: else its series would be there twice.
  const { other, ...rest } = stats.hosts;
  const hosts = Object.entries(rest);
  const others = hosts.splice(maxHosts).map(([, stats]) => stats);
  if (other) others.push(other);
  const fleet = source.fleet?.status();
  return { pool, stats, fleet, histograms: source.histograms(), hosts, others };
}

/** Writes families over all pools. */
class Writer {
  readonly text: MetricText;
  readonly sources: readonly Source[];
  readonly #created: boolean;

  constructor(sources: readonly Source[], created: boolean, format: MetricFormat) {
    this.text = new MetricText(format);
    this.sources = sources;
    this.#created = created;
  }

  gauge(name: string, help: string, tell: (source: Source, put: Put) => void, unit?: string): void {
    this.text.family({ name: `hotconn_${name}`, type: "gauge", help, ...(unit ? { unit } : {}) });
    for (const source of this.sources) {
      tell(
        source,
        (labels, value) => this.text.sample("", { pool: source.pool, ...labels }, value),
      );
    }
  }

  counter(
    name: string,
    help: string,
    tell: (source: Source, put: Put) => void,
    unit?: string,
  ): void {
    const family = { name: `hotconn_${name}`, type: "counter", help } as const;
    this.text.family({ ...family, ...(unit ? { unit } : {}) });
    for (const source of this.sources) {
      tell(source, (labels, value) => {
        const all = { pool: source.pool, ...labels };
        this.text.sample("_total", all, value);
        if (this.#created) this.text.sample("_created", all, source.stats.since / 1_000);
      });
    }
  }

  histogram(
    name: string,
    help: string,
    tell: (source: Source, put: (labels: Labels, histogram: HistogramView) => void) => void,
  ): void {
    const full = `hotconn_${name}_seconds`;
    this.text.family({ name: full, type: "histogram", unit: "seconds", help });
    for (const source of this.sources) {
      tell(source, (labels, histogram) => {
        const all = { pool: source.pool, ...labels };
        for (const ms of LATENCY_BOUNDS_MS) {
          const within = { ...all, le: `${ms / 1_000}` };
          this.text.sample("_bucket", within, histogram.countUpTo(ms));
        }
        this.text.sample("_bucket", { ...all, le: "+Inf" }, histogram.count);
        this.text.sample("_sum", all, histogram.sum / 1_000);
        this.text.sample("_count", all, histogram.count);
        if (this.#created) this.text.sample("_created", all, source.stats.since / 1_000);
      });
    }
  }

  /** Times by host: in fewer buckets, since there are many hosts. */
  latencies(name: string, help: string): void {
    const full = `hotconn_${name}_seconds`;
    this.text.family({ name: full, type: "histogram", unit: "seconds", help });
    for (const { hosts, others, pool, stats } of this.sources) {
      const put = (host: string, { count, sumMs, upTo }: LatencyStats) => {
        for (const [index, ms] of stats.latencyBoundsMs.entries()) {
          if (ms < HOST_BUCKETS_MS.min || ms > HOST_BUCKETS_MS.max) continue;
          this.text.sample("_bucket", { pool, host, le: `${ms / 1_000}` }, upTo[index] ?? 0);
        }
        this.text.sample("_bucket", { pool, host, le: "+Inf" }, count);
        this.text.sample("_sum", { pool, host }, sumMs / 1_000);
        this.text.sample("_count", { pool, host }, count);
        if (this.#created) this.text.sample("_created", { pool, host }, stats.since / 1_000);
      };
      let rest = stats.latency;
      for (const [host, { latency }] of hosts) {
        rest = without(rest, latency);
        put(host, latency);
      }
      if (others.length > 0 && rest.count > 0) put("other", rest);
    }
  }

  /** A gauge of each host, and of all that share a name. */
  hostGauge(name: string, help: string, tell: (stats: HostStats) => number): void {
    this.gauge(name, help, ({ hosts, others }, put) => {
      for (const [host, stats] of hosts) put({ host }, tell(stats));
      if (others.length > 0) put({ host: "other" }, sum(others, tell));
    });
  }
}

/** What is left of some times without others that are among them. */
function without(all: LatencyStats, some: LatencyStats): LatencyStats {
  return {
    count: all.count - some.count,
    sumMs: Math.max(0, all.sumMs - some.sumMs),
    upTo: all.upTo.map((count, index) => count - (some.upTo[index] ?? 0)),
  };
}

/**
 * Tells a count of each host. Where there are others than those that are told by name, they share
 * what is left of all there was: it never gets less. Without others that would be the counts of hosts
 * that were forgotten, and each of them would look as if it had all happened at once.
 */
function byHost(
  { hosts, others, stats }: Source,
  tell: (stats: PoolStats | HostStats) => number,
  put: (host: string, count: number) => void,
): void {
  let rest = tell(stats);
  for (const [host, stats] of hosts) {
    rest -= tell(stats);
    put(host, tell(stats));
  }
  if (others.length > 0 && rest > 0) put("other", rest);
}

/** Nothing of a pool: which version tells the rest. */
function writeBuild({ text }: Writer): void {
  text.family({ name: "hotconn_build_info", type: "gauge", help: "The version of hotconn." });
  text.sample("", { version: VERSION }, 1);
}

type Put = (labels: Labels, value: number) => void;

function sum<T>(values: readonly T[], tell: (value: T) => number): number {
  return values.reduce((sum, value) => sum + tell(value), 0);
}

function writeConnections(writer: Writer): void {
  writer.gauge("connections", "Connections that are open.", ({ hosts, others }, put) => {
    for (const state of STATES) {
      for (const [host, stats] of hosts) put({ host, state }, stats[state]);
      if (others.length > 0) put({ host: "other", state }, sum(others, (stats) => stats[state]));
    }
  });
  writer.hostGauge(
    "healthy_connections",
    "Open connections that nothing is known to be wrong with.",
    ({ healthy }) => healthy,
  );
  writer.hostGauge(
    "multiplexed_connections",
    "Open connections of HTTP/2, whose leases are streams.",
    ({ multiplexed }) => multiplexed,
  );
  writer.hostGauge(
    "leases_in_flight",
    "Leases under way: over HTTP/2 a connection carries many at once.",
    ({ leases }) => leases,
  );
  writer.hostGauge(
    "lease_capacity",
    "Leases that there may be at once on connections that take new ones.",
    ({ capacity }) => capacity,
  );
  writer.gauge(
    "ending_connections",
    "Connections that are closed whose sockets are not done yet.",
    ({ stats }, put) => put({}, stats.ending),
  );
  writer.gauge(
    "upgraded_connections",
    "Connections in use that go on in another protocol, such as WebSocket.",
    ({ stats }, put) => put({}, stats.upgraded),
  );
  writer.hostGauge("dials_in_flight", "Dials on their way.", ({ dialing }) => dialing);
  writer.hostGauge("waiting_callers", "Callers who wait for a lease.", ({ waiting }) => waiting);
  writer.hostGauge(
    "warm_target_connections",
    "Connections that are to be kept open.",
    ({ warmTarget }) => warmTarget,
  );
  writer.hostGauge(
    "hosts_in_panic",
    "Hosts fewer than half of whose addresses are good.",
    ({ panic }) => panic ? 1 : 0,
  );
  writer.hostGauge(
    "hosts_told_later",
    "Hosts all machines of which say to come back later.",
    ({ toldLater }) => toldLater ? 1 : 0,
  );
  writer.gauge("addresses", "Different addresses of the hosts in use.", ({ stats }, put) => {
    put({ access: "allowed" }, stats.allowedAddresses);
    put({ access: "denied" }, stats.deniedAddresses);
  });
  writer.gauge("blocks", "Blocks that hold.", ({ stats }, put) => put({}, stats.blocks.length));
}

function writeRequests(writer: Writer): void {
  writer.counter("requests", "Requests that have ended, by how.", (source, put) => {
    for (const [outcome, name] of Object.entries(OUTCOMES)) {
      byHost(
        source,
        ({ requests }) => requests[name],
        (host, count) => put({ host, outcome }, count),
      );
    }
  });
  writer.counter("responses", "Final answers, by class of status.", (source, put) => {
    for (const status_class of CLASSES) {
      const tell = ({ requests }: PoolStats | HostStats) => requests.statuses[status_class] ?? 0;
      if (tell(source.stats) === 0) continue;
      byHost(source, tell, (host, count) => put({ host, status_class }, count));
    }
  });
  writer.counter("request_retries", "Times that a request was sent once more.", (source, put) => {
    byHost(source, ({ requests }) => requests.retries, (host, count) => put({ host }, count));
  });
  writer.counter(
    "request_hedges",
    "Times that a request was sent to a second machine besides, because the first was silent.",
    (source, put) => {
      byHost(source, ({ requests }) => requests.hedges, (host, count) => put({ host }, count));
    },
  );
  writer.counter(
    "request_hedges_won",
    "Times that the second machine answered.",
    (source, put) => {
      byHost(source, ({ requests }) => requests.hedgesWon, (host, count) => put({ host }, count));
    },
  );
  writer.counter(
    "request_told_later",
    "Answers that said to come back later: 429 and 503 with a Retry-After.",
    (source, put) => {
      byHost(source, ({ requests }) => requests.toldLater, (host, count) => put({ host }, count));
    },
  );
  writer.counter(
    "request_waits",
    "Times that a request waited because it was told to come back later.",
    (source, put) => {
      byHost(source, ({ requests }) => requests.waits, (host, count) => put({ host }, count));
    },
  );
  writer.histogram(
    "request_duration",
    "Requests that were answered or failed, from their beginning to their last byte.",
    ({ histograms }, put) => put({}, histograms.total),
  );
  writer.histogram(
    "request_first_byte",
    "From a request's first byte to the head of its response.",
    ({ histograms }, put) => put({}, histograms.firstByte),
  );
  writer.latencies("host_request_duration", "The same as hotconn_request_duration, by host.");
}

function writeLimits(writer: Writer): void {
  writer.gauge("limit_connections", "How many connections there may be.", ({ stats }, put) => {
    const { maxConnections, maxConnectionsPerHost, maxConnectionsPerIp } = stats.limits;
    put({ scope: "total" }, maxConnections ?? Infinity);
    put({ scope: "host" }, maxConnectionsPerHost ?? Infinity);
    put({ scope: "address" }, maxConnectionsPerIp ?? Infinity);
  });
  writer.gauge("host_limit_connections", "How many a host may have.", ({ hosts }, put) => {
    for (const [host, { maxConnections }] of hosts) put({ host }, maxConnections ?? Infinity);
  });
  writer.gauge("limit_waiting_callers", "How many callers may wait.", ({ stats }, put) => {
    put({}, stats.limits.maxWaiters ?? Infinity);
  });
}

function writeHealth(writer: Writer): void {
  writer.counter("ejections", "Times that an address was ejected.", (source, put) => {
    byHost(source, ({ ejections }) => ejections, (host, count) => put({ host }, count));
  });
  writer.counter("resolver_failures", "Times that the resolver failed.", (source, put) => {
    byHost(source, ({ resolveErrors }) => resolveErrors, (host, count) => put({ host }, count));
  });
  writer.gauge(
    "certificate_expiry_timestamp_seconds",
    "When the first certificate of a host's machines runs out, in seconds since 1970.",
    ({ hosts }, put) => {
      for (const [host, { certificateEndsAt }] of hosts) {
        if (certificateEndsAt !== null) put({ host }, certificateEndsAt / 1_000);
      }
    },
    "seconds",
  );
}

function writeTraffic(writer: Writer): void {
  writer.counter(
    "received_bytes",
    "Bytes that came, those inside of TLS.",
    ({ stats }, put) => put({}, stats.bytesIn),
    "bytes",
  );
  writer.counter(
    "sent_bytes",
    "Bytes that were sent, those inside of TLS.",
    ({ stats }, put) => put({}, stats.bytesOut),
    "bytes",
  );
}

function writeLeases(writer: Writer): void {
  writer.counter("leases", "Leases that began, on new connections or not.", ({ stats }, put) => {
    put({ reused: "true" }, stats.reused);
    put({ reused: "false" }, stats.acquired - stats.reused);
  });
  writer.counter("leases_ended", "Leases that ended.", ({ stats }, put) => put({}, stats.released));
  writer.counter(
    "acquire_timeouts",
    "Callers whose time ran out.",
    ({ stats }, put) => put({}, stats.timedOut),
  );
  writer.histogram(
    "lease_wait",
    "How long callers waited for their leases.",
    ({ histograms }, put) => put({}, histograms.queue),
  );
}

function writeDials(writer: Writer): void {
  writer.counter("dials", "Dials that began.", ({ stats }, put) => put({}, stats.dials));
  writer.counter(
    "dial_errors",
    "Dials that failed.",
    ({ stats }, put) => put({}, stats.dialErrors),
  );
  writer.counter(
    "connections_opened",
    "Connections that were dialled, to addresses that a resolver told or to others.",
    ({ stats }, put) => {
      put({ address_source: "resolver" }, stats.resolved);
      put({ address_source: "caller" }, stats.opened - stats.resolved);
    },
  );
  writer.counter("connections_closed", "Connections that were closed, by why.", (source, put) => {
    for (const [reason, count] of Object.entries(source.stats.evicted)) put({ reason }, count);
  });
  writer.histogram("handshake_duration", "Handshakes of new connections.", (source, put) => {
    put({ layer: "tcp" }, source.histograms.dial);
    put({ layer: "tls" }, source.histograms.tls);
  });
}

/** Nothing of pools that go over no proxy. */
function writeProxies(writer: Writer): void {
  writer.counter("proxy_ways", "Ways that a proxy has opened.", ({ stats }, put) => {
    for (const { opened, proxy } of stats.proxies) put({ proxy }, opened);
  });
  writer.counter(
    "proxy_failures",
    "Times that a proxy was asked for a way in vain.",
    ({ stats }, put) => {
      for (const { failed, proxy } of stats.proxies) put({ proxy }, failed);
    },
  );
  writer.gauge("proxy_good", "Whether a proxy is not avoided.", ({ stats }, put) => {
    for (const { failure, proxy } of stats.proxies) put({ proxy }, failure === null ? 1 : 0);
  });
}

/** Nothing of pools that are in no fleet. */
function writeFleet(writer: Writer): void {
  writer.gauge("fleet_joined", "Whether the fleet's store answers.", ({ fleet }, put) => {
    if (fleet) put({}, fleet.state === "joined" ? 1 : 0);
  });
  writer.gauge("fleet_members", "Members of the fleet, at the last answer.", ({ fleet }, put) => {
    if (fleet) put({}, fleet.members);
  });
  writer.counter("fleet_requests", "Times that the store was asked.", ({ fleet }, put) => {
    if (fleet) put({}, fleet.requests);
  });
  writer.counter("fleet_failures", "Times that it did not answer.", ({ fleet }, put) => {
    if (fleet) put({}, fleet.failures);
  });
  writer.counter("fleet_hints", "Hints that were heard from members.", ({ fleet }, put) => {
    if (fleet) put({}, fleet.hints);
  });
}

function writeAddresses(writer: Writer): void {
  const each = (
    { hosts }: Source,
    tell: (labels: Labels, stats: AddressStats) => void,
  ) => {
    for (const [host, { addresses }] of hosts) {
      for (const [address, stats] of Object.entries(addresses)) tell({ host, address }, stats);
    }
  };
  writer.gauge("address_connections", "Open connections, by address.", (source, put) => {
    for (const state of STATES) {
      each(source, (labels, stats) => put({ ...labels, state }, stats[state]));
    }
  });
  writer.gauge("address_leases_in_flight", "Leases under way, by address.", (source, put) => {
    each(source, (labels, { leases }) => put(labels, leases));
  });
  writer.gauge(
    "address_lease_capacity",
    "Leases that there may be at once, by address.",
    (source, put) => each(source, (labels, { capacity }) => put(labels, capacity)),
  );
  writer.gauge("address_ceiling", "Connections that a machine was seen to take.", (source, put) => {
    each(source, (labels, { ceiling }) => ceiling !== null && put(labels, ceiling));
  });
  writer.gauge("address_good", "Whether an address is chosen as any other.", (source, put) => {
    each(source, (labels, { standing }) => put(labels, standing === "good" ? 1 : 0));
  });
  writer.gauge(
    "address_told_later_until_timestamp_seconds",
    "When an address says to come back, in seconds since 1970.",
    (source, put) =>
      each(source, (labels, { toldLater }) => {
        if (toldLater) put(labels, toldLater.until / 1_000);
      }),
    "seconds",
  );
  writer.counter("address_leases", "Leases that began, by address.", (source, put) => {
    each(source, (labels, { picks }) => put(labels, picks));
  });
  writer.counter("address_responses", "Answers of an address, by class.", (source, put) => {
    each(source, (labels, { statuses }) => {
      for (const [status_class, count] of Object.entries(statuses)) {
        put({ ...labels, status_class }, count);
      }
    });
  });
  writer.counter("address_ejections", "Times that an address was ejected.", (source, put) => {
    each(source, (labels, { ejections }) => put(labels, ejections));
  });
  writer.counter("address_failures", "Failures, by address.", (source, put) => {
    each(source, (labels, { failures }) => put(labels, failures));
  });
  writer.gauge(
    "address_latency_p99_seconds",
    "What 99 in 100 of the answers of late did not exceed, by a sample.",
    (source, put) =>
      each(source, (labels, { p99Ms }) => {
        if (p99Ms !== null) put(labels, p99Ms / 1_000);
      }),
    "seconds",
  );
}
