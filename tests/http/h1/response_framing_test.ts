import { assert, assertEquals, assertThrows } from "@std/assert";
import { test } from "node:test";
import { HotconnError } from "../../../src/core/errors.ts";
import { ResponseParser } from "../../../src/http/h1/response_parser.ts";
import { HttpParseError } from "../../../src/http/parse_error.ts";
import { bytesOf, Recorder, refusal, run } from "./recorder.ts";

function head(fields: string, status = 200, version = "1.1"): string {
  return `HTTP/${version} ${status} X\r\n${fields}\r\n`;
}

test("ResponseParser ends a body at its Content-Length, and leaves the surplus (trap 6)", () => {
  const outcome = run(`${head("Content-Length: 3\r\n")}abcHTTP/1.1 200 Evil\r\n`);
  assertEquals([outcome.body, outcome.complete, outcome.surplus], ["abc", true, 19]);
});

test("ResponseParser.push() consumes nothing when no response is expected (trap 6)", () => {
  const recorder = new Recorder();
  const parser = new ResponseParser(recorder);
  assertEquals(parser.push(bytesOf("HTTP/1.1 408 X\r\n")), 0);
  assertEquals([parser.complete, parser.started], [false, false]);
  parser.reset("GET");
  parser.push(bytesOf(head("Content-Length: 0\r\n")));
  assert(parser.complete);
  assertEquals(parser.push(bytesOf("HTTP/1.1 408 X\r\n")), 0);
  assertEquals(parser.push(new Uint8Array(0)), 0);
  parser.finish(true);
  parser.finish(false);
  assert(parser.complete);
});

test("ResponseParser accepts a Content-Length that is decimal digits (trap 28)", () => {
  const lengths: [value: string, length: number][] = [
    ["5", 5],
    ["\t5 ", 5],
    ["0", 0],
    ["00005", 5],
    ["9007199254740991", Number.MAX_SAFE_INTEGER],
    ["000000000000000000000000000000005", 5],
    // RFC 9110 section 8.6 allows to take a list of equal lengths for one.
    ["5, 5", 5],
    ["5,5 ,\t05", 5],
    ["5\r\nContent-Length: 5", 5],
    ["5\r\ncOnTeNt-LeNgTh: 5", 5],
  ];
  for (const [value, length] of lengths) {
    const parser = new ResponseParser(new Recorder());
    parser.reset("GET");
    parser.push(bytesOf(head(`Content-Length:${value}\r\n`)));
    assertEquals(parser.contentLength, length, value);
    assertEquals(parser.complete, length === 0, value);
  }
});

test("ResponseParser refuses any other Content-Length (trap 28, RFC 9112 section 6.3)", () => {
  const values: [value: string, reason: string][] = [
    ["", "content-length"],
    ["+5", "content-length"],
    ["-5", "content-length"],
    ["-0", "content-length"],
    ["5 5", "content-length"],
    ["5 ,", "content-length"],
    [",5", "content-length"],
    ["5,,5", "content-length"],
    ["0x5", "content-length"],
    ["5.0", "content-length"],
    ["5e1", "content-length"],
    ["5_0", "content-length"],
    ["\"5\"", "content-length"],
    ["5;q=1", "content-length"],
    ["\xb2", "content-length"],
    ["five", "content-length"],
    ["9007199254740992", "content-length"],
    ["18446744073709551616", "content-length"],
    ["99999999999999999999999999999999999999", "content-length"],
    ["5, 6", "content-length-conflict"],
    ["5\r\nContent-Length: 6", "content-length-conflict"],
    ["6\r\nX: y\r\ncontent-length: 5", "content-length-conflict"],
    ["0\r\nContent-Length: 5", "content-length-conflict"],
    ["5\r\nContent-Length: ", "content-length"],
  ];
  for (const [value, reason] of values) {
    // Whatever the status and the method: a peer that says this is not to be trusted further.
    for (const status of [200, 204, 304, 103]) {
      const refused = refusal(head(`Content-Length: ${value}\r\n`, status), { method: "HEAD" });
      assertEquals(refused?.split(" ")[0], reason, `${status} ${JSON.stringify(value)}`);
    }
  }
});

test("ResponseParser refuses Content-Length beside Transfer-Encoding, in any order (trap 28)", () => {
  const both = [
    "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
    "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
    "transfer-encoding: chunked\r\nX: y\r\nCONTENT-LENGTH: 0\r\n",
    "Content-Length: 0\r\nTransfer-Encoding: identity\r\n",
  ];
  for (const fields of both) {
    for (const status of [200, 204, 304, 103]) {
      const refused = refusal(head(fields, status));
      assertEquals(refused?.split(" ")[0], "length-and-encoding", `${status} ${fields}`);
    }
  }
});

