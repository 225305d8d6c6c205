import { assert, assertEquals } from "@std/assert";
import { test } from "node:test";
import { refusal, run } from "./recorder.ts";

test("ResponseParser reads a status line and its fields in one chunk", () => {
  assertEquals(
    run("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nok"),
    {
      interim: [],
      head: {
        status: 200,
        statusText: "OK",
        fields: [["content-type", "text/plain"], ["content-length", "2"]],
      },
      body: "ok",
      trailers: null,
      complete: true,
      keepAlive: true,
      surplus: 0,
      refused: null,
    },
  );
});

test("ResponseParser reads status lines of every valid form", () => {
  const lines: [line: string, status: number, statusText: string][] = [
    ["HTTP/1.1 200 OK", 200, "OK"],
    ["HTTP/1.1 200 ", 200, ""],
    // Without the space, which the server must send and some do not.
    ["HTTP/1.1 200", 200, ""],
    ["HTTP/1.1 404 Not Found", 404, "Not Found"],
    ["HTTP/1.1 418 I'm \ta teapot", 418, "I'm \ta teapot"],
    ["HTTP/1.1 200  ", 200, " "],
    ["HTTP/1.1 500 \xdcbel", 500, "\xdcbel"],
    ["HTTP/1.0 200 OK", 200, "OK"],
    // A later minor version is handled as 1.1 (RFC 9110 section 2.5).
    ["HTTP/1.7 200 OK", 200, "OK"],
    // Codes beyond 599 are invalid, and to be taken for a 5xx (RFC 9110 section 15).
    ["HTTP/1.1 999 Request Denied", 999, "Request Denied"],
  ];
  for (const [line, status, statusText] of lines) {
    const { head, refused } = run(`${line}\r\ncontent-length: 0\r\n\r\n`);
    assertEquals(refused, null, line);
    assertEquals([head?.status, head?.statusText], [status, statusText], line);
  }
});

test("ResponseParser refuses status lines of every other form, at the first wrong byte", () => {
  const lines: [line: string, refused: string][] = [
    ["\r\nHTTP/1.1 200 OK\r\n", "status-line at 0"],
    [" HTTP/1.1 200 OK\r\n", "status-line at 0"],
    ["http/1.1 200 OK\r\n", "status-line at 0"],
    ["HTTPS/1.1 200 OK\r\n", "status-line at 4"],
    ["HTTP/2.0 200 OK\r\n", "status-line at 5"],
    ["HTTP/2 200 OK\r\n", "status-line at 5"],
    ["HTTP/0.9 200 OK\r\n", "status-line at 5"],
    ["HTTP/1,1 200 OK\r\n", "status-line at 6"],
    ["HTTP/1.x 200 OK\r\n", "status-line at 7"],
    ["HTTP/1.10 200 OK\r\n", "status-line at 8"],
    ["HTTP/1.1\t200 OK\r\n", "status-line at 8"],
    ["HTTP/1.1  200 OK\r\n", "status-line at 9"],
    ["HTTP/1.1 099 OK\r\n", "status-line at 9"],
    ["HTTP/1.1 +20 OK\r\n", "status-line at 9"],
    ["HTTP/1.1 2x0 OK\r\n", "status-line at 10"],
    ["HTTP/1.1 20 OK\r\n", "status-line at 11"],
    ["HTTP/1.1 2000 OK\r\n", "status-line at 12"],
    ["HTTP/1.1 200\tOK\r\n", "status-line at 12"],
    ["HTTP/1.1 200-OK\r\n", "status-line at 12"],
    ["HTTP/1.1 200\n", "status-line at 12"],
    ["HTTP/1.1 200 O\0K\r\n", "field-value at 14"],
    ["HTTP/1.1 200 O\x7fK\r\n", "field-value at 14"],
    ["HTTP/1.1 200 OK\n", "line-end at 15"],
    ["HTTP/1.1 200 OK\rX", "line-end at 15"],
    ["HTTP/1.1 200 OK\r\r\n", "line-end at 15"],
    ["<html>", "status-line at 0"],
    ["\x15\x03\x01\x00\x02\x02\x50", "status-line at 0"],
  ];
  for (const [line, refused] of lines) assertEquals(refusal(line), refused, JSON.stringify(line));
});

test("ResponseParser takes every token for a field name and every text for its value", () => {
  const name = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
  let value = "";
  for (let code = 0x21; code < 0x100; code++) if (code !== 0x7f) value += String.fromCharCode(code);
  const { head } = run(
    `HTTP/1.1 200 OK\r\n${name}:${value}\r\nA:\r\nB: \t \r\nC: \tx \t y\t \r\nd::\r\n\r\n`,
  );
  assertEquals(head?.fields, [
    [name.toLowerCase(), value],
    ["a", ""],
    ["b", ""],
    ["c", "x \t y"],
    ["d", ":"],
  ]);
});

