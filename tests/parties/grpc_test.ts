/**
 * A client of gRPC, `@connectrpc/connect`, over a pool, to a server of `@grpc/grpc-js`.
 *
 * @module
 */

import { type Client, Code, ConnectError, createClient } from "@connectrpc/connect";
import { assert, assertEquals, assertInstanceOf, assertRejects } from "@std/assert";
import test from "node:test";
import { grpcTransport } from "../../examples/grpc.ts";
import {
  type CreatePoolOptions,
  HotconnError,
  Http2Error,
  type HttpPool,
  RequestError,
  type RequestFailure,
} from "../../mod.ts";
import { Talk } from "../support/grpc_service.ts";
import { startNodeProgram } from "../support/node_program.ts";
import { credentials, poolTo } from "./support.ts";

const address = await startNodeProgram("grpc_main.ts", credentials) as { readonly port: number };
const big = "0123456789".repeat(100_000);

function testGrpc(
  name: string,
  body: (client: Client<typeof Talk>, pool: HttpPool) => Promise<void>,
): void {
  test(`gRPC ${name}`, async () => {
    await using pool = poolTo(address.port, { protocols: ["h2"] });
    const client = createClient(Talk, grpcTransport(pool, "https://a.test"));
    await body(client, pool);
    const { dials, leased } = pool.stats();
    assertEquals({ dials, leased }, { dials: 1, leased: 0 });
    pool.manager.checkInvariants();
  });
}

async function* texts(
  values: Iterable<string> | AsyncIterable<string>,
): AsyncGenerator<{ value: string }> {
  for await (const value of values) yield { value };
}

testGrpc("calls over a pool, with metadata both ways", async (client) => {
  let answered: string | null = null;
  const options = {
    headers: { "x-asked": "why" },
    onTrailer: (trailer: Headers) => answered = trailer.get("x-answered"),
  };
  assertEquals((await client.say({ value: "hot" }, options)).value, "hot");
  assertEquals(answered, "why");
  assertEquals((await client.say({ value: big })).value, big);
});

testGrpc("calls a hundred times at once over one connection", async (client) => {
  await client.say({ value: "first" });
  const values = Array.from({ length: 100 }, (_, index) => `${index}`);
  const answers = await Promise.all(values.map((value) => client.say({ value })));
  assertEquals(answers.map(({ value }) => value), values);
});

testGrpc("streams from the server over a pool", async (client) => {
  const letters: string[] = [];
  for await (const { value } of client.spell({ value: "abc".repeat(100) })) letters.push(value);
  assertEquals(letters.join(" "), "a b c ".repeat(100).trim());
});

testGrpc("streams to the server over a pool", async (client) => {
  assertEquals((await client.join(texts(["a", big, "c"]))).value, `a${big}c`);
});

testGrpc("streams both ways at once over a pool", async (client) => {
  // Each text is sent only when the one before has come back.
  const { readable, writable } = new TransformStream<string, string>();
  const writer = writable.getWriter();
  void writer.write("a");
  let last = "";
  for await (const { value } of client.chat(texts(readable))) {
    last = value;
    void (value.length < 5 ? writer.write(`${value}a`) : writer.close());
  }
  assertEquals(last, "aaaaa");
});

testGrpc("tells the error of a call over a pool", async (client) => {
  const error = await assertRejects(() => client.say({ value: "" }), ConnectError);
  assertEquals([error.code, error.rawMessage], [Code.InvalidArgument, "Say ‘something’"]);
});

testGrpc("tells an error after messages over a pool", async (client) => {
  const letters: string[] = [];
  const error = await assertRejects(async () => {
    for await (const { value } of client.spell({ value: "ab!c" })) letters.push(value);
  }, ConnectError);
  assertEquals([error.code, error.rawMessage], [Code.OutOfRange, "No letter"]);
  assertEquals(letters, ["a", "b"]);
});

testGrpc("tells the server the deadline, and keeps it over a pool", async (client) => {
  const left = Number((await client.left({}, { timeoutMs: 60_000 })).value);
  assert(left > 0 && left <= 60_000, `${left} ms were left`);
  const error = await assertRejects(async () => {
    for await (const _ of client.wait({ value: "deadline" }, { timeoutMs: 50 }));
  }, ConnectError);
  assertEquals(error.code, Code.DeadlineExceeded);
});

