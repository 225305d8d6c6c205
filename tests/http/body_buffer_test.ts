import { assert, assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import { Buffer } from "node:buffer";
import { test } from "node:test";
import { BodyBuffer } from "../../src/http/body_buffer.ts";

const NOBODY = { pause() {}, resume() {}, cancel() {} };

function bytes(...values: number[]): Uint8Array {
  return new Uint8Array(values);
}

test("BodyBuffer.readAll() gives all parts in order, whatever length was expected of them", async () => {
  for (const expected of [undefined, 5, 8, 1_000, 100_000_000]) {
    const buffer = new BodyBuffer(NOBODY, expected);
    buffer.push(bytes(1, 2));
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
  const buffer = new BodyBuffer(NOBODY, 5);
  const whole = buffer.readAll();
  buffer.push(bytes(1, 2));
  const error = new Error("cut off");
  buffer.fail(error);
  assertStrictEquals(await assertRejects(() => whole), error);
  assertStrictEquals(await assertRejects(() => buffer.readAll()), error);
});

test("BodyBuffer.readAll() gives no bytes where none come", async () => {
  const buffer = new BodyBuffer(NOBODY, 0);
  const whole = buffer.readAll();
  buffer.end();
  assertEquals((await whole).length, 0);
});

test("BodyBuffer.read() gives each part once, however much of the body came first", async () => {
  for (const expected of [undefined, 6, 8, 1_000]) {
    const buffer = new BodyBuffer(NOBODY, expected);
    const arrived = bytes(1, 2);
    buffer.push(arrived);
    arrived.fill(0);
    buffer.push(bytes(3));
    const read: number[] = [];
    read.push(...(await buffer.read())!);
    if (read.length < 3) read.push(...(await buffer.read())!);
    const next = buffer.read();
    buffer.push(bytes(4, 5));
    buffer.push(bytes(6));
    buffer.end();
    read.push(...(await next)!, ...(await buffer.read())!);
    assertEquals(read, [1, 2, 3, 4, 5, 6], `${expected}`);
    assertEquals(await buffer.read(), null);
  }
});

test("BodyBuffer.read() gives parts of their own memory, even where they come as Buffers that share one", async () => {
  const buffer = new BodyBuffer(NOBODY);
  const arrived = Buffer.alloc(10_000, 1);
  buffer.push(arrived.subarray(0, 5_000));
  buffer.push(arrived.subarray(5_000));
  arrived.fill(0);
  buffer.end();
  for (let i = 0; i < 2; i++) {
    const part = (await buffer.read())!;
    assertEquals([part.length, part[0], part.buffer.byteLength], [5_000, 1, 5_000]);
  }
});

test("BodyBuffer stops its source when another part comes to a full buffer, and not sooner", async () => {
  const told: string[] = [];
  const source = {
    pause: () => told.push("pause"),
    resume: () => told.push("resume"),
    cancel() {},
  };
  const buffer = new BodyBuffer(source, 1_000_000);
  buffer.push(new Uint8Array(300_000));
  assertEquals(told, []);
  buffer.push(new Uint8Array(300_000));
  assertEquals(told, ["pause"]);
  const whole = buffer.readAll();
  assertEquals(told, ["pause", "resume"]);
  buffer.push(new Uint8Array(400_000));
  buffer.end();
  assertEquals((await whole).length, 1_000_000);
  assertEquals(told, ["pause", "resume"]);
});

test("BodyBuffer holds and gives what comes byte by byte in few parts", async () => {
  const sent = Uint8Array.from({ length: 20_000 }, (_, index) => index % 251);
  const fill = () => {
    const buffer = new BodyBuffer(NOBODY);
    for (let at = 0; at < sent.length; at++) buffer.push(sent.subarray(at, at + 1));
    buffer.end();
    return buffer;
  };
  const parts: Uint8Array[] = [];
  const buffer = fill();
  for (let part = await buffer.read(); part; part = await buffer.read()) parts.push(part);
  assertEquals(parts.flatMap((part) => [...part]), [...sent]);
  assert(parts.length <= 10, `${parts.length} parts`);
  assertEquals(await fill().readAll(), sent);
});

test("BodyBuffer changes nothing of a part that it has given", async () => {
  const buffer = new BodyBuffer(NOBODY);
  for (let value = 1; value <= 3; value++) buffer.push(bytes(value));
  const first = await buffer.read();
  buffer.push(bytes(4));
  buffer.push(bytes(5));
  assertEquals([...first!], [1, 2, 3]);
  assertEquals([...(await buffer.read())!], [4, 5]);
});

test("BodyBuffer gives bytes in their own memory, which is as long as they are", async () => {
  for (const length of [0, 1, 3, 5_000]) {
    for (const way of ["takeAll", "readAll"] as const) {
      const buffer = new BodyBuffer(NOBODY);
      for (let at = 0; at < length; at++) buffer.push(bytes(at));
      buffer.end();
      const memory = (await buffer[way]())!.buffer as ArrayBuffer;
      assertEquals(new Uint8Array(memory).length, length);
      // Nobody can use it any more where it was handed over, as to a worker.
      structuredClone(memory, { transfer: [memory] });
    }
  }
});
