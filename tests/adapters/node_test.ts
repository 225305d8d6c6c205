import { assertEquals, assertThrows } from "@std/assert";
import test from "node:test";
import { nodeDialer } from "../../adapters/node.ts";

test("nodeDialer() refuses times that are none, and options that it does not know", () => {
  assertThrows(() => nodeDialer({ lingerMs: -1 }), RangeError, "lingerMs must be a number of at");
  assertThrows(() => nodeDialer({ closeTimeoutMs: NaN }), TypeError, "closeTimeoutMs must be");
  assertThrows(() => nodeDialer({ linger: 1 } as object), TypeError, "did you mean lingerMs?");
});

test("nodeDialer() names the runtime below it where that is not Node", () => {
  const runtime = "Deno" in globalThis ? " on deno" : "Bun" in globalThis ? " on bun" : "";
  assertEquals(nodeDialer({ lingerMs: 0 }).name, `node${runtime}`);
});
