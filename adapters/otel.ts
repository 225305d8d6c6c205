/**
 * Traces and metrics of a pool's requests by OpenTelemetry, named after its semantic conventions for
 * HTTP clients. It needs the package `@opentelemetry/api`.
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
  propagation,
  type Span,
  type SpanContext,
  SpanKind,
  SpanStatusCode,
  trace,
  type Tracer,
  type UpDownCounter,
} from "@opentelemetry/api";
import { parseAddress, parseHost } from "../src/core/address.ts";
import { checkNames, describe } from "../src/core/check.ts";
import { HostUnavailableError } from "../src/core/errors.ts";
import { VERSION } from "../src/core/version.ts";
import type { HttpPool } from "../src/http/http_pool.ts";
import type { ObservedEnd, ObservedRequest, RequestWatch } from "../src/http/observer.ts";
import { protocolOf } from "../src/http/sessions.ts";
import type { Lease } from "../src/pool/lease/lease.ts";

/** Returns tracers: a `TracerProvider` of OpenTelemetry. */
export interface TracerSource {
  /** Returns a `Tracer`. */
  getTracer(name: string, version?: string): unknown;
}

/** Returns meters: a `MeterProvider` of OpenTelemetry. */
export interface MeterSource {
  /** Returns a `Meter`. */
  getMeter(name: string, version?: string): unknown;
}

/** A span, as a hook may add to it. */
export interface HookedSpan {
  /** Sets an attribute. */
  setAttribute(name: string, value: string | number | boolean): unknown;
  /** Adds an event. */
  addEvent(name: string): unknown;
}

/** How a pool is instrumented. */
export interface InstrumentOptions {
  /**
   * The pool's name, which spans and metrics have as `hotconn.pool.name`, to tell your pools apart.
   * Those without a name, or with the same one, are measured together. The semantic conventions know
   * a pool's name for databases only.
   */
  readonly name?: string | undefined;
  /** Where spans go; by default the global provider. */
  readonly tracerProvider?: TracerSource | undefined;
  /** Where metrics go; by default the global provider. */
  readonly meterProvider?: MeterSource | undefined;
  /**
   * Whether requests pass the trace context on. The propagators that the program has set up do it,
   * baggage included. If there are none, it goes into the header fields `traceparent` and
   * `tracestate` (W3C Trace Context). It tells every server you call that the request is part of a
   * trace.
   *
   * @default {false}
   */
  readonly propagate?: boolean | undefined;
  /** Called with each request's span when it starts. What it throws surfaces as an uncaught error. */
  readonly onRequest?: ((span: HookedSpan, request: ObservedRequest) => void) | undefined;
  /** Called with each request's span before it ends. What it throws surfaces as an uncaught error. */
  readonly onResponse?: ((span: HookedSpan, end: ObservedEnd) => void) | undefined;
}

const NAME = "hotconn";

/** The methods that are reported by name: others could be anything, and many. */
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

/** The parameters of a query that are secret by the conventions. */
const SECRETS =
  /([?&](?:AWSAccessKeyId|Signature|sig|X-Goog-Signature|X-Amz-Signature|X-Amz-Security-Token)=)[^&]*/gi;

const OPTIONS = ["meterProvider", "name", "onRequest", "onResponse", "propagate", "tracerProvider"];

/** The buckets of how long connections are open, in seconds. */
const OPEN_BUCKETS = [0.1, 1, 5, 10, 30, 60, 120, 300, 600, 1_800, 3_600];

/** The buckets that the conventions advise, in seconds. */
const BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10];

/**
 * Traces and measures each request of a pool, until you call the returned function. Each request has
 * a client span, from its start to the last byte of its response. Below it, each attempt has a span
 * that says which machine it went to. The metrics are `http.client.request.duration`,
 * `http.client.active_requests`, `http.client.open_connections`, `http.client.connection.duration`,
 * `hotconn.request.resends` and `hotconn.request.hedges`.
 *
 * The span is a child of the one that is active when you make the request. Its events tell what the
 * pool did: `hotconn.queue`, `hotconn.dial` or `hotconn.reuse`, `hotconn.retry`, `hotconn.hedge`.
 *
 * @throws {TypeError} An option is unknown, or the pool is instrumented already
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
 * // Every request is traced, and passes its trace context on.
 * stop();
 * ```
 */