test("ResponseParser refuses a Transfer-Encoding that is not exactly chunked (trap 28)", () => {
  const values = [
    "",
    "identity",
    "gzip",
    "gzip, chunked",
    "chunked, gzip",
    "chunked, chunked",
    "chunked,",
    ",chunked",
    "chunked;q=1",
    "xchunked",
    "chunkedx",
    "chunke",
    "\"chunked\"",
    "chunked\r\nTransfer-Encoding: chunked",
    "chunked\r\nTransfer-Encoding: identity",
    "\x0bchunked",
  ];
  for (const value of values) {
    const refused = refusal(head(`Transfer-Encoding: ${value}\r\n`))?.split(" ")[0];
    assertEquals(refused, value.includes("\x0b") ? "field-value" : "transfer-encoding", value);
  }
  assertEquals(refusal(head("TRANSFER-encoding: \t CHUNKed \r\n")), null);
});

test("ResponseParser refuses Transfer-Encoding in HTTP/1.0 (RFC 9112 section 6.1)", () => {
  assertEquals(
    refusal(head("Transfer-Encoding: chunked\r\n", 200, "1.0")),
    "transfer-encoding at 16",
  );
});

test("ResponseParser does not take longer or shorter names for the framing's", () => {
  const fields = "Content-Lengt: 5\r\nContent-Length2: 5\r\nX-Content-Length: 5\r\n"
    + "Content_Length: 5\r\nContent.Length: 5\r\nTransfer_Encoding: x\r\nTransferXEncoding: x\r\n"
    + "Connectiom: close\r\nConnectio: close\r\n";
  const outcome = run(`${head(`${fields}Content-Length: 2\r\n`)}ok`);
  assertEquals([outcome.refused, outcome.body, outcome.keepAlive], [null, "ok", true]);
});

test("ResponseParser expects no body after HEAD, 204 and 304, whatever their heads say (trap 3)", () => {
  const framings = [
    "",
    "Content-Length: 5\r\n",
    "Content-Length: 0\r\n",
    "Transfer-Encoding: chunked\r\n",
  ];
  for (const fields of framings) {
    for (const [method, status] of [["HEAD", 200], ["HEAD", 404], ["GET", 204], ["GET", 304]]) {
      const outcome = run(`${head(fields, Number(status))}x`, { method: String(method) });
      // A 204 must not announce a body: one that does may bring it all the same.
      const keepAlive = status !== 204 || fields === "" || fields === "Content-Length: 0\r\n";
      assertEquals(
        [outcome.refused, outcome.complete, outcome.keepAlive, outcome.body, outcome.surplus],
        [null, true, keepAlive, "", 1],
        `${method} ${status} ${fields}`,
      );
    }
  }
});

test("ResponseParser says whether the connection lives on, on any status (trap 4)", () => {
  const cases: [version: string, fields: string, keepAlive: boolean][] = [
    ["1.1", "", true],
    ["1.1", "Connection: keep-alive\r\n", true],
    ["1.1", "Connection: close\r\n", false],
    ["1.1", "CONNECTION: \t CLOSE \r\n", false],
    ["1.1", "Connection: foo, close,bar\r\n", false],
    ["1.1", "Connection: keep-alive, close\r\n", false],
    ["1.1", "Connection: close\r\nConnection: keep-alive\r\n", false],
    ["1.1", "Connection: keep-alive\r\nConnection: close\r\n", false],
    ["1.1", "Connection: closed, close-not, xclose\r\n", true],
    ["1.1", "Connection: ,,\r\n", true],
    ["1.1", "Connection:\r\n", true],
    ["1.7", "", true],
    ["1.0", "", false],
    ["1.0", "Connection: keep-alive\r\n", true],
    ["1.0", "Connection: foo ,Keep-Alive\r\n", true],
    ["1.0", "Connection: keep-alive, close\r\n", false],
    ["1.0", "Connection: close\r\n", false],
    ["1.0", "Connection: foo\r\n", false],
    ["1.0", "Keep-Alive: timeout=5\r\n", false],
  ];
  for (const [version, fields, keepAlive] of cases) {
    for (const status of [200, 204, 301, 304, 404, 500, 999]) {
      const outcome = run(head(`${fields}Content-Length: 0\r\n`, status, version));
      assertEquals(outcome.keepAlive, keepAlive, `${version} ${status} ${fields}`);
    }
  }
});