test("ResponseParser refuses field lines that are not name, colon, value, CR LF (trap 28)", () => {
  const lines: [line: string, refused: string][] = [
    // White space before the colon (RFC 9112 section 5.1).
    ["A : b\r\n", "field-name at 18"],
    ["A\t: b\r\n", "field-name at 18"],
    ["A b: c\r\n", "field-name at 18"],
    ["Content-Length : 5\r\n", "field-name at 31"],
    [": b\r\n", "field-name at 17"],
    ["A\r\n", "field-name at 18"],
    ["A\n", "field-name at 18"],
    ["A=b\r\n", "field-name at 18"],
    ["A\0: b\r\n", "field-name at 18"],
    ["\xe4: b\r\n", "field-name at 17"],
    ["A\x80: b\r\n", "field-name at 18"],
    ["A(: b\r\n", "field-name at 18"],
    ["A,: b\r\n", "field-name at 18"],
    ["A;: b\r\n", "field-name at 18"],
    ["A@: b\r\n", "field-name at 18"],
    ["A[: b\r\n", "field-name at 18"],
    ["A{: b\r\n", "field-name at 18"],
    ["A\"b\": c\r\n", "field-name at 18"],
    // obs-fold, after a field and before the first one (RFC 9112 sections 5.2, 2.2).
    ["A: b\r\n c\r\n", "folded-line at 23"],
    ["A: b\r\n\tc\r\n", "folded-line at 23"],
    [" A: b\r\n", "folded-line at 17"],
    ["A: b\r\n \r\n", "folded-line at 23"],
    // Line ends.
    ["A: b\n", "line-end at 21"],
    ["A: b\nB: c\r\n", "line-end at 21"],
    ["A: b\r\n\n", "line-end at 23"],
    ["A: b\r\n\rX", "line-end at 23"],
    ["\n", "line-end at 17"],
    ["A: b\rc\r\n", "line-end at 21"],
    ["A: b\r\rc\r\n", "line-end at 21"],
    ["A: b\r", "null"],
    // Controls.
    ["A: b\0c\r\n", "field-value at 21"],
    ["A: \x01\r\n", "field-value at 20"],
    ["A: b\x0bc\r\n", "field-value at 21"],
    ["A: b\x0cc\r\n", "field-value at 21"],
    ["A: b\x1fc\r\n", "field-value at 21"],
    ["A: b\x7fc\r\n", "field-value at 21"],
  ];
  for (const [line, refused] of lines) {
    const response = `HTTP/1.1 200 OK\r\n${line}`;
    assertEquals(String(refusal(response)), refused, JSON.stringify(line));
  }
});

test("ResponseParser checks every byte of names and values at every distance from a line's begin", () => {
  // Four bytes are looked at at a time: no byte may slip through at any place among the four.
  for (let byte = 0; byte < 0x100; byte++) {
    const char = String.fromCharCode(byte);
    const inName = /[!#$%&'*+\-.^_`|~0-9A-Za-z]/.test(char);
    const inValue = /[\t\x20-\x7e\x80-\xff]/.test(char);
    for (let before = 0; before < 6; before++) {
      for (const filler of ["a", "\xff", "~"]) {
        const text = filler.repeat(before);
        const value = run(`HTTP/1.1 200 OK\r\nX:${text}${char}${text}\r\n`);
        assertEquals(value.refused === null, inValue, `value ${byte} after ${before}`);
      }
      const text = "a".repeat(before);
      const name = run(`HTTP/1.1 200 OK\r\n${text}${char}${text}: b\r\n`);
      const ends = char === ":" && before > 0;
      assertEquals(name.refused === null, inName || ends, `name ${byte} after ${before}`);
    }
  }
});

test("ResponseParser passes over interim responses, and tells of them (trap 3)", () => {
  const outcome = run(
    "HTTP/1.1 100 Continue\r\n\r\n"
      + "HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\nContent-Length: 5\r\n\r\n"
      + "HTTP/1.1 199 \r\nTransfer-Encoding: chunked\r\n\r\n"
      + "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
  );
  assertEquals(outcome.interim, [
    { status: 100, fields: [] },
    { status: 103, fields: [["link", "</a.css>"], ["content-length", "5"]] },
    { status: 199, fields: [["transfer-encoding", "chunked"]] },
  ]);
  assertEquals(outcome.head?.status, 200);
  assertEquals(outcome.body, "ok");
  assertEquals([outcome.complete, outcome.keepAlive], [true, true]);
});

test("ResponseParser refuses 101, for no upgrade was asked for", () => {
  assertEquals(
    refusal("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n"),
    "upgrade-not-asked at 56",
  );
});

test("ResponseParser counts the offset of an error from the first interim response on", () => {
  const interim = "HTTP/1.1 100 Continue\r\n\r\n";
  assertEquals(
    refusal(`${interim}${interim}HTTP/1.1 200 OK\r\nA : b\r\n`),
    `field-name at ${2 * interim.length + 18}`,
  );
});

test("ResponseParser reads a head that is longer than what it copies at a time", () => {
  for (const length of [1_000, 2_030, 2_048, 2_049, 5_000, 16_000]) {
    const fields = `A: ${"b".repeat(length)}\r\nC: ${"d".repeat(length)}\r\n`;
    const response = `HTTP/1.1 200 OK\r\n${fields}Content-Length: 3000\r\n\r\n${"e".repeat(3000)}`;
    for (const cuts of [[], [1], [2_000, 2_000], [length], [length + 20, 1, 1, 1]]) {
      const { head, body, complete } = run(response, { cuts });
      assert(complete, `${length} ${cuts}`);
      assertEquals(head?.fields[0], ["a", "b".repeat(length)]);
      assertEquals(head?.fields[1], ["c", "d".repeat(length)]);
      assertEquals(body, "e".repeat(3000));
    }
  }
});
