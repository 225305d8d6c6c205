/**
 * Which families of metrics there are, and which of a pool's figures each has.
 *
 * @module
 */

import { VERSION } from "../core/version.ts";
import type { AddressStats } from "../pool/watch/stats.ts";
import type { Labels } from "./metric_text.ts";
import { type MetricWriter, type Source, sum } from "./metric_writer.ts";

const OUTCOMES = { success: "successes", failure: "failures", cancelled: "cancelled" } as const;
const STATES = ["idle", "leased", "draining"] as const;
const CLASSES = ["1xx", "2xx", "3xx", "4xx", "5xx"] as const;

/** Writes all of them; those by address where they are wanted. */
export function writeFamilies(writer: MetricWriter, addresses: boolean): void {
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
}

/** Not about a pool, but about the version. */
function writeBuild({ text }: MetricWriter): void {
  text.family({ name: "hotconn_build_info", type: "gauge", help: "The version of hotconn." });
  text.sample("", { version: VERSION }, 1);
}

function writeConnections(writer: MetricWriter): void {
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
  writer.gauge(
    "set_weights",
    "Weights of addresses that are set by hand.",
    ({ stats }, put) => put({}, stats.weights.length),
  );
}

function writeRequests(writer: MetricWriter): void {
  writer.hostCounters(
    "requests",
    "Requests that have ended, by how.",
    () =>
      Object.entries(OUTCOMES).map(([outcome, name]) => [
        { outcome },
        ({ requests }) => requests[name],
      ]),
  );
  writer.hostCounters(
    "responses",
    "Final answers, by class of status.",
    ({ requests: { statuses } }) =>
      CLASSES.filter((status_class) => statuses[status_class]).map((status_class) => [
        { status_class },
        ({ requests }) => requests.statuses[status_class] ?? 0,
      ]),
  );
  writer.hostCounter(
    "request_retries",
    "Times that a request was sent once more.",
    ({ requests }) => requests.retries,
  );
  writer.hostCounter(
    "request_hedges",
    "Times that a request was sent to a second machine besides, because the first was silent.",
    ({ requests }) => requests.hedges,
  );
  writer.hostCounter(
    "request_hedges_won",
    "Times that the second machine answered.",
    ({ requests }) => requests.hedgesWon,
  );
  writer.hostCounter(
    "request_told_later",
    "Answers that said to come back later: 429 and 503 with a Retry-After.",
    ({ requests }) => requests.toldLater,
  );
  writer.hostCounter(
    "request_waits",
    "Times that a request waited because it was told to come back later.",
    ({ requests }) => requests.waits,
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

function writeLimits(writer: MetricWriter): void {
  writer.gauge("limit_connections", "How many connections there may be.", ({ stats }, put) => {
    const { maxConnections, maxConnectionsPerHost, maxConnectionsPerIp } = stats.limits;
    const limits = {
      total: maxConnections,
      host: maxConnectionsPerHost,
      address: maxConnectionsPerIp,
    };
    // Without a limit there is no sample: a line at infinity cannot be drawn.
    for (const [scope, limit] of Object.entries(limits)) if (limit !== null) put({ scope }, limit);
  });
  writer.gauge("host_limit_connections", "How many a host may have.", ({ hosts }, put) => {
    for (const [host, { maxConnections }] of hosts) {
      if (maxConnections !== null) put({ host }, maxConnections);
    }
  });
  writer.gauge("limit_waiting_callers", "How many callers may wait.", ({ stats }, put) => {
    if (stats.limits.maxWaiters !== null) put({}, stats.limits.maxWaiters);
  });
}

function writeHealth(writer: MetricWriter): void {
  writer.hostCounter(
    "ejections",
    "Times that an address was ejected.",
    ({ ejections }) => ejections,
  );
  writer.hostCounter(
    "resolver_failures",
    "Times that the resolver failed.",
    ({ resolveErrors }) => resolveErrors,
  );
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

function writeTraffic(writer: MetricWriter): void {
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

function writeLeases(writer: MetricWriter): void {
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

function writeDials(writer: MetricWriter): void {
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

/** Nothing for pools without proxies. */
function writeProxies(writer: MetricWriter): void {
  writer.counter("proxy_tunnels", "Tunnels that a proxy has opened.", ({ stats }, put) => {
    for (const { opened, proxy } of stats.proxies) put({ proxy }, opened);
  });
  writer.counter(
    "proxy_failures",
    "Times that a proxy did not open a tunnel.",
    ({ stats }, put) => {
      for (const { failed, proxy } of stats.proxies) put({ proxy }, failed);
    },
  );
  writer.gauge("proxy_good", "Whether a proxy is not avoided.", ({ stats }, put) => {
    for (const { failure, proxy } of stats.proxies) put({ proxy }, failure === null ? 1 : 0);
  });
}

/** Nothing for pools without a fleet. */
function writeFleet(writer: MetricWriter): void {
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

function writeAddresses(writer: MetricWriter): void {
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
