/**
 * What a pool tells OpenTelemetry, by the SDK itself.
 *
 * @module
 */

import {
  type Context,
  context,
  propagation,
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  trace,
} from "@opentelemetry/api";
import { MeterProvider, MetricReader } from "@opentelemetry/sdk-metrics";
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  type ReadableSpan,
  SimpleSpanProcessor,
} from "@opentelemetry/sdk-trace-base";
import { assert, assertEquals, assertMatch, assertRejects, assertThrows } from "@std/assert";
import test from "node:test";
import { memoryDialer } from "../../adapters/memory.ts";
import { instrument, type InstrumentOptions } from "../../adapters/otel.ts";
import { ManualClock } from "../../src/core/clock.ts";
import { VERSION } from "../../src/core/version.ts";
import { staticResolver } from "../../src/hosts/resolver.ts";
import { HttpPool } from "../../src/http/http_pool.ts";
import { endScene, frameScene } from "../http/h2/frame_server.ts";
import { answer, memoryHttp, type ServedRequest } from "../support/memory_http.ts";
import { turns } from "../support/turns.ts";

class Reader extends MetricReader {
  protected override onShutdown(): Promise<void> {
    return Promise.resolve();
  }

  protected override onForceFlush(): Promise<void> {
    return Promise.resolve();
  }
}

/** Instruments a pool, and gives what it tells. */
function watch(pool: HttpPool, options: InstrumentOptions = {}) {
  const exporter = new InMemorySpanExporter();
  const tracerProvider = new BasicTracerProvider({
    spanProcessors: [new SimpleSpanProcessor(exporter)],
  });
  const reader = new Reader();
  const meterProvider = new MeterProvider({ readers: [reader] });
  const stop = instrument(pool, { tracerProvider, meterProvider, ...options });
  return {
    stop,
    tracer: tracerProvider.getTracer("test"),
    spans: (): ReadableSpan[] =>
      exporter.getFinishedSpans().filter(({ name }) => name !== "hotconn.attempt"),
    attempts: (): ReadableSpan[] =>
      exporter.getFinishedSpans().filter(({ name }) => name === "hotconn.attempt"),
    async metrics() {
      const { resourceMetrics } = await reader.collect();
      const [scope] = resourceMetrics.scopeMetrics;
      return new Map(
        scope?.metrics.map((metric) => [metric.descriptor.name, metric]) ?? [],
      );
    },
  };
}

const names = ({ events }: ReadableSpan): string[] => events.map(({ name }) => name);

/** The smallest manager of contexts there can be: what is active is so while a function runs. */
function holdContext(active: Context): void {
  context.setGlobalContextManager({
    active: () => active,
    with(inner, run, self, ...args) {
      const outer = active;
      active = inner;
      try {
        return run.apply(self as never, args);
      } finally {
        active = outer;
      }
    },
    bind: (_context, target) => target,
    enable() {
      return this;
    },
    disable() {
      return this;
    },
  });
}

test("instrument() traces a request with what the conventions ask for, and no secrets", async () => {
  await using pool = memoryHttp(() => answer("200 OK", {}, "hello"));
  const it = watch(pool);
  await (await pool.request("https://user:secret@a.test/path?q=1&sig=abc#top")).text();
  await (await pool.fetch("https://a.test/")).text();
  const [first, second] = it.spans();
  assert(first && second);
  assertEquals([first.name, first.kind], ["GET", SpanKind.CLIENT]);
  assertEquals(first.attributes, {
    "http.request.method": "GET",
    "server.address": "a.test",
    "server.port": 443,
    "url.scheme": "https",
    "url.full": "https://a.test/path?q=1&sig=REDACTED",
    "network.peer.address": "192.0.2.1",
    "network.peer.port": 443,
    "network.protocol.name": "http",
    "network.protocol.version": "1.1",
    "http.response.status_code": 200,
  });
  assertEquals(first.status.code, SpanStatusCode.UNSET);
  assertEquals(names(first), ["hotconn.queue", "hotconn.dial"]);
  assertEquals(names(second), ["hotconn.reuse"]);
});

