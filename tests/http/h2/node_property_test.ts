/**
 * Header lists through this encoder and the decoder of `node:http2`, and back the other way.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import fc from "fast-check";
import http2 from "node:http2";
import net from "node:net";
import { test } from "node:test";
import { detectRuntime } from "../../../adapters/detect.ts";
import { Http2Engine } from "../../../src/http/h2/engine.ts";
import { requestFields } from "../../../src/http/h2/request_fields.ts";
import { DEFAULT_LIMITS } from "../../../src/http/limits.ts";
import { RecordingUser } from "./engine_scene.ts";
import type { Field } from "./hpack_text.ts";

const skip = detectRuntime() !== "node" && "node:http2 is nghttp2 only on Node";

/** An engine on a socket, without a pool. */
class Client implements Disposable {
  readonly engine: Http2Engine;
  readonly #socket: net.Socket;
  #changed = () => {};

  constructor(port: number) {
    const socket = this.#socket = net.connect(port, "127.0.0.1");
    const write = () => {
      const bytes = this.engine.take();
      if (bytes) socket.write(bytes);
    };
    const host = { onOutput: () => queueMicrotask(write), onCapacity() {}, onPong() {} };
    this.engine = new Http2Engine(host, DEFAULT_LIMITS, performance.now());
    write();
    socket.on("data", (bytes) => {
      this.engine.now = performance.now();
      this.engine.push(bytes);
      this.#changed();
    });
  }

  async ask(headers: readonly Field[], sensitive: readonly string[]): Promise<RecordingUser> {
    const user = new RecordingUser();
    const fields = requestFields({
      method: "GET",
      scheme: "http",
      authority: "a.test",
      path: "/",
      headers,
      contentLength: null,
      sensitive,
    });
    this.engine.request(fields, null, false, false, user);
    while (!user.ended && user.error === undefined && this.engine.failure === undefined) {
      await new Promise<void>((resolve) => this.#changed = resolve);
    }
    if (!user.ended) throw user.error ?? this.engine.failure;
    return user;
  }

  [Symbol.dispose](): void {
    this.#socket.destroy();
  }
}

const name = fc.stringMatching(/^x-[a-z0-9!#$%&'*+.^_`|~-]{1,20}$/);
const value = fc.oneof(
  fc.stringMatching(/^([!-~]([ -~]{0,60}[!-~])?)?$/),
  fc.constantFrom("", "gzip, deflate", "x".repeat(5_000), "\xe4\xff"),
);
const fields = fc.array(fc.tuple(name, value), { maxLength: 12 });

test("any header list goes through node:http2 unchanged, either way", { skip }, async () => {
  let answer: Field[] = [];
  let seen: Field[] = [];
  const server = http2.createServer({ settings: { headerTableSize: 512 } });
  type Listener = (stream: http2.ServerHttp2Stream, ...rest: [unknown, unknown, string[]]) => void;
  const listener: Listener = (stream, _headers, _flags, raw) => {
    seen = Array.from({ length: raw.length / 2 }, (_, i) => [raw[2 * i]!, raw[2 * i + 1]!]);
    const headers: http2.OutgoingHttpHeaders = {};
    for (const [name, value] of answer) {
      const given = headers[name];
      headers[name] = given === undefined ? value : [given as string, value].flat();
    }
    stream.respond(headers, { endStream: true });
  };
  server.on("stream", listener);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", () => resolve()));
  using client = new Client((server.address() as net.AddressInfo).port);
  try {
    await fc.assert(
      fc.asyncProperty(
        fields,
        fields,
        fc.subarray(["x-a", "x-b", "authorization"]),
        async (asked, answered, sensitive) => {
          // Fields of one name stand together in what Node sends.
          answer = [...new Map(answered)].sort(([a], [b]) => a < b ? -1 : 1);
          const user = await client.ask([...asked, ["authorization", "secret"]], sensitive);
          assertEquals(seen.slice(4), [...asked, ["authorization", "secret"]]);
          const given = user.fields.filter(([name]) => name.startsWith("x-"));
          assertEquals(given.sort(([a], [b]) => a < b ? -1 : 1), answer);
        },
      ),
      { numRuns: 300 },
    );
  } finally {
    server.close();
  }
});
