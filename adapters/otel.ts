/**
 * Traces and metrics of a pool's requests by OpenTelemetry, in the names of its semantic conventions
 * for HTTP clients. It needs the package `@opentelemetry/api`.
 *
 * @module
 */

import {
  type Attributes,
  context,
  type Counter,
  type Histogram,
  type Meter,
  metrics,
  type ObservableResult,
  type Span,
  type SpanContext,
  SpanKind,
  SpanStatusCode,
  trace,
  type Tracer,
  type UpDownCounter,
} from "@opentelemetry/api";
import { parseHost } from "../src/core/address.ts";
import { checkNames } from "../src/core/check.ts";
import type { HttpPool } from "../src/http/http_pool.ts";
import type { ObservedEnd, ObservedRequest, RequestWatch } from "../src/http/observer.ts";
import { protocolOf } from "../src/http/sessions.ts";
import type { Lease } from "../src/pool/lease/lease.ts";

/** Gives tracers: a `TracerProvider` of OpenTelemetry. */
export interface TracerSource {
  /** Gives a `Tracer`. */
  getTracer(name: string): unknown;
}

/** Gives meters: a `MeterProvider` of OpenTelemetry. */
export interface MeterSource {
  /** Gives a `Meter`. */
  getMeter(name: string): unknown;
}

/** How a pool is instrumented. */
export interface InstrumentOptions {
  /** Where spans go; the global provider where it is left out. */
  readonly tracerProvider?: TracerSource;
  /** Where metrics go; the global provider where it is left out. */
  readonly meterProvider?: MeterSource;
  /**
   * Whether requests carry the span on, in the header fields `traceparent` and `tracestate` (W3C
   * Trace Context). It tells every server that is asked that the request is part of a trace.
   *
   * @default {false}
   */
  readonly propagate?: boolean;
}

const NAME = "hotconn";

/** The methods that stand for themselves: any other could be anything, and many. */
const METHODS: ReadonlySet<string> = new Set([
  "CONNECT",
  "DELETE",
  "GET",
  "HEAD",
  "OPTIONS",
  "PATCH",
  "POST",
  "PUT",
  "QUERY",
  "TRACE",
]);

/** What of a query is a secret by the conventions. */
const SECRETS =
  /([?&](?:AWSAccessKeyId|Signature|sig|X-Goog-Signature|X-Amz-Signature|X-Amz-Security-Token)=)[^&]*/gi;

/** The buckets that the conventions advise, in seconds. */
const BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10];

/**
 * Has each request of a pool traced and measured, until the returned function is called: a client
 * span a request, from its beginning to the last byte of its response, and the metrics
 * `http.client.request.duration`, `http.client.active_requests` and `http.client.open_connections`.
 *
 * The span is a child of the one that is active when the request is made. Its events tell what the
 * pool did: `hotconn.queue`, `hotconn.dial` or `hotconn.reuse`, `hotconn.retry`, `hotconn.hedge`.
 *
 * @throws {TypeError} An option is unknown, or the pool's requests are watched already
 *
 * @example
 * ```ts
 * import { createPool, staticResolver } from "@hotconn/hotconn";
 * import { memoryDialer } from "@hotconn/hotconn/memory";
 * import { instrument } from "@hotconn/hotconn/otel";
 *
 * await using pool = createPool({
 *   dialer: memoryDialer(),
 *   resolver: staticResolver({ "example.test": ["192.0.2.1"] }),
 * });
 * const stop = instrument(pool, { propagate: true });
 * // Every request is traced, and carries its span on.
 * stop();
 * ```
 */
export function instrument(pool: HttpPool, options: InstrumentOptions = {}): () => void {
  checkNames("instrument()", options, ["meterProvider", "propagate", "tracerProvider"]);
  const { meterProvider, propagate = false, tracerProvider } = options;
  const tracer = (tracerProvider ?? trace).getTracer(NAME) as Tracer;
  const meter = (meterProvider ?? metrics).getMeter(NAME) as Meter;
  const meters = makeMeters(meter);
  const off = pool.observe({
    begin: (request) => new TracedRequest(tracer, meters, request, propagate),
  });
  const connections = meter.createObservableUpDownCounter("http.client.open_connections", {
    description: "Connections that are open, in use or idle.",
    unit: "{connection}",
  });
  const observe = (result: ObservableResult) => observeConnections(pool, result);
  connections.addCallback(observe);
  return () => {
    off();
    connections.removeCallback(observe);
  };
}

interface Meters {
  readonly duration: Histogram;
  readonly active: UpDownCounter;
  readonly resent: Counter;
  readonly hedged: Counter;
}

function makeMeters(meter: Meter): Meters {
  return {
    duration: meter.createHistogram("http.client.request.duration", {
      description: "Duration of HTTP client requests.",
      unit: "s",
      advice: { explicitBucketBoundaries: BUCKETS },
    }),
    active: meter.createUpDownCounter("http.client.active_requests", {
      description: "Requests under way.",
      unit: "{request}",
    }),
    resent: meter.createCounter("hotconn.request.resends", {
      description: "Times that a request was sent once more.",
      unit: "{request}",
    }),
    hedged: meter.createCounter("hotconn.request.hedges", {
      description: "Times that a request was sent to a second machine besides.",
      unit: "{request}",
    }),
  };
}

