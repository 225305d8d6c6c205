/**
 * What URLs that were asked for keep in memory: themselves alone.
 *
 * @module
 */

import { assert } from "@std/assert";
import process from "node:process";
import { test } from "node:test";
import { collect } from "../support/collect.ts";
import { answer, memoryHttp } from "../support/memory_http.ts";

const PAGES = 40;
const PAGE_BYTES = 1_000_000;

/** A page whose only link is its end. The runtimes give the link's text out as a view of it. */
function pageWith(url: string): string {
  const bytes = new Uint8Array(PAGE_BYTES).fill(0x61);
  return `${new TextDecoder().decode(bytes)}<a href="${url}">`;
}

for (const call of ["request", "fetch"] as const) {
  test(`URLs that were cut out of pages keep no page in memory after ${call}()`, async () => {
    await using pool = memoryHttp(() => answer("200 OK", {}, "x"));
    await (await pool[call]("https://a.test/")).text();
    collect();
    const { heapUsed } = process.memoryUsage();
    for (let i = 0; i < PAGES; i++) {
      const page = pageWith(`https://a.test/${call}/with/a/long/path/${i}`);
      const [, url = ""] = /href="([^"]*)"/.exec(page) ?? [];
      await (await pool[call](url)).text();
    }
    collect();
    const grown = process.memoryUsage().heapUsed - heapUsed;
    assert(grown < PAGES * PAGE_BYTES / 2, `${grown} bytes for ${PAGES} URLs`);
  });
}