export function instrument(pool: HttpPool, options: InstrumentOptions = {}): () => void {
  checkNames("instrument()", options, OPTIONS);
  const { meterProvider, name, propagate = false, tracerProvider } = options;
  if (name !== undefined && (typeof name !== "string" || name === "")) {
    throw new TypeError(`name must be a text that is not empty, got ${describe(name)}`);
  }
  for (const name of ["onRequest", "onResponse"] as const) {
    const hook = options[name];
    if (hook !== undefined && typeof hook !== "function") {
      throw new TypeError(`${name} must be a function, got ${describe(hook)}`);
    }
  }
  const tracer = (tracerProvider ?? trace).getTracer(NAME, VERSION) as Tracer;
  const meter = (meterProvider ?? metrics).getMeter(NAME, VERSION) as Meter;
  const meters = makeMeters(meter);
  const own: Attributes = name === undefined ? {} : { "hotconn.pool.name": name };
  const off = pool.observe({
    begin: (request) => new TracedRequest(tracer, meters, own, request, propagate, options),
  });
  const offEvict = pool.on("evict", ({ address, host, openMs }) => {
    meters.open.record(openMs / 1_000, { ...own, ...serverOf(host), ...peerOf(address) });
  });
  const stopCounting = countConnections(meter, pool, own);
  return () => {
    off();
    offEvict();
    stopCounting();
  };
}

/** The pools of each meter, with their attributes: of two observations with the same ones, one counts. */
const poolsOf = new WeakMap<Meter, Map<HttpPool, Attributes>>();

/** Counts a pool's connections until the returned function is called: those of one meter together. */
function countConnections(meter: Meter, pool: HttpPool, own: Attributes): () => void {
  let pools = poolsOf.get(meter);
  if (!pools) {
    const counted = pools = new Map<HttpPool, Attributes>();
    poolsOf.set(meter, counted);
    meter.createObservableUpDownCounter("http.client.open_connections", {
      description: "Connections that are open, in use or idle.",
      unit: "{connection}",
    }).addCallback((result) => observeConnections(counted, result));
  }
  pools.set(pool, own);
  const stop = () => {
    offClosed();
    // It may have been instrumented again meanwhile.
    if (pools.get(pool) === own) pools.delete(pool);
  };
  const offClosed = pool.on("closed", stop);
  return stop;
}

