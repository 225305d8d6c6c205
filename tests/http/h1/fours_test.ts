/**
 * Searches that look at four bytes at a time, against searches that look at one.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { test } from "node:test";
import { lowerLetters, skipLetters, skipText } from "../../../src/http/h1/fours.ts";

const LETTER = /[A-Za-z-]/;
const TEXT = /[\x20-\x7e]/;

/** Where the first character is that is not of a kind. */
const end = (text: string, kind: RegExp) => [...text].findIndex((char) => !kind.test(char));

/** Every two neighbours, at each place of four, with what may carry into them and out of them. */
function* texts(): Generator<string> {
  for (let two = 0; two < 0x1_0000; two++) {
    const pair = String.fromCharCode(two >> 8, two & 0xff);
    const at = two % 4;
    yield `${"Z".repeat(at)}${pair}${"z".repeat(6 - at)}`;
    yield `${"-".repeat(3 - at)}${pair}${"A".repeat(3 + at)}`;
  }
}

test("Four bytes at a time, a search ends where it would end byte by byte", () => {
  const bytes = new Uint8Array(12);
  const view = new DataView(bytes.buffer);
  const fill = (text: string) => {
    for (let i = 0; i < 8; i++) bytes[i] = text.charCodeAt(i);
  };
  for (const text of texts()) {
    const letters = end(`${text}\0`, LETTER);
    const lower = text.slice(0, letters).toLowerCase() + text.slice(letters);
    fill(text);
    const found = [skipLetters(view, 0), skipText(view, 0), lowerLetters(view, 0)];
    const expected = [letters, end(`${text}\0`, TEXT), letters];
    // To compare texts is quick, and there are very many.
    const left = String.fromCharCode(...bytes.subarray(0, 8));
    if (`${found}` !== `${expected}` || left !== lower) {
      assertEquals([found, left], [expected, lower], JSON.stringify(text));
    }
  }
});
