import { assertEquals } from "@std/assert";
import { testSideBySide } from "../support/side_by_side.ts";
import { SILENCES, whyNot } from "./machines.ts";
import { sufferSilence } from "./scene.ts";

testSideBySide(
  Object.fromEntries(SILENCES.map((how) => [
    `No GET fails while one of three machines is silent, because ${how}`,
    async () => {
      // A slow machine takes its time, too: what waits for the silent one would wait for ever.
      const { before, during } = await sufferSilence(how, 1_500, 20_000);
      assertEquals([...before.failures, ...during.failures], []);
    },
  ])),
  { skip: whyNot() },
);
