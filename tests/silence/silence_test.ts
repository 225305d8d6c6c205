import { assertEquals } from "@std/assert";
import test from "node:test";
import { SILENCES, whyNot } from "./machines.ts";
import { sufferSilence } from "./scene.ts";

const reason = whyNot();

for (const how of SILENCES) {
  test(`No GET fails while one of three machines is silent, because ${how}`, {
    skip: reason,
  }, async () => {
    const { before, during } = await sufferSilence(how, 1_500);
    assertEquals([...before.failures, ...during.failures], []);
  });
}