interface Meters {
  readonly duration: Histogram;
  readonly open: Histogram;
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
    open: meter.createHistogram("http.client.connection.duration", {
      description: "The duration of the successfully established outbound HTTP connections.",
      unit: "s",
      advice: { explicitBucketBoundaries: OPEN_BUCKETS },
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

function observeConnections(
  pools: ReadonlyMap<HttpPool, Attributes>,
  result: ObservableResult,
): void {
  // By the machine alone: otherwise the port reported last would stand for all.
  const places = new Map<string, { at: Attributes; idle: number; active: number }>();
  for (const [pool, own] of pools) {
    for (const [host, { addresses }] of Object.entries(pool.stats().hosts)) {
      for (const [address, { connections, draining, idle, leased }] of Object.entries(addresses)) {
        if (connections === 0) continue;
        const at = { ...own, ...serverOf(host), ...peerOf(address) };
        const key = JSON.stringify(at);
        const known = places.get(key) ?? { at, idle: 0, active: 0 };
        known.idle += idle;
        known.active += leased + draining;
        places.set(key, known);
      }
    }
  }
  for (const { active, at, idle } of places.values()) {
    result.observe(idle, { ...at, "http.connection.state": "idle" });
    result.observe(active, { ...at, "http.connection.state": "active" });
  }
}

function serverOf(host: string): Attributes {
  const { name, port } = parseHost(host);
  return { "server.address": name, "server.port": port };
}

function peerOf(address: string): Attributes {
  return { "network.peer.address": parseAddress(address).ip };
}

/** An attempt under way. */
interface TracedAttempt {
  readonly lease: Lease;
  readonly span: Span;
}

/** A request under way. */
class TracedRequest implements RequestWatch {
  readonly headers?: readonly (readonly [string, string])[];
  readonly #tracer: Tracer;
  readonly #span: Span;
  readonly #meters: Meters;
  readonly #hooks: Pick<InstrumentOptions, "onResponse">;
  readonly #began = performance.now();
  readonly #attributes: Attributes;
  /** The attempts under way: the one that counts first. */
  #attempts: TracedAttempt[] = [];
  #sent = 0;
  /** Of the protocol that it was sent over last. */
  #version = "1.1";

  constructor(
    tracer: Tracer,
    meters: Meters,
    own: Attributes,
    request: ObservedRequest,
    propagate: boolean,
    hooks: Pick<InstrumentOptions, "onRequest" | "onResponse">,
  ) {
    const { hostname, method, port, url } = request;
    const isKnown = METHODS.has(method);
    this.#tracer = tracer;
    this.#meters = meters;
    this.#hooks = hooks;
    this.#attributes = {
      ...own,
      "http.request.method": isKnown ? method : "_OTHER",
      "server.address": hostname,
      "server.port": port,
      "url.scheme": url.slice(0, url.indexOf(":")),
    };
    this.#span = tracer.startSpan(isKnown ? method : "HTTP", {
      kind: SpanKind.CLIENT,
      attributes: {
        ...this.#attributes,
        "url.full": url.replace(SECRETS, "$1REDACTED"),
        ...(isKnown ? {} : { "http.request.method_original": method }),
      },
    }, context.active());
    if (propagate) this.headers = contextHeaders(this.#span);
    meters.active.add(1, this.#attributes);
    guard(() => hooks.onRequest?.(this.#span, request));
  }

  queued(): void {
    this.#span.addEvent("hotconn.queue");
  }

  sent(lease: Lease): void {
    const { connection, reused, waitedMs } = lease;
    this.#notePeer(lease);
    this.#attempts.unshift(this.#attempt(lease));
    const about = { "hotconn.connection.id": connection.id, "hotconn.queue_ms": waitedMs };
    const { tcpMs, tlsMs } = connection.socket.info;
    if (reused) this.#span.addEvent("hotconn.reuse", about);
    else {
      const dial = { ...about, "hotconn.tcp_ms": tcpMs, "hotconn.tls_ms": tlsMs };
      this.#span.addEvent("hotconn.dial", dial);
    }
  }

  hedged(lease: Lease): void {
    this.#meters.hedged.add(1, this.#attributes);
    this.#attempts.push(this.#attempt(lease));
    this.#span.addEvent("hotconn.hedge", { "network.peer.address": lease.connection.ip });
  }

  hedgeWon(lease: Lease): void {
    this.#notePeer(lease);
    this.#attempts.sort((a, b) => Number(b.lease === lease) - Number(a.lease === lease));
    this.#span.setAttribute("hotconn.hedge_won", true);
  }

  hedgeAlone(lease: Lease, error: unknown): void {
    const alone = this.#attempts.filter((attempt) => attempt.lease === lease);
    this.#attempts = this.#attempts.filter((attempt) => attempt.lease !== lease);
    this.#endAttempts({ "error.type": typeOf(error) }, true);
    this.#attempts = alone;
    this.#notePeer(lease);
  }

  #attempt(lease: Lease): TracedAttempt {
    const resend = this.#sent++;
    const span = this.#tracer.startSpan("hotconn.attempt", {
      kind: SpanKind.INTERNAL,
      attributes: {
        ...this.#attributes,
        ...peerAttributes(lease),
        ...(resend > 0 ? { "http.request.resend_count": resend } : {}),
      },
    }, trace.setSpan(context.active(), this.#span));
    return { lease, span };
  }

  /**
   * Ends the attempts under way: the first with the given outcome, the others as no longer needed.
   */
  #endAttempts(attributes: Attributes, failed: boolean): void {
    for (const [index, { span }] of this.#attempts.entries()) {
      if (index === 0) {
        span.setAttributes(attributes);
        if (failed) span.setStatus({ code: SpanStatusCode.ERROR });
      } else span.setAttribute("hotconn.superseded", true);
      span.end();
    }
    this.#attempts = [];
  }

  #notePeer(lease: Lease): void {
    this.#version = protocolOf(lease.connection) === "h2" ? "2" : "1.1";
    this.#span.setAttributes(peerAttributes(lease));
  }

  retried(error: unknown): void {
    this.#meters.resent.add(1, this.#attributes);
    this.#endAttempts({ "error.type": typeOf(error) }, true);
    this.#span.addEvent("hotconn.retry", { "error.type": typeOf(error) });
  }

  ended(end: ObservedEnd): void {
    const { attempts, error, outcome, status } = end;
    const attributes: Attributes = {};
    if (status > 0) attributes["http.response.status_code"] = status;
    const isRefused = outcome === "successes" && status >= 400;
    if (isRefused) attributes["error.type"] = `${status}`;
    else if (outcome !== "successes") attributes["error.type"] = typeOf(error);
    this.#endAttempts(attributes, isRefused || outcome === "failures");
    this.#span.setAttributes(attributes);
    if (attempts > 1) this.#span.setAttribute("http.request.resend_count", attempts - 1);
    if (outcome === "failures") {
      this.#span.setAttributes(machineOf(error));
      if (error instanceof Error) this.#span.recordException(error);
      const message = error instanceof Error ? error.message : "";
      this.#span.setStatus({ code: SpanStatusCode.ERROR, message });
    } else if (isRefused) this.#span.setStatus({ code: SpanStatusCode.ERROR });
    guard(() => this.#hooks.onResponse?.(this.#span, end));
    this.#span.end();
    this.#meters.active.add(-1, this.#attributes);
    const protocol = attempts > 0 ? { "network.protocol.version": this.#version } : {};
    const seconds = (performance.now() - this.#began) / 1_000;
    this.#meters.duration.record(seconds, { ...this.#attributes, ...protocol, ...attributes });
  }
}

function peerAttributes({ connection }: Lease): Attributes {
  return {
    "network.peer.address": connection.ip,
    "network.peer.port": connection.port,
    "network.protocol.name": "http",
    "network.protocol.version": protocolOf(connection) === "h2" ? "2" : "1.1",
  };
}

/** The machine that a failure is about; of several, the last one. */
function machineOf(error: unknown): Attributes {
  const about = error instanceof HostUnavailableError ? error.failures.at(-1) : error;
  if (typeof about !== "object" || about === null || !("address" in about)) return {};
  try {
    const { ip, port } = parseAddress(`${about.address}`);
    return { "network.peer.address": ip, "network.peer.port": port };
  } catch {
    // It never reached a machine.
    return {};
  }
}

/** Calls the program's hook: the request must not fail if it throws. */
function guard(call: () => void): void {
  try {
    call();
  } catch (error) {
    queueMicrotask(() => {
      throw error;
    });
  }
}

/** What the program's propagators write for a span; without any, W3C Trace Context. */
function contextHeaders(span: Span): readonly (readonly [string, string])[] {
  if (propagation.fields().length === 0) return traceHeaders(span.spanContext());
  const carrier: Record<string, string> = {};
  propagation.inject(trace.setSpan(context.active(), span), carrier);
  return Object.entries(carrier);
}

/** The span as W3C Trace Context; nothing if it is not recorded. */
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
