/**
 * Requests to Node's own server of HTTP/2.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { nodeHttp2 } from "../support/node_http2.ts";
import { mismatch, pattern } from "../support/pattern.ts";
import { TEXT } from "../support/upstream.ts";
import { testStreams } from "./party_contract.ts";
import { ask, explain, streamOf, testWith, ways } from "./support.ts";

const MEBIBYTE = 1_048_576;
const protocol = "h2";

testStreams(nodeHttp2, protocol);

testWith(nodeHttp2, "answers GET, HEAD, 204, 304 and 404", { protocol }, async ({ pool }) => {
  for (const [, ask] of ways) {
    const { bytes } = await ask(pool, "text");
    assertEquals(new TextDecoder().decode(bytes) === TEXT, true);
    for (const [path, method] of [["bytes?size=9", "HEAD"], ["204", "GET"], ["304", "GET"]]) {
      assertEquals((await ask(pool, path!, { method: method! })).bytes.length, 0);
    }
    assertEquals((await ask(pool, "404")).status, 404);
  }
  assertEquals(pool.stats().dials, 1);
});

testWith(
  nodeHttp2,
  "sends back 1 MiB as it comes, and the trailers behind it",
  { protocol },
  async ({ pool }) => {
    const bytes = pattern(0, MEBIBYTE);
    for (const body of [bytes, streamOf(bytes, 10_000), new Blob([bytes])]) {
      const response = await pool.request("https://a.test/echo", {
        method: "POST",
        body,
        trailers: { "x-sum": "1234" },
      });
      const echoed = await response.bytes();
      assertEquals([echoed.length, mismatch(0, echoed)], [MEBIBYTE, -1]);
      assertEquals([...response.trailers ?? []], [["x-sum", "1234"]]);
    }
    assertEquals(pool.stats().dials, 1);
  },
);

testWith(
  nodeHttp2,
  "answers the beginning of a body before its end is sent",
  { protocol },
  async ({ pool }) => {
    const parts = new TransformStream<Uint8Array, Uint8Array>();
    const writer = parts.writable.getWriter();
    const begun = pool.request("https://a.test/echo", { method: "POST", body: parts.readable });
    await writer.write(pattern(0, 10));
    const reader = (await begun).body.getReader();
    assertEquals((await reader.read()).value?.length, 10);
    await writer.write(pattern(10, 20));
    assertEquals((await reader.read()).value?.length, 20);
    await writer.close();
    assertEquals((await reader.read()).done, true);
  },
);

testWith(
  nodeHttp2,
  "goes away time and again under load, and no request fails",
  { protocol },
  async ({ pool }) => {
    let left = 300;
    const failures: string[] = [];
    await Promise.all(Array.from({ length: 12 }, async () => {
      while (left-- > 0) {
        const path = left % 25 === 0 ? "leave" : "bytes?size=5000";
        const answer = await ask(pool, path).catch((error) => failures.push(explain(error)));
        if (typeof answer === "number") return;
        assertEquals(answer.status, path === "leave" ? 404 : 200);
      }
    }));
    assertEquals(failures, []);
    assert(pool.stats().dials > 3, `${pool.stats().dials} dials`);
    pool.manager.checkInvariants();
  },
);