test("instrument() traces failures, answers that are errors, and what is sent again", async () => {
  let asked = 0;
  await using pool = memoryHttp(({ path }, socket) => {
    if (path === "/missing") return answer("404 Not Found");
    if (path === "/broken" || ++asked === 1) {
      socket.end();
      return null;
    }
    return answer("200 OK");
  });
  const it = watch(pool);
  await (await pool.request("https://a.test/missing")).text();
  await (await pool.request("https://a.test/again")).text();
  await assertRejects(() => pool.request("https://a.test/broken", { method: "POST" }));
  await assertRejects(() => pool.request("https://a.test/", { method: "FOO BAR" }), TypeError);
  const [missing, again, broken, invalid] = it.spans();
  assert(missing && again && broken && invalid);
  assertEquals(missing.attributes["error.type"], "404");
  assertEquals(missing.status.code, SpanStatusCode.ERROR);
  assertEquals(again.attributes["http.request.resend_count"], 1);
  assertEquals(again.attributes["error.type"], undefined);
  assert(names(again).includes("hotconn.retry"));
  assertEquals(broken.attributes["error.type"], "RequestError");
  assertEquals(broken.status.code, SpanStatusCode.ERROR);
  assertEquals(names(broken).at(-1), "exception");
  assertEquals([invalid.name, invalid.attributes["http.request.method"]], ["HTTP", "_OTHER"]);
  assertEquals(invalid.attributes["error.type"], "TypeError");
  assertEquals(it.spans().length, 4);
});

test("instrument() tells of a second machine that was asked because the first was silent", async () => {
  const clock = new ManualClock();
  const silent = new Set<string>();
  const body = answer("200 OK");
  const dialer = memoryDialer({
    clock,
    script: ({ ip }) => ({
      socket: { onWrite: (socket) => silent.has(ip) || socket.receive(body) },
    }),
  });
  const resolver = staticResolver({ "a.test": ["192.0.2.1", "192.0.2.2"] });
  await using pool = new HttpPool({ balancer: "roundRobin", resolver, dialer, clock });
  for (let index = 0; index < 200; index++) await (await pool.request("https://a.test/")).text();
  const it = watch(pool);
  silent.add("192.0.2.1");
  const both = [pool.request("https://a.test/"), pool.request("https://a.test/")];
  for (let ms = 0; ms < 40; ms++) {
    clock.advance(1);
    await turns();
  }
  await Promise.all(both);
  const hedged = it.spans().find((span) => names(span).includes("hotconn.hedge"));
  assertEquals(hedged?.attributes["hotconn.hedge_won"], true);
  assertEquals(hedged?.attributes["network.peer.address"], "192.0.2.2");
});

test("instrument() makes its spans children of the active one", async () => {
  await using pool = memoryHttp(() => answer("200 OK"));
  const it = watch(pool);
  const parent = it.tracer.startSpan("parent");
  holdContext(ROOT_CONTEXT);
  try {
    const inner = trace.setSpan(context.active(), parent);
    const response = await context.with(inner, () => pool.request("https://a.test/"));
    await response.text();
  } finally {
    context.disable();
  }
  const [span] = it.spans();
  assertEquals(span?.parentSpanContext?.spanId, parent.spanContext().spanId);
  assertEquals(span?.spanContext().traceId, parent.spanContext().traceId);
});

test("instrument() carries the span on only where it is asked to", async () => {
  const served: ServedRequest[] = [];
  await using pool = memoryHttp((request) => {
    served.push(request);
    return answer("200 OK");
  });
  const quiet = watch(pool);
  await (await pool.request("https://a.test/")).text();
  quiet.stop();
  const it = watch(pool, { propagate: true });
  const headers = { TraceParent: "old", accept: "*/*" };
  await (await pool.request("https://a.test/", { headers })).text();
  await (await pool.fetch("https://a.test/")).text();
  const sent = served.map(({ headers }) => headers.get("traceparent"));
  const spans = it.spans().map((span) => span.spanContext());
  assertEquals(spans.length, 2);
  assertEquals(sent, [null, ...spans.map(({ spanId, traceId }) => `00-${traceId}-${spanId}-01`)]);
  assertEquals(served[1]!.headers.get("accept"), "*/*");
  assertMatch(served[2]!.headers.get("user-agent") ?? "", /hotconn/);
  // Nobody keeps the spans: there is none to carry on.
  it.stop();
  const stop = instrument(pool, { propagate: true });
  await (await pool.request("https://a.test/")).text();
  stop();
  assertEquals(served[3]!.headers.get("traceparent"), null);
});

