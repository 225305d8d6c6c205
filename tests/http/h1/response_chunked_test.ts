import { assertEquals } from "@std/assert";
import { test } from "node:test";
import { refusal, run } from "./recorder.ts";

const HEAD = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";

test("ResponseParser joins the chunks of a body", () => {
  const outcome = run(`${HEAD}5\r\nhello\r\n1\r\n \r\n5\r\nworld\r\n0\r\n\r\nsurplus`);
  assertEquals(
    [outcome.body, outcome.trailers, outcome.complete, outcome.keepAlive, outcome.surplus],
    ["hello world", null, true, true, 7],
  );
});

test("ResponseParser reads chunk sizes in either case and with leading zeros", () => {
  for (const size of ["a", "A", "0a", "000000000000000A"]) {
    const outcome = run(`${HEAD}${size}\r\n0123456789\r\n0000\r\n\r\n`);
    assertEquals([outcome.body, outcome.complete], ["0123456789", true], size);
  }
  for (const size of ["1fffffffffffff", "01FFFFFFFFFFFFF"]) {
    assertEquals(refusal(`${HEAD}${size}\r\nx`), null, size);
  }
});

test("ResponseParser takes line ends and lines that look like framing for data within a chunk", () => {
  const outcome = run(`${HEAD}9\r\n\r\n0\r\n\r\n\r\n\r\n0\r\n\r\n`);
  assertEquals([outcome.body, outcome.complete], ["\r\n0\r\n\r\n\r\n", true]);
});

test("ResponseParser refuses any other chunk size (trap 28)", () => {
  const lines: [line: string, refused: string][] = [
    ["\r\n", "chunk-size at 0"],
    [";a\r\n", "chunk-size at 0"],
    [" 5\r\n", "chunk-size at 0"],
    ["\t5\r\n", "chunk-size at 0"],
    ["+5\r\n", "chunk-size at 0"],
    ["-5\r\n", "chunk-size at 0"],
    ["0x5\r\n", "chunk-size at 1"],
    ["5h\r\n", "chunk-size at 1"],
    ["5_0\r\n", "chunk-size at 1"],
    ["5,5\r\n", "chunk-size at 1"],
    ["5.\r\n", "chunk-size at 1"],
    ["g\r\n", "chunk-size at 0"],
    ["\xb2\r\n", "chunk-size at 0"],
    ["5\0\r\n", "chunk-size at 1"],
    // 2^53, 2^64 and beyond, and more digits than any number needs.
    ["20000000000000\r\n", "chunk-size at 13"],
    ["10000000000000005\r\n", "chunk-size at 14"],
    ["ffffffffffffffff\r\n", "chunk-size at 13"],
    ["00000000000000005\r\n", "chunk-size at 16"],
    // Line ends.
    ["5\n", "chunk-size at 1"],
    ["5\r\r\n", "line-end at 2"],
    ["5\rx", "line-end at 2"],
    ["5\r\nhello\n", "chunk-end at 8"],
    ["5\r\nhello\rx", "chunk-end at 9"],
    ["5\r\nhello0\r\n", "chunk-end at 8"],
    ["5\r\nhello \r\n", "chunk-end at 8"],
    ["5\r\nhello\r\n\r\n", "chunk-size at 10"],
    ["0\r\n\n", "line-end at 3"],
    ["0\r\n\rx", "line-end at 4"],
    ["0\n\r\n", "chunk-size at 1"],
  ];
  for (const [line, refused] of lines) {
    const [reason, at] = refused.split(" at ");
    assertEquals(
      refusal(HEAD + line),
      `${reason} at ${HEAD.length + Number(at)}`,
      JSON.stringify(line),
    );
  }
});

test("ResponseParser checks chunk extensions and forgets them", () => {
  const extensions = [
    ";a",
    ";a=b",
    ";a=\"\"",
    ";a=\"b c\\\"\\\\;\t\xff\"",
    ";a=b;c=d;e",
    " ;\ta \t=\t b ; c=\"d\" \t;e",
    ";5=5",
    ";a=\"0\";b",
  ];
  for (const extension of extensions) {
    const response = `${HEAD}2${extension}\r\nok\r\n0${extension}\r\n\r\n`;
    assertEquals(refusal(response), null, extension);
    const outcome = run(response);
    assertEquals([outcome.body, outcome.complete], ["ok", true], extension);
  }
});

