/**
 * A body keeps the program alive while somebody reads it, and not where nobody does.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { startChild } from "../support/child_program.ts";
import { authority, withScene } from "../support/http_scene.ts";
import type { Scripts } from "../support/origin_script.ts";
import type { UnreadTask } from "../support/unread_main.ts";

const main = fileURLToPath(new URL("../support/unread_main.ts", import.meta.url));

/** Far less than `leakTimeoutMs`, at which a body that nobody reads would let the program go. */
const MOST_MS = 10_000;

const head = "HTTP/1.1 200 OK\r\ncontent-length: 4000000\r\n\r\n";
/** Too long to be joined to the next one. */
const chunk = `1400\r\n${"a".repeat(0x1400)}\r\n`;
const scripts: Scripts = {
  "/part": [{ send: `${head}part` }],
  "/much": [{ send: head }, { pattern: 4_000_000 }],
  "/slow": [
    { send: "HTTP/1.1 200 OK\r\ncontent-length: 8\r\n\r\nhalf" },
    { waitMs: 500 },
    { send: "half" },
  ],
  "/parts": [
    { send: `HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n${chunk}${chunk}` },
    { waitMs: 500 },
    { send: "0\r\n\r\n" },
  ],
};

/** Asserts that a program ends soon after the head of its answer. */
async function assertEndsSoon(task: UnreadTask): Promise<void> {
  await using child = startChild(main, [JSON.stringify(task)]);
  assertEquals(await child.line(), "200");
  const headAt = performance.now();
  assertEquals(await child.ended, 0);
  const tookMs = performance.now() - headAt;
  assert(tookMs < MOST_MS, `${tookMs} ms`);
}

for (const call of ["request", "fetch"] as const) {
  for (const path of ["/part", "/much"]) {
    test(`a program ends at once that leaves the body of a ${call}() unread: ${path}`, () =>
      withScene({ scripts }, async ({ origin, url }) => {
        const addresses = [...origin.addresses];
        const reads = "nothing";
        await assertEndsSoon({ url: url(path), ca: authority, addresses, call, reads });
      }));
  }

  test(`a program ends at once that has read all that came of a ${call}()'s body`, () =>
    withScene({ scripts }, async ({ origin, url }) => {
      const addresses = [...origin.addresses];
      await assertEndsSoon({ url: url("/part"), ca: authority, addresses, call, reads: "part" });
    }));

  for (const alpn of ["http/1.1", "h2"]) {
    test(`a program ends at once that reads a part of a ${call}()'s body over ${alpn}`, () =>
      withScene({ origin: { behaviour: { kind: "http" }, alpn: [alpn] } }, async (scene) => {
        const addresses = [...scene.origin.addresses];
        const url = scene.url("/bytes/4000000");
        await assertEndsSoon({ url, ca: authority, addresses, call, reads: "part" });
      }));
  }

  test(`a program lives until the body of a ${call}() is there that it reads`, () =>
    withScene({ scripts }, async ({ origin, url }) => {
      const addresses = [...origin.addresses];
      const task: UnreadTask = { url: url("/slow"), ca: authority, addresses, call, reads: "all" };
      await using child = startChild(main, [JSON.stringify(task)]);
      assertEquals([await child.line(), await child.line()], ["200", "8"]);
      assertEquals(await child.ended, 0);
    }));
}

test("a program lives until a body is there that it dumps", () =>
  withScene({ scripts }, async ({ origin, url }) => {
    const task: UnreadTask = {
      url: url("/parts"),
      ca: authority,
      addresses: [...origin.addresses],
      call: "request",
      reads: "dump",
    };
    await using child = startChild(main, [JSON.stringify(task)]);
    assertEquals([await child.line(), await child.line()], ["200", "dumped"]);
    assertEquals(await child.ended, 0);
  }));