test("instrument() measures durations, what is under way, and connections", async () => {
  await using pool = memoryHttp(() => answer("200 OK"));
  const it = watch(pool);
  for (let times = 0; times < 3; times++) await (await pool.request("https://a.test/")).text();
  using _lease = await pool.acquire("b.test:8443");
  const metrics = await it.metrics();
  const duration = metrics.get("http.client.request.duration")!;
  assertEquals(duration.descriptor.unit, "s");
  const [point] = duration.dataPoints;
  assertEquals((point?.value as { count: number }).count, 3);
  assertEquals(point?.attributes, {
    "http.request.method": "GET",
    "server.address": "a.test",
    "server.port": 443,
    "url.scheme": "https",
    "network.protocol.version": "1.1",
    "http.response.status_code": 200,
  });
  assertEquals(metrics.get("http.client.active_requests")!.dataPoints[0]?.value, 0);
  const connections = metrics.get("http.client.open_connections")!.dataPoints
    .map(({ attributes, value }) => [
      attributes["server.address"],
      attributes["server.port"],
      attributes["network.peer.address"],
      attributes["http.connection.state"],
      value,
    ]);
  assertEquals(connections, [
    ["a.test", 443, "192.0.2.1", "idle", 1],
    ["a.test", 443, "192.0.2.1", "active", 0],
    ["b.test", 8443, "192.0.2.1", "idle", 0],
    ["b.test", 8443, "192.0.2.1", "active", 1],
  ]);
});

test("instrument() stops, and is not done twice", async () => {
  await using pool = memoryHttp(() => answer("200 OK"));
  const it = watch(pool);
  assertThrows(() => watch(pool), TypeError, "watched already");
  it.stop();
  await (await pool.request("https://a.test/")).text();
  assertEquals(it.spans(), []);
  assertEquals((await it.metrics()).get("http.client.open_connections"), undefined);
  watch(pool).stop();
});

test("instrument() tells requests over HTTP/2 as such", async () => {
  const scene = frameScene({ onRequest: (connection, { id }) => connection.respond(id) });
  const it = watch(scene.pool);
  await (await scene.pool.request("https://a.test/")).dump();
  const [span] = it.spans();
  assertEquals(span?.attributes["network.protocol.version"], "2");
  const duration = (await it.metrics()).get("http.client.request.duration")!;
  assertEquals(duration.dataPoints[0]?.attributes["network.protocol.version"], "2");
  it.stop();
  await endScene(scene);
});

test("instrument() gives each attempt a span of its own, which says where it went and how it ended", async () => {
  let asked = 0;
  await using pool = memoryHttp(() => answer(++asked === 1 ? "503 Busy" : "200 OK"), {
    failoverStatuses: [503],
    resolver: staticResolver({ "a.test": ["192.0.2.1", "192.0.2.2"] }),
  });
  const it = watch(pool);
  await (await pool.request("https://a.test/")).text();
  const [span] = it.spans();
  const [first, second] = it.attempts();
  assert(span && first && second);
  assertEquals(it.attempts().length, 2);
  for (const attempt of [first, second]) {
    assertEquals(attempt.kind, SpanKind.INTERNAL);
    assertEquals(attempt.parentSpanContext?.spanId, span.spanContext().spanId);
  }
  const peers = [first, second].map(({ attributes }) => attributes["network.peer.address"]);
  assertEquals(peers.sort(), ["192.0.2.1", "192.0.2.2"]);
  assertEquals(first.status.code, SpanStatusCode.ERROR);
  assertEquals(first.attributes["error.type"], "RequestError");
  assertEquals(second.attributes["http.response.status_code"], 200);
  assertEquals(second.attributes["http.request.resend_count"], 1);
  const { name, version } = first.instrumentationScope;
  assertEquals([name, version], ["hotconn", VERSION]);
});