test("ResponseParser refuses chunk extensions that are none, bare line ends above all (trap 28)", () => {
  const lines: [line: string, refused: string][] = [
    ["5 \r\n", "chunk-extension at 2"],
    ["5 5\r\n", "chunk-extension at 2"],
    ["5;\r\n", "chunk-extension at 2"],
    ["5; \r\n", "chunk-extension at 3"],
    ["5;;a\r\n", "chunk-extension at 2"],
    ["5;=b\r\n", "chunk-extension at 2"],
    ["5;a=\r\n", "chunk-extension at 4"],
    ["5;a=;b\r\n", "chunk-extension at 4"],
    ["5;a =\r\n", "chunk-extension at 5"],
    ["5;a \r\n", "chunk-extension at 4"],
    ["5;a=b \r\n", "chunk-extension at 6"],
    ["5;a b\r\n", "chunk-extension at 4"],
    ["5;a=b c\r\n", "chunk-extension at 6"],
    ["5;a,b\r\n", "chunk-extension at 3"],
    ["5;a=\"b\r\n", "chunk-extension at 6"],
    ["5;a=\"b\\\r\n", "chunk-extension at 7"],
    ["5;a=\"b\0\"\r\n", "chunk-extension at 6"],
    ["5;a=\"b\"c\r\n", "chunk-extension at 7"],
    ["5;\xff\r\n", "chunk-extension at 2"],
    ["5;a\n", "chunk-extension at 3"],
    ["5;a=b\n", "chunk-extension at 5"],
    ["5;a=\"\n\"\r\n", "chunk-extension at 5"],
    ["5;\n", "chunk-extension at 2"],
    ["5;a\rx\r\n", "line-end at 4"],
  ];
  for (const [line, refused] of lines) {
    const [reason, at] = refused.split(" at ");
    assertEquals(
      refusal(HEAD + line),
      `${reason} at ${HEAD.length + Number(at)}`,
      JSON.stringify(line),
    );
  }
});

test("ResponseParser reads the trailer section of a chunked body", () => {
  const outcome = run(`${HEAD}2\r\nok\r\n0\r\nDigest: abc\r\nX:  y \r\nX: \xe4\r\n\r\n`);
  assertEquals(outcome.trailers, [["digest", "abc"], ["x", "y"], ["x", "\xe4"]]);
  assertEquals([outcome.complete, outcome.keepAlive], [true, true]);
});

test("ResponseParser lets no trailer change what the head said", () => {
  const outcome = run(`${HEAD}0\r\nConnection: close\r\nKeep-Alive: timeout=1\r\n\r\n`);
  assertEquals([outcome.complete, outcome.keepAlive], [true, true]);
});

test("ResponseParser refuses trailers that change framing, or are no fields (trap 28)", () => {
  const lines: [line: string, refused: string][] = [
    ["Content-Length: 5\r\n", "trailer-field at 0"],
    ["A: b\r\nTransfer-Encoding: chunked\r\n", "trailer-field at 6"],
    [" A: b\r\n", "folded-line at 0"],
    ["A: b\r\n c\r\n", "folded-line at 6"],
    ["A : b\r\n", "field-name at 1"],
    ["A: b\n", "line-end at 4"],
    ["A: b\0\r\n", "field-value at 4"],
    ["A: b\r\n\n", "line-end at 6"],
    ["0\r\n\r\n", "field-name at 1"],
  ];
  for (const [line, refused] of lines) {
    const [reason, at] = refused.split(" at ");
    assertEquals(
      refusal(`${HEAD}0\r\n${line}`),
      `${reason} at ${HEAD.length + 3 + Number(at)}`,
      JSON.stringify(line),
    );
  }
});
