import { assertEquals } from "@std/assert";
import { test } from "node:test";
import { encodeChunk, LAST_CHUNK } from "../../../src/http/codec/request_body.ts";
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

test("Chunks and LAST_CHUNK are what ResponseParser reads", () => {
  const parts = [bytesOf("hello "), new Uint8Array(0), bytesOf("w"), bytesOf("orld\r\n")];
  const coded = parts.map(encodeChunk).map(textOf).join("") + textOf(LAST_CHUNK);
  const outcome = run(`HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${coded}`);
  assertEquals([outcome.body, outcome.complete], ["hello world\r\n", true]);
});