test("instrument() tells of two attempts which one failed and which one was answered", async () => {
  const clock = new ManualClock();
  const waiting: { readonly ip: string; end(): void; answer(): void }[] = [];
  let isSilent = false;
  const body = answer("200 OK");
  const dialer = memoryDialer({
    clock,
    script: ({ ip }) => ({
      socket: {
        onWrite(socket) {
          if (!isSilent) socket.receive(body);
          else {
            const [end, answer] = [() => socket.end(), () => socket.receive(body)];
            waiting.push({ ip, end, answer });
          }
        },
      },
    }),
  });
  const resolver = staticResolver({ "a.test": ["192.0.2.1", "192.0.2.2"] });
  await using pool = new HttpPool({ balancer: "roundRobin", resolver, dialer, clock });
  for (let index = 0; index < 200; index++) await (await pool.request("https://a.test/")).text();
  const it = watch(pool);
  isSilent = true;
  const asked = pool.request("https://a.test/");
  while (waiting.length < 2) {
    clock.advance(1);
    await turns();
  }
  const [first, second] = waiting;
  first!.end();
  await turns();
  second!.answer();
  await (await asked).text();
  const [span] = it.spans();
  assertEquals(span?.attributes["network.peer.address"], second!.ip);
  const attempts = it.attempts().map(({ attributes, status }) => [
    attributes["network.peer.address"],
    attributes["http.response.status_code"],
    attributes["hotconn.superseded"],
    status.code,
  ]);
  assertEquals(attempts, [
    [first!.ip, undefined, undefined, SpanStatusCode.ERROR],
    [second!.ip, 200, undefined, SpanStatusCode.UNSET],
  ]);
});

test("instrument() counts the connections to all ports of a machine", async () => {
  const resolver = staticResolver({ "a.test": ["192.0.2.1:8443", "192.0.2.1:9443"] });
  await using pool = memoryHttp(() => answer("200 OK"), { balancer: "roundRobin", resolver });
  const it = watch(pool);
  using _first = await pool.acquire("a.test");
  using _second = await pool.acquire("a.test");
  const { addresses } = pool.stats().hosts["a.test"]!;
  assertEquals(Object.values(addresses).map(({ leased }) => leased), [1, 1]);
  const connections = (await it.metrics()).get("http.client.open_connections")!.dataPoints;
  assertEquals(connections.map(({ value }) => value), [0, 2]);
});

test("instrument() tells pools apart by their names, and counts those without together", async () => {
  const reader = new Reader();
  const meterProvider = new MeterProvider({ readers: [reader] });
  const pools = Array.from({ length: 4 }, () => memoryHttp(() => answer("200 OK")));
  const names = ["orders", "stock", undefined, undefined];
  const stops: (() => void)[] = [];
  try {
    for (const [index, pool] of pools.entries()) {
      const name = names[index];
      stops.push(instrument(pool, { meterProvider, ...name !== undefined && { name } }));
      await (await pool.request("https://a.test/")).text();
    }
    const told = async (metric: string) => {
      const { resourceMetrics: { scopeMetrics: [scope] } } = await reader.collect();
      const points = scope?.metrics.find(({ descriptor }) => descriptor.name === metric)
        ?.dataPoints;
      return (points ?? []).filter(({ attributes }) =>
        attributes["http.connection.state"] !== "active"
      ).map(({ attributes, value }) => [
        attributes["hotconn.pool.name"],
        typeof value === "number" ? value : value.count,
      ]);
    };
    assertEquals(await told("http.client.open_connections"), [["orders", 1], ["stock", 1], [
      undefined,
      2,
    ]]);
    assertEquals(await told("http.client.request.duration"), [["orders", 1], ["stock", 1], [
      undefined,
      2,
    ]]);
    await pools[2]!.close();
    assertEquals(await told("http.client.open_connections"), [["orders", 1], ["stock", 1], [
      undefined,
      1,
    ]]);
    assertThrows(() => instrument(pools[2]!, { name: "" }), TypeError, "name must be");
    // Stopped once more, the first one leaves what came after it alone.
    stops[0]!();
    instrument(pools[0]!, { meterProvider, name: "again" });
    stops[0]!();
    assertEquals((await told("http.client.open_connections")).at(-1), ["again", 1]);
  } finally {
    for (const pool of pools) await pool.close();
  }
});

