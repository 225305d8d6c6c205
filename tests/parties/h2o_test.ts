/**
 * Requests to h2o.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { test } from "node:test";
import { h2o } from "../support/h2o.ts";
import { mismatch, pattern } from "../support/pattern.ts";
import { testReload, testStreams } from "./party_contract.ts";
import { ask, sha256, streamOf, testWith, ways } from "./support.ts";

const MEBIBYTE = 1_048_576;

testStreams(h2o, "h2");
const cannotReload = !h2o.reloads && "start_server of h2o is not installed";
if (cannotReload) test("h2o is reloaded under load", { skip: cannotReload }, () => {});
else testReload(h2o, "h2");

testWith(h2o, "sends and takes 1 MiB both ways", { protocol: "h2" }, async ({ pool }) => {
  const bytes = pattern(0, MEBIBYTE);
  const expected = { bytes: MEBIBYTE, sha256: sha256(bytes) };
  for (const [, ask] of ways) {
    for (const query of ["", "&chunked"]) {
      const answer = await ask(pool, `bytes?size=${MEBIBYTE}${query}`);
      assertEquals([answer.bytes.length, mismatch(0, answer.bytes)], [MEBIBYTE, -1]);
    }
    for (const body of [bytes, streamOf(bytes, 40_000)]) {
      const answer = await ask(pool, "hash", { method: "POST", body });
      assertEquals(JSON.parse(new TextDecoder().decode(answer.bytes)), expected);
    }
  }
  assertEquals(pool.stats().dials, 1);
});

testWith(
  h2o,
  "sends no body to HEAD, nor with 204 and 304",
  { protocol: "h2" },
  async ({ pool }) => {
    for (const [path, method] of [["bytes?size=1000", "HEAD"], ["204", "GET"], ["304", "GET"]]) {
      assertEquals((await ask(pool, path!, { method: method! })).bytes.length, 0);
    }
    assertEquals((await ask(pool, "404")).status, 404);
    assertEquals(pool.stats().dials, 1);
  },
);
