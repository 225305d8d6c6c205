import { assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import { test } from "node:test";
import { BodyBuffer } from "../../src/http/body_buffer.ts";

const NOBODY = { pause() {}, resume() {}, cancel() {} };

function bytes(...values: number[]): Uint8Array {
  return new Uint8Array(values);
}

test("BodyBuffer.readAll() gives all parts in order, whatever length was expected of them", async () => {
  for (const expected of [undefined, 5, 8, 100_000_000]) {
    const buffer = new BodyBuffer(NOBODY);
    buffer.push(bytes(1, 2));
    buffer.expectedBytes = expected;
    const whole = buffer.readAll();
    const part = bytes(3, 4);
    buffer.push(part);
    part.fill(0);
    buffer.push(bytes(5));
    buffer.end();
    const found = await whole;
    assertEquals([...found.subarray(0, 5)], [1, 2, 3, 4, 5], `${expected}`);
    assertEquals(found.length, 5, `${expected}`);
  }
});

test("BodyBuffer.readAll() rejects where a body that was expected does not come to its end", async () => {
  const buffer = new BodyBuffer(NOBODY);
  buffer.expectedBytes = 5;
  const whole = buffer.readAll();
  buffer.push(bytes(1, 2));
  const error = new Error("cut off");
  buffer.fail(error);
  assertStrictEquals(await assertRejects(() => whole), error);
  assertStrictEquals(await assertRejects(() => buffer.readAll()), error);
});

test("BodyBuffer.readAll() gives no bytes where none come", async () => {
  const buffer = new BodyBuffer(NOBODY);
  buffer.expectedBytes = 0;
  const whole = buffer.readAll();
  buffer.end();
  assertEquals((await whole).length, 0);
});