function observeConnections(pool: HttpPool, result: ObservableResult): void {
  for (const [text, { draining, idle, leased }] of Object.entries(pool.stats().hosts)) {
    const { name, port } = parseHost(text);
    const server = { "server.address": name, "server.port": port };
    result.observe(idle, { ...server, "http.connection.state": "idle" });
    result.observe(leased + draining, { ...server, "http.connection.state": "active" });
  }
}

/** A request under way. */
class TracedRequest implements RequestWatch {
  readonly headers?: readonly (readonly [string, string])[];
  readonly #span: Span;
  readonly #meters: Meters;
  readonly #began = performance.now();
  readonly #attributes: Attributes;
  /** Of the protocol that it was sent over last. */
  #version = "1.1";

  constructor(tracer: Tracer, meters: Meters, request: ObservedRequest, propagate: boolean) {
    const { hostname, method, port, url } = request;
    const isKnown = METHODS.has(method);
    this.#meters = meters;
    this.#attributes = {
      "http.request.method": isKnown ? method : "_OTHER",
      "server.address": hostname,
      "server.port": port,
    };
    this.#span = tracer.startSpan(isKnown ? method : "HTTP", {
      kind: SpanKind.CLIENT,
      attributes: {
        ...this.#attributes,
        "url.full": url.replace(SECRETS, "$1REDACTED"),
        ...(isKnown ? {} : { "http.request.method_original": method }),
      },
    }, context.active());
    if (propagate) this.headers = traceHeaders(this.#span.spanContext());
    meters.active.add(1, this.#attributes);
  }

  queued(): void {
    this.#span.addEvent("hotconn.queue");
  }

  sent(lease: Lease): void {
    const { connection, reused, waitedMs } = lease;
    this.#notePeer(lease);
    const about = { "hotconn.connection.id": connection.id, "hotconn.queue_ms": waitedMs };
    const { tcpMs, tlsMs } = connection.socket.info;
    if (reused) this.#span.addEvent("hotconn.reuse", about);
    else {
      const dial = { ...about, "hotconn.tcp_ms": tcpMs, "hotconn.tls_ms": tlsMs };
      this.#span.addEvent("hotconn.dial", dial);
    }
  }

  hedged({ connection }: Lease): void {
    this.#meters.hedged.add(1, this.#attributes);
    this.#span.addEvent("hotconn.hedge", { "network.peer.address": connection.ip });
  }

  hedgeWon(lease: Lease): void {
    this.#notePeer(lease);
    this.#span.setAttribute("hotconn.hedge_won", true);
  }

  #notePeer({ connection }: Lease): void {
    this.#version = protocolOf(connection) === "h2" ? "2" : "1.1";
    this.#span.setAttributes({
      "network.peer.address": connection.ip,
      "network.peer.port": connection.port,
      "network.protocol.name": "http",
      "network.protocol.version": this.#version,
    });
  }

  retried(error: unknown): void {
    this.#meters.resent.add(1, this.#attributes);
    this.#span.addEvent("hotconn.retry", { "error.type": typeOf(error) });
  }

  ended({ attempts, error, outcome, status }: ObservedEnd): void {
    const attributes: Attributes = {};
    if (status > 0) attributes["http.response.status_code"] = status;
    const isRefused = outcome === "successes" && status >= 400;
    if (isRefused) attributes["error.type"] = `${status}`;
    else if (outcome !== "successes") attributes["error.type"] = typeOf(error);
    this.#span.setAttributes(attributes);
    if (attempts > 1) this.#span.setAttribute("http.request.resend_count", attempts - 1);
    if (outcome === "failures") {
      if (error instanceof Error) this.#span.recordException(error);
      const message = error instanceof Error ? error.message : "";
      this.#span.setStatus({ code: SpanStatusCode.ERROR, message });
    } else if (isRefused) this.#span.setStatus({ code: SpanStatusCode.ERROR });
    this.#span.end();
    this.#meters.active.add(-1, this.#attributes);
    const protocol = attempts > 0 ? { "network.protocol.version": this.#version } : {};
    const seconds = (performance.now() - this.#began) / 1_000;
    this.#meters.duration.record(seconds, { ...this.#attributes, ...protocol, ...attributes });
  }
}

/** The span as W3C Trace Context has it; nothing where nobody keeps it. */
function traceHeaders(
  { spanId, traceFlags, traceId, traceState }: SpanContext,
): readonly (readonly [string, string])[] {
  if (/^0*$/.test(traceId)) return [];
  const flags = traceFlags.toString(16).padStart(2, "0");
  const parent = ["traceparent", `00-${traceId}-${spanId}-${flags}`] as const;
  const state = traceState?.serialize() ?? "";
  return state === "" ? [parent] : [parent, ["tracestate", state]];
}

/** The name of an error's class: there are few. */
function typeOf(error: unknown): string {
  return error instanceof Error ? error.name : "_OTHER";
}
