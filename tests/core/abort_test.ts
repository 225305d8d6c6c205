import { assertEquals } from "@std/assert";
import test from "node:test";
import { offAbort, onAbort } from "../../src/core/abort.ts";
import { CountedController } from "../support/signals.ts";

test("onAbort() listens once to a signal that many share, and not at all when none is left", () => {
  const controller = new CountedController();
  const callbacks = Array.from({ length: 20 }, () => () => {});
  for (const callback of callbacks) onAbort(controller.signal, callback);
  assertEquals(controller.listeners, 1);
  for (const callback of callbacks) offAbort(controller.signal, callback);
  assertEquals(controller.listeners, 0);
  onAbort(controller.signal, callbacks[0]!);
  assertEquals(controller.listeners, 1);
});

test("onAbort() has each one called that has not been taken off, even by another one", () => {
  const controller = new CountedController();
  const { signal } = controller;
  const told: number[] = [];
  const third = () => told.push(3);
  const callbacks = [
    () => told.push(0),
    () => told.push(1),
    () => {
      told.push(2);
      offAbort(signal, third);
    },
    third,
    () => told.push(4),
  ];
  for (const callback of callbacks) onAbort(signal, callback);
  offAbort(signal, callbacks[1]!);
  controller.abort();
  assertEquals(told, [0, 2, 4]);
  for (const callback of callbacks) offAbort(signal, callback);
  assertEquals(controller.listeners, 0);
});
