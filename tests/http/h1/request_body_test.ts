import { assertEquals, assertThrows } from "@std/assert";
import { test } from "node:test";
import { encodeChunk, encodeLastChunk } from "../../../src/http/h1/request_body.ts";
import { bytesOf, run, textOf } from "./recorder.ts";

test("encodeChunk() writes the size in hexadecimal, the data, and a line end", () => {
  assertEquals(textOf(encodeChunk(bytesOf("a"))), "1\r\na\r\n");
  assertEquals(textOf(encodeChunk(bytesOf("\r\n0\r\n\r\n"))), "7\r\n\r\n0\r\n\r\n\r\n");
  assertEquals(textOf(encodeChunk(new Uint8Array(0x1af)).slice(0, 5)), "1af\r\n");
  assertEquals(encodeChunk(new Uint8Array(0x1af)).length, 3 + 2 + 0x1af + 2);
});

test("encodeChunk() makes no chunk of no bytes, for that one would end the body", () => {
  assertEquals(encodeChunk(new Uint8Array(0)).length, 0);
});

test("encodeChunk() copies the data", () => {
  const data = bytesOf("abc");
  const chunk = encodeChunk(data);
  data.fill(0);
  assertEquals(textOf(chunk), "3\r\nabc\r\n");
});

test("encodeLastChunk() ends the body, with trailers where there are any", () => {
  assertEquals(textOf(encodeLastChunk()), "0\r\n\r\n");
  assertEquals(textOf(encodeLastChunk([])), "0\r\n\r\n");
  assertEquals(
    textOf(encodeLastChunk([["Digest", "abc"], ["x-y", "é\xff"]])),
    "0\r\nDigest: abc\r\nx-y: é\xff\r\n\r\n",
  );
});

test("encodeLastChunk() refuses trailers that cannot be sent, and repeats no value (trap 27)", () => {
  const cases: [name: string, value: string, message: string][] = [
    ["a\r\nb", "c", "Trailer name at index 0 has a forbidden character, 0x0d, at offset 1"],
    ["a", "secret\n", "Value of trailer a has a forbidden character, 0x0a, at offset 6"],
    ["a", "\u0100", "Value of trailer a has a forbidden character, 0x100, at offset 0"],
    ["", "b", "Trailer name at index 0 is empty"],
    ["Content-Length", "5", "Trailer Content-Length is not allowed: it belongs into the head"],
    [
      "transfer-encoding",
      "x",
      "Trailer transfer-encoding is not allowed: it belongs into the head",
    ],
    ["HOST", "a", "Trailer HOST is not allowed: it belongs into the head"],
    ["authorization", "b", "Trailer authorization is not allowed: it belongs into the head"],
  ];
  for (const [name, value, message] of cases) {
    assertEquals(assertThrows(() => encodeLastChunk([[name, value]]), TypeError).message, message);
  }
});

test("encodeChunk() and encodeLastChunk() write what ResponseParser reads", () => {
  const parts = [bytesOf("hello "), new Uint8Array(0), bytesOf("w"), bytesOf("orld\r\n")];
  const coded = parts.map(encodeChunk).map(textOf).join("") + textOf(encodeLastChunk([["a", "b"]]));
  const outcome = run(`HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${coded}`);
  assertEquals(
    [outcome.body, outcome.trailers, outcome.complete],
    ["hello world\r\n", [["a", "b"]], true],
  );
});