test("ResponseParser does not let a connection live on that an interim response closes (trap 4)", () => {
  const interim = "HTTP/1.1 103 X\r\nConnection: close\r\n\r\n";
  const outcome = run(`${interim}${head("Connection: keep-alive\r\nContent-Length: 0\r\n")}`);
  assertEquals([outcome.complete, outcome.keepAlive], [true, false]);
});

test("ResponseParser tells the hints of Keep-Alive, and nothing where they make no sense", () => {
  const cases: [value: string | null, timeoutMs: number | undefined, max: number | undefined][] = [
    ["timeout=5, max=100", 5_000, 100],
    ["max=100,timeout=5", 5_000, 100],
    ["Timeout=5", 5_000, undefined],
    ["MAX=0", undefined, 0],
    ["timeout=0", 0, undefined],
    ["foo=1, timeout=15 ,max=3, bar", 15_000, 3],
    ["", undefined, undefined],
    ["timeout", undefined, undefined],
    ["timeout=", undefined, undefined],
    ["timeout=-1", undefined, undefined],
    ["timeout=5s, max=ten", undefined, undefined],
    ["timeout=1.5", undefined, undefined],
    ["xtimeout=5, max =4", undefined, undefined],
    ["timeout=99999999999999999999", undefined, undefined],
    [null, undefined, undefined],
  ];
  for (const [value, timeoutMs, max] of cases) {
    const parser = new ResponseParser(new Recorder());
    parser.reset("HEAD");
    parser.push(bytesOf(head(value === null ? "" : `Keep-Alive: ${value}\r\n`)));
    assertEquals(parser.complete, true);
    assertEquals([parser.keepAliveTimeoutMs, parser.keepAliveMax], [timeoutMs, max], String(value));
  }
});

test("ResponseParser ends a body without a length with the stream, and the connection with it", () => {
  for (const version of ["1.0", "1.1"]) {
    const response = `${head("Connection: keep-alive\r\n", 200, version)}hello`;
    assertEquals(run(response).complete, false);
    const outcome = run(response, { cuts: [3, 40], end: "clean" });
    assertEquals([outcome.refused, outcome.complete, outcome.body], [null, true, "hello"]);
    assertEquals(outcome.keepAlive, false);
  }
});

test("ResponseParser refuses a body that a stream cut off unclean may not have ended (trap 9)", () => {
  const response = `${head("")}hello`;
  const { body, refused } = run(response, { end: "unclean" });
  assertEquals([body, refused], ["hello", { reason: "truncated-body", offset: response.length }]);
});

test("ResponseParser.finish() refuses what the end of the stream cut off, clean or not (trap 9)", () => {
  const cases: [received: string, reason: string][] = [
    ["", "no-response"],
    ["H", "truncated-head"],
    ["HTTP/1.1 200 OK\r\nA: b", "truncated-head"],
    ["HTTP/1.1 200 OK\r\nA: b\r\n\r", "truncated-head"],
    ["HTTP/1.1 100 Continue\r\n\r\n", "truncated-head"],
    [head("Content-Length: 5\r\n"), "truncated-body"],
    [`${head("Content-Length: 5\r\n")}four`, "truncated-body"],
    [head("Transfer-Encoding: chunked\r\n"), "truncated-body"],
    [`${head("Transfer-Encoding: chunked\r\n")}5`, "truncated-body"],
    [`${head("Transfer-Encoding: chunked\r\n")}5;a`, "truncated-body"],
    [`${head("Transfer-Encoding: chunked\r\n")}5\r\nab`, "truncated-body"],
    [`${head("Transfer-Encoding: chunked\r\n")}1\r\na\r\n`, "truncated-body"],
    [`${head("Transfer-Encoding: chunked\r\n")}1\r\na\r\n0\r\n`, "truncated-body"],
    [`${head("Transfer-Encoding: chunked\r\n")}0\r\nA: b\r\n`, "truncated-body"],
  ];
  for (const [received, reason] of cases) {
    for (const end of ["clean", "unclean"] as const) {
      assertEquals(run(received, { end }).refused, { reason, offset: received.length }, received);
    }
  }
});

test("ResponseParser says whether a byte of the response has arrived (trap 7)", () => {
  const parser = new ResponseParser(new Recorder());
  parser.reset("GET");
  assertEquals(parser.started, false);
  parser.push(new Uint8Array(0));
  assertEquals(parser.started, false);
  parser.push(bytesOf("H"));
  assertEquals(parser.started, true);
  parser.reset("GET");
  assertEquals(parser.started, false);
  assertThrows(() => parser.finish(true), HttpParseError, "no-response");
  assertEquals(parser.started, false);
});

