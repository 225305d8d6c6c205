import { assertEquals } from "@std/assert";
import { testSideBySide } from "../support/side_by_side.ts";
import { SILENCES, whyNot } from "./machines.ts";
import { sufferSilence } from "./scene.ts";

testSideBySide(
  Object.fromEntries(SILENCES.map((how) => [
    `No GET fails while one of three machines is silent, because ${how}`,
    async () => {
      const { before, during } = await sufferSilence(how, 1_500);
      assertEquals([...before.failures, ...during.failures], []);
    },
  ])),
  { skip: whyNot() },
);
