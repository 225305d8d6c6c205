import { assert, assertEquals, assertFalse } from "@std/assert";
import test from "node:test";
import { Events } from "../../src/core/events.ts";
import { CountedController } from "../support/signals.ts";
import { turns } from "../support/turns.ts";

interface Numbers {
  a: number;
  b: number;
}

test("Events.emit() delivers after the emitting call, never in the middle of it", async () => {
  const events = new Events<Numbers>();
  const heard: string[] = [];
  events.on("a", (number) => heard.push(`a${number}`));
  events.emit("a", 1);
  events.emit("a", 2);
  heard.push("emitted");
  await null;
  assertEquals(heard, ["emitted", "a1", "a2"]);
});

test("Events.emit() delivers in order: across types, and to each listener in turn", async () => {
  const events = new Events<Numbers>();
  const heard: string[] = [];
  events.on("a", (number) => heard.push(`first a${number}`));
  events.on("b", (number) => heard.push(`b${number}`));
  events.on("a", (number) => heard.push(`second a${number}`));
  events.emit("b", 1);
  events.emit("a", 2);
  events.emit("b", 3);
  await turns();
  assertEquals(heard, ["b1", "first a2", "second a2", "b3"]);
});

test("what a listener emits is delivered after what was emitted before it", async () => {
  const events = new Events<Numbers>();
  const heard: string[] = [];
  events.on("a", (number) => {
    heard.push(`a${number}`);
    if (number < 3) events.emit("a", number + 10);
    heard.push(`a${number} done`);
  });
  events.emit("a", 1);
  events.emit("a", 2);
  await turns();
  assertEquals(heard, ["a1", "a1 done", "a2", "a2 done", "a11", "a11 done", "a12", "a12 done"]);
});

test("Events.wants() is true only while somebody listens to that type", () => {
  const events = new Events<Numbers>();
  assertFalse(events.wants("a"));
  const offFirst = events.on("a", () => {});
  const offSecond = events.on("a", () => {});
  assert(events.wants("a"));
  assertFalse(events.wants("b"));
  offFirst();
  offFirst();
  assert(events.wants("a"));
  offSecond();
  assertFalse(events.wants("a"));
  events.on("a", () => {});
  offSecond();
  assert(events.wants("a"));
});

test("a listener that is off hears nothing more, not even what was emitted before", async () => {
  const events = new Events<Numbers>();
  const heard: string[] = [];
  const off = events.on("a", (number) => heard.push(`off ${number}`));
  events.on("a", (number) => heard.push(`on ${number}`));
  events.emit("a", 1);
  off();
  await turns();
  events.emit("a", 2);
  await turns();
  assertEquals(heard, ["on 1", "on 2"]);
});

test("a listener that ends another one keeps it from hearing the same event", async () => {
  const events = new Events<Numbers>();
  const heard: string[] = [];
  const offs: (() => void)[] = [];
  events.on("a", () => {
    heard.push("first");
    for (const off of offs) off();
  });
  offs.push(events.on("a", () => heard.push("second")));
  events.emit("a", 1);
  await turns();
  assertEquals(heard, ["first"]);
});

test("a listener hears only what is emitted once it listens", async () => {
  const events = new Events<Numbers>();
  const heard: number[] = [];
  events.on("a", () => {});
  events.emit("a", 1);
  events.on("a", (number) => heard.push(number));
  events.emit("a", 2);
  await turns();
  assertEquals(heard, [2]);
});

test("the same function may listen twice, and each off ends one of the two", async () => {
  const events = new Events<Numbers>();
  let heard = 0;
  const listener = () => heard++;
  const off = events.on("a", listener);
  events.on("a", listener);
  events.emit("a", 1);
  await turns();
  assertEquals(heard, 2);
  off();
  off();
  events.emit("a", 2);
  await turns();
  assertEquals(heard, 3);
});

test("Events.on() ends with its signal, and takes its listener off that signal on every way out", async () => {
  const events = new Events<Numbers>();
  const heard: number[] = [];
  const controller = new CountedController();
  const { signal } = controller;
  const off = events.on("a", (number) => heard.push(-number), { signal });
  assertEquals(controller.listeners, 1);
  off();
  assertEquals(controller.listeners, 0);
  events.on("a", (number) => heard.push(number), { signal });
  events.emit("a", 1);
  await turns();
  events.emit("a", 2);
  controller.abort();
  await turns();
  assertEquals(heard, [1]);
  assertFalse(events.wants("a"));
  assertEquals(controller.listeners, 0);
});

test("Events.on() does not begin to listen with a signal that has aborted", () => {
  const events = new Events<Numbers>();
  const off = events.on("a", () => {}, { signal: AbortSignal.abort() });
  assertFalse(events.wants("a"));
  off();
});

test("Events.emit() costs nothing and schedules nothing where nobody listens", async () => {
  const events = new Events<Numbers>();
  const { queueMicrotask } = globalThis;
  let scheduled = 0;
  globalThis.queueMicrotask = () => void scheduled++;
  try {
    events.emit("a", 1);
  } finally {
    globalThis.queueMicrotask = queueMicrotask;
  }
  await turns();
  assertEquals(scheduled, 0);
});

test("a listener that throws keeps no other from hearing, and its error reaches the top", async () => {
  const events = new Events<Numbers>();
  const heard: string[] = [];
  const atTheTop: unknown[] = [];
  const { queueMicrotask } = globalThis;
  // What a microtask throws is the program's to hear: here, the test's.
  globalThis.queueMicrotask = (callback) =>
    queueMicrotask(() => {
      try {
        callback();
      } catch (error) {
        atTheTop.push(error);
      }
    });
  const error = new Error("of a listener");
  try {
    events.on("a", (number) => heard.push(`before ${number}`));
    events.on("a", () => {
      throw error;
    });
    events.on("a", (number) => heard.push(`after ${number}`));
    events.on("b", (number) => heard.push(`b ${number}`));
    events.emit("a", 1);
    events.emit("b", 2);
    await turns();
    events.emit("a", 3);
    await turns();
  } finally {
    globalThis.queueMicrotask = queueMicrotask;
  }
  assertEquals(heard, ["before 1", "after 1", "b 2", "before 3", "after 3"]);
  assertEquals(atTheTop, [error, error]);
});