test("ResponseParser reads one response after another, and forgets the one before", () => {
  const told: string[] = [];
  const parser = new ResponseParser({
    onInterim() {},
    onHead: (status) => void told.push(`head ${status}`),
    onBody: (bytes) => void told.push(`body ${bytes.length}`),
    onTrailers() {},
  });
  const responses: [string, string][] = [
    ["GET", `${head("Transfer-Encoding: chunked\r\nConnection: close\r\n")}2\r\nab\r\n0\r\n\r\n`],
    ["HEAD", head("Content-Length: 7\r\n", 206)],
    ["GET", `${head("Keep-Alive: timeout=3\r\nContent-Length: 3\r\n", 404)}abc`],
    ["GET", head("", 204)],
  ];
  const keepAlive: boolean[] = [];
  for (const [method, text] of responses) {
    parser.reset(method);
    assertEquals(parser.push(bytesOf(text)), text.length);
    assert(parser.complete);
    keepAlive.push(parser.keepAlive);
  }
  assertEquals(told, ["head 200", "body 2", "head 206", "head 404", "body 3", "head 204"]);
  assertEquals(keepAlive, [false, true, true, true]);
  assertEquals([parser.keepAliveTimeoutMs, parser.contentLength], [undefined, undefined]);
});

test("ResponseParser.reset() forgets a response under way, and an error", () => {
  const recorder = new Recorder();
  const parser = new ResponseParser(recorder);
  parser.reset("GET");
  parser.push(bytesOf("HTTP/1.1 200 OK\r\nA: b"));
  assert(parser.heldBytes > 0);
  parser.reset("GET");
  assertEquals(parser.heldBytes, 0);
  assertThrows(() => parser.push(bytesOf("nonsense")), HttpParseError);
  parser.reset("GET");
  parser.push(bytesOf(head("Content-Length: 0\r\n")));
  assert(parser.complete);
});

test("ResponseParser throws the same error again after an error", () => {
  const parser = new ResponseParser(new Recorder());
  parser.reset("GET");
  const error = assertThrows(() => parser.push(bytesOf("HTTP/1.1 2x")), HttpParseError);
  assert(error instanceof HotconnError);
  assertEquals(
    [error.name, error.code, error.reason, error.offset],
    ["HttpParseError", "HOTCONN_HTTP_PARSE", "status-line", 10],
  );
  assertEquals(
    error.message,
    "Response refused at byte 10 (status-line): the status line is not HTTP/1.x, a code from 100 to 999, and a phrase",
  );
  for (const again of [() => parser.push(bytesOf("x")), () => parser.finish(true)]) {
    let thrown: unknown;
    try {
      again();
    } catch (caught) {
      thrown = caught;
    }
    assert(thrown === error);
  }
  assertEquals(parser.complete, false);
});

test("ResponseParser.reset() refuses CONNECT, whose response opens a tunnel", () => {
  const parser = new ResponseParser(new Recorder());
  assertThrows(() => parser.reset("CONNECT"), TypeError, "CONNECT");
});

test("ResponseParser gives body bytes as parts of the chunk, not as copies", () => {
  const parts: Uint8Array[] = [];
  const parser = new ResponseParser({
    onInterim() {},
    onHead() {},
    onBody: (bytes) => void parts.push(bytes),
    onTrailers() {},
  });
  parser.reset("GET");
  const first = bytesOf(`${head("Content-Length: 8\r\n")}abc`);
  const second = bytesOf("defgh");
  parser.push(first);
  parser.push(second);
  assertEquals(parts.map((part) => part.length), [3, 5]);
  assert(parts[0]!.buffer === first.buffer);
  assert(parts[1] === second);
});

test("ResponseParser is of no more use after its sink threw, until reset()", () => {
  let fails = true;
  const parser = new ResponseParser({
    onInterim() {},
    onHead() {
      if (fails) throw new RangeError("sink");
    },
    onBody() {},
    onTrailers() {},
  });
  const response = bytesOf(head("Content-Length: 0\r\n"));
  parser.reset("GET");
  assertThrows(() => parser.push(response), RangeError, "sink");
  assertThrows(() => parser.push(response), RangeError, "sink");
  assertEquals([parser.complete, parser.heldBytes], [false, 0]);
  fails = false;
  parser.reset("GET");
  assertEquals(parser.push(response), response.length);
  assert(parser.complete);
});
