import { assert, assertEquals } from "@std/assert";
import process from "node:process";
import { test } from "node:test";
import { ResponseParser } from "../../../src/http/h1/response_parser.ts";
import type { ResponseHeaders } from "../../../src/http/response_headers.ts";
import { collect } from "../../support/collect.ts";
import { bytesOf } from "./recorder.ts";

function headersOf(fields: string): ResponseHeaders {
  let found: ResponseHeaders | null = null;
  const parser = new ResponseParser({
    onInterim() {},
    onHead: (_status, _text, headers) => void (found = headers),
    onBody() {},
    onTrailers() {},
  });
  parser.reset("HEAD");
  const bytes = bytesOf(`HTTP/1.1 200 Phrase: x\r\n${fields}\r\n`);
  parser.push(bytes);
  bytes.fill(0);
  assert(found !== null);
  return found;
}

test("ResponseHeaders.get() finds a field whatever its case, and joins its values", () => {
  const headers = headersOf(
    "Content-Type: text/html\r\nVARY: a\r\nVary:b \r\nEmpty:\r\nvary: \tc\r\n",
  );
  assertEquals(headers.get("content-type"), "text/html");
  assertEquals(headers.get("CONTENT-TYPE"), "text/html");
  assertEquals(headers.get("vary"), "a, b, c");
  assertEquals(headers.get("empty"), "");
  assertEquals(headers.get("missing"), null);
  assertEquals(headers.get("content-typ"), null);
  assertEquals(headers.get("ontent-type"), null);
});

test("ResponseHeaders.getAll() gives each value, and has() says whether there is one", () => {
  const headers = headersOf("Set-Cookie: a=1, x\r\nB: c\r\nset-cookie: b=2\r\nEmpty: \r\n");
  assertEquals(headers.getAll("Set-Cookie"), ["a=1, x", "b=2"]);
  assertEquals(headers.getAll("empty"), [""]);
  assertEquals(headers.getAll("missing"), []);
  assertEquals([headers.has("SET-COOKIE"), headers.has("empty"), headers.has("cookie")], [
    true,
    true,
    false,
  ]);
});

test("ResponseHeaders finds nothing by what is no name", () => {
  const headers = headersOf("A: b: c\r\nD: e\r\n");
  for (
    const name of ["", "a: b", "a:", ":", "b", " b", "a: b: c\r\nd", "\na", "phrase", "x\r\na"]
  ) {
    assertEquals([headers.get(name), headers.has(name)], [null, false], JSON.stringify(name));
    assertEquals(headers.getAll(name), [], JSON.stringify(name));
  }
  assertEquals(headers.get("a"), "b: c");
});

test("ResponseHeaders gives its fields in order, with lower-case names", () => {
  const fields: [string, string][] = [["b", "1"], ["a", "2"], ["b", "3"], ["c", ""]];
  const headers = headersOf("B: 1\r\na:2\r\nB:3\t\r\nC:\r\n");
  assertEquals([...headers], fields);
  assertEquals([...headers], fields);
  assertEquals([...headersOf("")], []);
  assertEquals(headersOf("").get("a"), null);
});

test("ResponseHeaders reads bytes beyond ASCII as ISO 8859-1", () => {
  const headers = headersOf("A: \x80\xe9\xff\r\nB: \xc3\xa9\r\n");
  assertEquals(headers.get("a"), "\x80\xe9\xff");
  assertEquals(headers.get("b"), "\xc3\xa9");
  assertEquals(headersOf(`A: ${"\xc0".repeat(10_000)}\r\nB: c\r\n`).get("b"), "c");
});

test("ResponseHeaders.toHeaders() makes a Headers that can be changed", () => {
  const headers = headersOf("Set-Cookie: a=1\r\nX: y\r\nSet-Cookie: b=2\r\nX: z\r\nE: \xe9\r\n");
  const web = headers.toHeaders();
  assertEquals(web.getSetCookie(), ["a=1", "b=2"]);
  assertEquals(web.get("x"), "y, z");
  assertEquals(web.get("e"), "\xe9");
  web.set("x", "other");
  assertEquals(headers.get("x"), "y, z");
});

test("A value, or a name, that is kept does not keep the whole head in memory", () => {
  const filler = Array.from({ length: 80 }, (_, index) => `x-${index}: ${"y".repeat(90)}\r\n`).join(
    "",
  );
  const used = () => {
    collect();
    return process.memoryUsage().heapUsed;
  };
  for (
    const take of [
      (headers: ResponseHeaders) => headers.get("etag"),
      (headers: ResponseHeaders) => headers.getAll("etag")[0],
      (headers: ResponseHeaders) => [...headers].find(([name]) => name.startsWith("etag")),
      (headers: ResponseHeaders) => [...headers].find(([name]) => name.startsWith("etag"))?.[0],
    ]
  ) {
    const kept: unknown[] = [];
    for (let index = 0; index < 100; index++) {
      take(headersOf(`ETag: "${index}"\r\nETag-of-the-whole: ${index}\r\n${filler}`));
    }
    const before = used();
    for (let index = 0; index < 1_000; index++) {
      const etag = `etag: "0123456789abcdef-${index}"\r\n`;
      kept.push(take(headersOf(`${etag}etag-of-the-whole-of-it: x\r\n${filler}`)));
    }
    const each = (used() - before) / kept.length;
    assert(each < 2_000, `${each} bytes for ${String(kept[0])}`);
  }
});