test("instrument() names the machine on a span that failed, though none was reached", async () => {
  const resolver = staticResolver({ "a.test": ["192.0.2.7"] });
  const dialer = memoryDialer({ script: () => ({ failure: "refused" }) });
  await using pool = new HttpPool({ resolver, dialer, maxRetries: 0 });
  const it = watch(pool);
  await assertRejects(() => pool.request("https://a.test/"));
  const [span] = it.spans();
  assertEquals(span?.attributes["network.peer.address"], "192.0.2.7");
  assertEquals(span?.attributes["server.address"], "a.test");
  assertEquals(it.attempts(), []);
});

test("instrument() uses the propagators that the program has set up, baggage included", async () => {
  const served: ServedRequest[] = [];
  await using pool = memoryHttp((request) => {
    served.push(request);
    return answer("200 OK");
  });
  const baggage = propagation.createBaggage({ tenant: { value: "shop" } });
  const active = propagation.setBaggage(ROOT_CONTEXT, baggage);
  propagation.setGlobalPropagator({
    inject(context, carrier, setter) {
      const span = trace.getSpanContext(context);
      setter.set(carrier, "x-span", `${span?.traceId} ${span?.spanId}`);
      for (const [name, { value }] of propagation.getBaggage(context)?.getAllEntries() ?? []) {
        setter.set(carrier, "baggage", `${name}=${value}`);
      }
    },
    extract: (context) => context,
    fields: () => ["x-span", "baggage"],
  });
  holdContext(active);
  try {
    const it = watch(pool, { propagate: true });
    await (await pool.request("https://a.test/")).text();
    const { spanId, traceId } = it.spans()[0]!.spanContext();
    assertEquals(served[0]?.headers.get("baggage"), "tenant=shop");
    assertEquals(served[0]?.headers.get("x-span"), `${traceId} ${spanId}`);
    assertEquals(served[0]?.headers.get("traceparent"), null);
  } finally {
    propagation.disable();
    context.disable();
  }
});

test("instrument() lets hooks add to a request's span", async () => {
  await using pool = memoryHttp(() => answer("200 OK"));
  const it = watch(pool, {
    onRequest: (span, { url }) => span.setAttribute("app.url_length", url.length),
    onResponse: (span, { status }) => span.setAttribute("app.status", status),
  });
  await (await pool.request("https://a.test/")).text();
  const { attributes } = it.spans()[0]!;
  assertEquals([attributes["app.url_length"], attributes["app.status"]], [15, 200]);
  it.stop();
  const wrong = { onRequest: "no" } as unknown as InstrumentOptions;
  assertThrows(() => watch(pool, wrong), TypeError, "onRequest must be a function");
});

test("instrument() measures how long connections were open", async () => {
  const clock = new ManualClock();
  await using pool = memoryHttp(() => answer("200 OK"), { clock });
  const it = watch(pool);
  await (await pool.request("https://a.test/")).text();
  clock.advance(2_500);
  pool.manager.removeConnection("192.0.2.1");
  await turns();
  const duration = (await it.metrics()).get("http.client.connection.duration")!;
  const [point] = duration.dataPoints;
  assertEquals((point?.value as { sum: number }).sum, 2.5);
  assertEquals(point?.attributes, {
    "server.address": "a.test",
    "server.port": 443,
    "network.peer.address": "192.0.2.1",
  });
  it.stop();
});