testGrpc("tells that the server kept a deadline over a pool", async (client) => {
  const options = { headers: { "grpc-timeout": "50m" } };
  const error = await assertRejects(async () => {
    for await (const _ of client.wait({ value: "theirs" }, options));
  }, ConnectError);
  assertEquals(error.code, Code.DeadlineExceeded);
});

testGrpc("cancels a call at the server over a pool", async (client) => {
  const stop = new AbortController();
  const error = await assertRejects(async () => {
    for await (const _ of client.wait({ value: "abort" }, { signal: stop.signal })) stop.abort();
  }, ConnectError);
  assertEquals(error.code, Code.Canceled);
  assertEquals((await client.cancelled({ value: "abort" })).value, "abort");
});

test("gRPC tells that nobody is there as unavailable", async () => {
  // The server listens on 127.0.0.1 alone.
  await using pool = poolTo(address.port, { protocols: ["h2"], maxRetries: 0 }, ["127.0.0.2"]);
  const client = createClient(Talk, grpcTransport(pool, "https://a.test"));
  const error = await assertRejects(() => client.say({ value: "hot" }), ConnectError);
  assertEquals(error.code, Code.Unavailable);
  assertInstanceOf(error.cause, HotconnError);
});

const troubles: readonly (readonly [what: string, options: CreatePoolOptions, code: Code])[] = [
  ["too many who wait", { maxWaiters: 0 }, Code.ResourceExhausted],
  ["a machine that rules deny", { access: { deny: ["127.0.0.0/8"] } }, Code.PermissionDenied],
  ["a pool that is closed", {}, Code.Unavailable],
];

for (const [what, options, code] of troubles) {
  test(`gRPC has its own code for ${what}`, async () => {
    await using pool = poolTo(address.port, { protocols: ["h2"], ...options });
    if (code === Code.Unavailable) await pool.close();
    const client = createClient(Talk, grpcTransport(pool, "https://a.test"));
    const error = await assertRejects(() => client.say({ value: "hot" }), ConnectError);
    assertEquals(error.code, code);
    assertInstanceOf(error.cause, HotconnError);
  });
}

test("gRPC has its own codes for how a request fails, and for what ended its stream", async () => {
  const fields = { host: "a.test", address: null, maybeActedOn: false };
  const failed = (failure: RequestFailure, cause?: unknown) =>
    new RequestError({ ...fields, failure }, "as the test says", { cause });
  const reset = (name: ConstructorParameters<typeof Http2Error>[0]) =>
    failed("protocol", new Http2Error(name, "stream", "as the test says", "peer"));
  const cases: readonly (readonly [error: unknown, code: Code])[] = [
    [failed("timeout"), Code.DeadlineExceeded],
    [failed("cancelled"), Code.Canceled],
    [failed("connection"), Code.Unavailable],
    [failed("status"), Code.Unavailable],
    [failed("protocol"), Code.Internal],
    [failed("body", new ConnectError("Mine", Code.DataLoss)), Code.DataLoss],
    [failed("body", new Error("Mine")), Code.Unknown],
    [reset("CANCEL"), Code.Canceled],
    [reset("ENHANCE_YOUR_CALM"), Code.ResourceExhausted],
    [reset("INADEQUATE_SECURITY"), Code.PermissionDenied],
    [reset("PROTOCOL_ERROR"), Code.Internal],
    [reset("REFUSED_STREAM"), Code.Unavailable],
    [reset("STREAM_CLOSED"), Code.Unknown],
    [new TypeError("A bad option"), Code.Internal],
    [new RangeError("A bad number"), Code.Internal],
  ];
  for (const [error, code] of cases) {
    const pool = { request: () => Promise.reject(error) } as unknown as HttpPool;
    const client = createClient(Talk, grpcTransport(pool, "https://a.test"));
    const told = await assertRejects(() => client.say({ value: "hot" }), ConnectError);
    assertEquals(told.code, code, `${error}`);
  }
});

test("gRPC tells a caller's abort as cancelled, whatever its reason is", async () => {
  await using pool = poolTo(address.port, { protocols: ["h2"] });
  const client = createClient(Talk, grpcTransport(pool, "https://a.test"));
  for (const reason of [undefined, new TypeError("Mine"), "mine"]) {
    const stop = new AbortController();
    const call = client.say({ value: "hot" }, { signal: stop.signal });
    stop.abort(reason);
    assertEquals((await assertRejects(() => call, ConnectError)).code, Code.Canceled);
  }
});
