import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { Buffer } from "node:buffer";
import { test } from "node:test";
import { RequestError } from "../../../src/core/errors.ts";
import { endScene, type FrameScene, frameScene, settle } from "./frame_server.ts";

const ONE = { "a.test": ["192.0.2.1"] };
const encoder = new TextEncoder();

/** Gives parts as it is told to, in memory that it uses again for the next one. */
class Source {
  cancelled = false;
  read = 0;
  #more: (() => void) | undefined;
  #parts: (string | null | Error)[] = [];

  give(...parts: (string | null | Error)[]): void {
    this.#parts.push(...parts);
    this.#more?.();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    // A `Buffer`, whose `slice()` is a view.
    const memory = Buffer.alloc(200_000);
    try {
      for (;;) {
        while (this.#parts.length === 0) await new Promise<void>((more) => this.#more = more);
        const part = this.#parts.shift()!;
        if (part === null) return;
        if (part instanceof Error) throw part;
        this.read++;
        yield memory.subarray(0, encoder.encodeInto(part, memory).written);
      }
    } finally {
      this.cancelled = true;
    }
  }
}

const post = ({ pool }: FrameScene, body: AsyncIterable<Uint8Array>) =>
  pool.request("https://a.test/", { method: "POST", body });

test("A streamed body of a refused stream is sent again from its beginning, whoever refuses", async () => {
  const source = new Source();
  let isFirst = true;
  const scene = frameScene({
    hosts: ONE,
    onBody(connection, id, body, isEnd) {
      if (isEnd) connection.respond(id, 200, body);
      else if (isFirst && body === "one two ") {
        isFirst = false;
        connection.reset(id, "REFUSED_STREAM");
      }
    },
  });
  const response = post(scene, source);
  source.give("one ");
  await settle();
  source.give("two ");
  await settle();
  // The part after the refusal was asked for by the attempt that was refused.
  source.give("three", null);
  assertEquals(await (await response).text(), "one two three");
  const [connection] = scene.connections;
  assertEquals([...connection!.bodies.values()], ["one two ", "one two three"]);
  await endScene(scene);
});

test("A streamed body above the last stream of a GOAWAY goes over another connection", async () => {
  for (const given of [[], ["some "]]) {
    const source = new Source();
    source.give(...given);
    const scene = frameScene({
      hosts: ONE,
      onRequest(connection) {
        if (connection.id === 1) queueMicrotask(() => connection.goaway(0));
      },
      onBody(connection, id, body, isEnd) {
        if (isEnd) connection.respond(id, 200, body);
      },
    });
    const response = post(scene, source);
    await settle();
    source.give("more", null);
    assertEquals(await (await response).text(), [...given, "more"].join(""));
    assertEquals(scene.connections.length, 2);
    await endScene(scene);
  }
});

test("A streamed body that was answered by 421 goes over another connection", async () => {
  const source = new Source();
  source.give("all of it", null);
  const scene = frameScene({
    hosts: ONE,
    onBody(connection, id, body, isEnd) {
      if (isEnd) connection.respond(id, connection.id === 1 ? 421 : 200, body);
    },
  });
  const response = await post(scene, source);
  assertEquals([response.status, await response.text()], [200, "all of it"]);
  await endScene(scene);
});

test("Where too much of a refused body was read to send it again, the error says so", async () => {
  const source = new Source();
  const part = "x".repeat(50_000);
  const scene = frameScene({
    hosts: ONE,
    onBody(connection, id, body) {
      if (body.length === 4 * part.length) connection.reset(id, "REFUSED_STREAM");
    },
  });
  source.give(part, part, part, part);
  const error = await assertRejects(() => post(scene, source), RequestError);
  assertStringIncludes(error.message, "too much of its body was read to send it again");
  assertEquals([error.failure, error.maybeActedOn], ["connection", false]);
  // It waits for its own next part, and hears then that it is not wanted.
  source.give(part);
  await settle();
  assertEquals([source.cancelled, source.read], [true, 5]);
  assertEquals(scene.connections[0]!.streams.length, 1);
  await endScene(scene);
});

test("A body that failed while its stream was refused fails the request, and is not cut short", async () => {
  const source = new Source();
  const scene = frameScene({
    hosts: ONE,
    onBody(connection, id, body, isEnd) {
      if (isEnd) connection.respond(id, 200, body);
      else if (connection.streams.length === 1) connection.reset(id, "REFUSED_STREAM");
    },
  });
  const response = post(scene, source);
  source.give("one ");
  await settle();
  source.give(new Error("no more"));
  const error = await assertRejects(() => response, RequestError);
  assertEquals([error.failure, (error.cause as Error).message], ["body", "no more"]);
  await endScene(scene);
});

test("A body whose response has begun is kept no longer, and goes on", async () => {
  const source = new Source();
  const scene = frameScene({
    hosts: ONE,
    onRequest: (connection, { id }) => connection.head(id),
    onBody(connection, id, body, isEnd) {
      if (isEnd) connection.data(id, encoder.encode(body), true);
    },
  });
  source.give("one ");
  const response = await post(scene, source);
  source.give("two ");
  await settle();
  source.give("three", null);
  assertEquals(await response.text(), "one two three");
  await endScene(scene);
});

test("Of a body in many small parts, no more is kept than of one in few", async () => {
  const source = new Source();
  const scene = frameScene({
    hosts: ONE,
    onBody(connection, id, body) {
      if (body.length === 5_000) connection.reset(id, "REFUSED_STREAM");
    },
  });
  source.give(...new Array<string>(5_000).fill("x"));
  const error = await assertRejects(() => post(scene, source), RequestError);
  assertStringIncludes(error.message, "too much of its body was read");
  source.give(null);
  await settle();
  await endScene(scene);
});
