/**
 * Trailers of requests, and headers that nobody may keep.
 *
 * @module
 */

import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { test } from "node:test";
import { RequestError } from "../../src/core/errors.ts";
import type { RequestBody } from "../../src/http/payload.ts";
import type { RequestOptions, RequestTrailers } from "../../src/http/request_options.ts";
import type { Protocol } from "../../src/http/session.ts";
import { ok, type SceneOptions, withScene } from "../support/http_scene.ts";

const scripts = { "*": [{ wait: "body" as const }, { send: ok("", [], "201 Created") }] };
const protocols: readonly Protocol[] = ["http/1.1", "h2"];

function over(protocol: Protocol): SceneOptions {
  return { scripts, origin: { alpn: [protocol] }, pool: { protocols: [protocol] } };
}

async function* parts(...texts: readonly string[]): AsyncGenerator<Uint8Array> {
  for (const text of texts) yield await Promise.resolve(new TextEncoder().encode(text));
}

for (const protocol of protocols) {
  test(`Trailers go out behind a body of any kind over ${protocol}`, () =>
    withScene(over(protocol), async ({ origin, pool, url }) => {
      const bodies: (RequestBody | null)[] = [
        "body",
        new Blob(["bo", "dy"]),
        parts("bo", "dy"),
        null,
      ];
      for (const body of bodies) {
        const trailers = { "X-Sum": "1", "x-more": "a b" };
        const response = await pool.request(url("/"), { method: "POST", body, trailers });
        assertEquals([response.status, response.connection.protocol], [201, protocol]);
        await response.dump();
      }
      const { log } = await origin.report();
      for (const { head, trailers } of log) {
        const lines = trailers.map((line) => line.toLowerCase());
        assertEquals(lines, ["x-sum: 1", "x-more: a b"]);
        assertEquals(/content-length/i.test(head), false);
      }
      assertEquals([log.length, pool.stats().dials], [4, 1]);
    }));

  test(`A function gives the trailers when the body has ended over ${protocol}`, () =>
    withScene(over(protocol), async ({ origin, pool, url }) => {
      let sent = 0;
      async function* body() {
        for await (const part of parts("abc", "de")) {
          sent += part.length;
          yield part;
        }
      }
      const given: RequestTrailers[] = [
        () => [["x-length", `${sent}`]],
        () => Promise.resolve(new Headers({ "x-length": `${sent}` })),
        () => ({}),
      ];
      for (const trailers of given) {
        sent = 0;
        const options = { method: "PUT", body: body(), trailers };
        await (await pool.request(url("/"), options)).dump();
      }
      const { log } = await origin.report();
      assertEquals(log.map(({ trailers }) => trailers), [["x-length: 5"], ["x-length: 5"], []]);
      assertEquals(pool.stats().dials, 1);
    }));

  test(`Trailers that fail, or cannot be sent, fail their request over ${protocol}`, () =>
    withScene(over(protocol), async ({ pool, url }) => {
      const failure = new Error("no sum");
      const cases: [trailers: RequestTrailers, message: string][] = [
        [() => Promise.reject(failure), "no sum"],
        [() => ({ "content-length": "4" }), "Trailer content-length is not allowed"],
        [() => 1 as unknown as Headers, "trailers must be an object"],
      ];
      for (const [trailers, message] of cases) {
        const options = { method: "PUT", body: parts("body"), trailers };
        const error = await assertRejects(() => pool.request(url("/"), options), RequestError);
        assertStringIncludes((error.cause as Error).message, message);
      }
    }));
}

test("Trailers and secret names that cannot be sent are refused before anything is dialled", () =>
  withScene({}, async ({ pool, url }) => {
    const cases: [options: object, message: string][] = [
      [{ method: "GET", trailers: { a: "b" } }, "A GET request must have no trailers"],
      [{ method: "POST", trailers: { host: "b" } }, "Trailer host is not allowed"],
      [{ method: "POST", trailers: { a: "b\n" } }, "Value of trailer a has a forbidden character"],
      [{ method: "POST", trailers: { a: 1 } }, "Trailer a must be a text"],
      [{ method: "POST", trailers: [["a"]] }, "The trailer at index 0 must be a pair of texts"],
      [{ method: "POST", trailers: 1 }, "trailers must be an object, a list of pairs or Headers"],
      [
        { method: "POST", trailers: {}, headers: { "content-length": "0" } },
        "Header content-length contradicts the body",
      ],
      [{ sensitiveHeaders: "x-api-key" }, "sensitiveHeaders must be a list of header names"],
      [{ sensitiveHeaders: ["x a"] }, "sensitiveHeaders[0] has a forbidden character, 0x20"],
      [{ sensitiveHeaders: [1] }, "sensitiveHeaders[0] is of type number"],
    ];
    for (const [options, message] of cases) {
      const error = await assertRejects(
        async () => await pool.request(url("/"), options as RequestOptions),
        TypeError,
      );
      assertStringIncludes(error.message, message);
    }
    assertEquals(pool.stats().dials, 0);
  }));

test("A server of HTTP/2 is told which headers are secret, each time", () =>
  withScene(over("h2"), async ({ origin, pool, url }) => {
    const headers = { "X-API-Key": "k".repeat(30), authorization: "Bearer 1", "x-open": "1" };
    for (const sensitiveHeaders of [["x-Api-Key"], ["x-api-key", "x-none"], undefined]) {
      await (await pool.request(url("/"), { headers, sensitiveHeaders })).dump();
    }
    const { log } = await origin.report();
    assertEquals(log.map(({ secrets }) => secrets?.toSorted()), [
      ["authorization", "x-api-key"],
      ["authorization", "x-api-key"],
      ["authorization"],
    ]);
  }));
