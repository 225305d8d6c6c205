import { assertEquals, assertThrows } from "@std/assert";
import test from "node:test";
import { nodeDialer } from "../../adapters/node.ts";

test("nodeDialer() refuses a lingerMs that is no time to wait", () => {
  for (const lingerMs of [-1, Number.NaN, Infinity, 2 ** 31]) {
    assertThrows(() => nodeDialer({ lingerMs }), RangeError, "lingerMs");
  }
});

test("nodeDialer() names the runtime below it where that is not Node", () => {
  const runtime = "Deno" in globalThis ? " on deno" : "Bun" in globalThis ? " on bun" : "";
  assertEquals(nodeDialer({ lingerMs: 0 }).name, `node${runtime}`);
});
