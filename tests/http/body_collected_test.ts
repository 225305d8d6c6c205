/**
 * What is left of a body that was ended in the middle of it: nothing.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { test } from "node:test";
import { detectRuntime } from "../../adapters/detect.ts";
import { collect } from "../support/collect.ts";
import { memoryHttp } from "../support/memory_http.ts";

type Body = ReadableStream<Uint8Array>;

const endings: { readonly [how: string]: (body: Body) => Promise<unknown> } = {
  "is cancelled": (body) => body.cancel(),
  "is cancelled after a read": async (body) => {
    const reader = body.getReader();
    await reader.read();
    await reader.cancel();
  },
  "is left by a loop": async (body) => {
    for await (const _ of body as unknown as AsyncIterable<Uint8Array>) break;
  },
};

// Its collector looks at the stack as well, and keeps what may be referred to from there.
const skip = detectRuntime() === "bun" ? "Bun's collector is conservative" : false;

for (const [how, end] of Object.entries(endings)) {
  for (const call of ["request", "fetch"] as const) {
    test(`the body of a ${call}() that ${how} is collected`, { skip }, async () => {
      await using pool = memoryHttp(() => "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf");
      const bodies: WeakRef<Body>[] = [];
      for (let calls = 0; calls < 20; calls++) {
        const { body } = await pool[call]("https://a.test/");
        bodies.push(new WeakRef(body as Body));
        await end(body as Body);
      }
      for (let turns = 0; turns < 20 && bodies.some((body) => body.deref()); turns++) {
        await new Promise((resolve) => setTimeout(resolve, 5));
        collect();
      }
      // The last one may still stand in a register.
      const left = bodies.filter((body) => body.deref()).length;
      assertEquals(left <= 1, true, `${left} are left`);
      assertEquals(pool.stats().leased, 0);
    });
  }
}
