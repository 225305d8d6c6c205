import { assert, assertEquals, assertFalse, assertThrows } from "@std/assert";
import fc from "fast-check";
import { env } from "node:process";
import { test } from "node:test";
import { encodeRequest, type RequestHead } from "../../../src/http/h1/request_head.ts";
import { bytesOf, textOf } from "./recorder.ts";

const RUNS = Number(env.HOTCONN_FUZZ_RUNS ?? 20_000);

function encode(request: Partial<RequestHead>): string {
  return textOf(encodeRequest({ method: "GET", target: "/", host: "example.com", ...request }));
}

/** The message with which a request is refused. */
function refusal(request: Partial<RequestHead>): string {
  return assertThrows(() => encode(request), TypeError).message;
}

test("encodeRequest() writes the request line, Host, the fields as they are, and the empty line", () => {
  assertEquals(encode({}), "GET / HTTP/1.1\r\nhost: example.com\r\n\r\n");
  assertEquals(
    encode({
      target: "/a/b?c=d&e=%20|\"",
      host: "[2001:db8::1]:8443",
      headers: [["Accept", "*/*"], ["x-empty", ""], ["X_y!", " \t~ é\xff "], [
        "accept",
        "text/html",
      ]],
    }),
    "GET /a/b?c=d&e=%20|\" HTTP/1.1\r\nhost: [2001:db8::1]:8443\r\n"
      + "Accept: */*\r\nx-empty: \r\nX_y!:  \t~ é\xff \r\naccept: text/html\r\n\r\n",
  );
  assertEquals(
    encode({ method: "OPTIONS", target: "*" }),
    "OPTIONS * HTTP/1.1\r\nhost: example.com\r\n\r\n",
  );
  assertEquals(encode({ method: "M-SEARCH" }).slice(0, 11), "M-SEARCH / ");
});

test("encodeRequest() lets the body decide the framing", () => {
  const cases: [request: Partial<RequestHead>, end: string][] = [
    [{ body: null }, "\r\n\r\n"],
    [{ method: "DELETE" }, "com\r\n\r\n"],
    [{ method: "POST" }, "content-length: 0\r\n\r\n"],
    [{ method: "PUT" }, "content-length: 0\r\n\r\n"],
    [{ method: "PATCH", body: null }, "content-length: 0\r\n\r\n"],
    [{ method: "POST", body: bytesOf("abc") }, "content-length: 3\r\n\r\nabc"],
    [{ method: "POST", body: bytesOf("\xe9") }, "content-length: 1\r\n\r\n\xe9"],
    [{ method: "POST", body: new Uint8Array(0) }, "content-length: 0\r\n\r\n"],
    [{ body: bytesOf("{}") }, "content-length: 2\r\n\r\n{}"],
    [{ method: "PUT", body: 2 ** 53 - 1 }, "content-length: 9007199254740991\r\n\r\n"],
    [{ body: 0 }, "content-length: 0\r\n\r\n"],
    [{ method: "POST", body: "chunked" }, "transfer-encoding: chunked\r\n\r\n"],
    // What agrees is said once.
    [
      { body: 5, headers: [["Content-Length", "5"]] },
      "GET / HTTP/1.1\r\nhost: example.com\r\ncontent-length: 5\r\n\r\n",
    ],
    [
      { body: "chunked", headers: [["Transfer-Encoding", "Chunked"], ["a", "b"]] },
      "GET / HTTP/1.1\r\nhost: example.com\r\na: b\r\ntransfer-encoding: chunked\r\n\r\n",
    ],
    [{ headers: [["CONTENT-LENGTH", "0"]] }, "com\r\ncontent-length: 0\r\n\r\n"],
  ];
  for (const [request, end] of cases) {
    const text = encode(request);
    assertEquals(text.slice(-end.length), end);
    assertEquals(
      text.match(/content-length/gi)?.length ?? 0,
      end.includes("content-length") ? 1 : 0,
    );
  }
});

test("encodeRequest() refuses a framing that contradicts the body, and repeats no value", () => {
  const secret = "0123456789";
  const cases: [request: Partial<RequestHead>, message: string][] = [
    [
      { headers: [["content-length", secret]] },
      "Header content-length contradicts the body: there is none",
    ],
    [
      { body: 3, headers: [["Content-Length", secret]] },
      "Header content-length contradicts the body: it has 3 bytes",
    ],
    [
      { body: 3, headers: [["Content-Length", "03"]] },
      "Header content-length contradicts the body: it has 3 bytes",
    ],
    [
      { body: bytesOf("a"), headers: [["Content-Length", "1"], ["content-length", "2"]] },
      "Header content-length contradicts the body: it has 1 bytes",
    ],
    [
      { body: "chunked", headers: [["content-length", "0"]] },
      "Header content-length contradicts the body: it is chunked",
    ],
    [
      { headers: [["transfer-encoding", "chunked"]] },
      "Header transfer-encoding contradicts the body: there is none",
    ],
    [
      { body: "chunked", headers: [["transfer-encoding", "gzip, chunked"]] },
      "Header transfer-encoding contradicts the body: it is chunked",
    ],
    [
      { body: 1, headers: [["transfer-encoding", "identity"]] },
      "Header transfer-encoding contradicts the body: it has 1 bytes",
    ],
    [{ body: -1 }, "Body length is -1; it must be an integer from 0 to 2^53 - 1"],
    [{ body: 1.5 }, "Body length is 1.5; it must be an integer from 0 to 2^53 - 1"],
    [
      { body: 2 ** 53 },
      "Body length is 9007199254740992; it must be an integer from 0 to 2^53 - 1",
    ],
    [{ body: Number.NaN }, "Body length is NaN; it must be an integer from 0 to 2^53 - 1"],
    [{ method: "TRACE", body: 0 }, "Method TRACE must have no body"],
  ];
  for (const [request, message] of cases) assertEquals(refusal(request), message);
});

test("encodeRequest() puts Host first, once, and a Host of the caller's instead", () => {
  assertEquals(
    encode({ headers: [["a", "b"], ["HOST", "other.example:8443"]] }),
    "GET / HTTP/1.1\r\nhost: other.example:8443\r\na: b\r\n\r\n",
  );
  assertEquals(
    refusal({ headers: [["host", "a"], ["Host", "a"]] }),
    "Header host is given twice",
  );
  for (const host of ["a", "A-b.example.", "192.0.2.1:1", "[::1]", "[::ffff:192.0.2.1]:65535"]) {
    assertEquals(encode({ host }).split("\r\n")[1], `host: ${host}`);
  }
  for (
    const host of [
      "a:",
      "a:b",
      "a:123456",
      "u@a",
      "a/b",
      "a b",
      " a",
      "a,b",
      "::1",
      "[::1",
      "[a]x",
      "[fe80::1%25en0]",
      "a?b",
      "https://a",
      "é",
    ]
  ) {
    assertEquals(refusal({ host }), "Host must be a host name or address, and maybe a port");
    assertEquals(refusal({ headers: [["host", host]] }), refusal({ host }));
  }
  assertEquals(refusal({ host: "" }), "Host is empty");
  assertEquals(refusal({ host: "a\r\nb: c" }), "Host has a forbidden character, 0x0d, at offset 1");
});

test("encodeRequest() refuses what could break out of its place, and says where (trap 27)", () => {
  for (const [char, code] of [["\r", "0d"], ["\n", "0a"], ["\0", "00"], ["\x7f", "7f"]]) {
    const at = (what: string, offset: number) =>
      `${what} has a forbidden character, 0x${code}, at offset ${offset}`;
    assertEquals(refusal({ method: `GE${char}T` }), at("Method", 2));
    assertEquals(refusal({ target: `/abc${char}` }), at("Request target", 4));
    assertEquals(refusal({ host: `a${char}b` }), at("Host", 1));
    assertEquals(
      refusal({ headers: [["a", "b"], [`x${char}`, "secret"]] }),
      at("Header name at index 1", 1),
    );
    assertEquals(
      refusal({ headers: [["a", "b"], ["X-Key", `secret${char}`]] }),
      at("Value of header X-Key", 6),
    );
    assertEquals(
      refusal({ headers: [["X-Key", `${char}secret`], ["\xff", ""]] }),
      at("Value of header X-Key", 0),
    );
  }
  const code = (text: string) => text.charCodeAt(0).toString(16).padStart(2, "0");
  for (const char of [" ", ":", "(", ",", "/", "[", "@", "\"", "{", "\x80", "é", "€", "\t"]) {
    assertEquals(
      refusal({ method: `A${char}` }),
      `Method has a forbidden character, 0x${code(char)}, at offset 1`,
    );
    assertEquals(
      refusal({ headers: [[`abcdef${char}`, "b"]] }),
      `Header name at index 0 has a forbidden character, 0x${code(char)}, at offset 6`,
    );
  }
  for (const char of [" ", "#", "\t", "é", "\u010d", "\u{1f600}"]) {
    assertEquals(
      refusal({ target: `/a${char}b` }),
      `Request target has a forbidden character, 0x${code(char)}, at offset 2`,
    );
  }
  // Characters beyond U+00FF, whose low bytes would be CR and LF.
  for (const char of ["\u010d", "\u0a0d", "\u560a", "€", "\u{1f600}", "\ud800"]) {
    assertEquals(
      refusal({ headers: [["a", `b${char}c`]], body: bytesOf("xxxxxxxxxxxx") }),
      `Value of header a has a forbidden character, 0x${code(char)}, at offset 1`,
    );
  }
});

test("encodeRequest() refuses a value that holds a field of its own (trap 27)", () => {
  const cases: [name: string, value: string][][] = [
    [["a", "1\r\nbb: 2"], ["cc", "3"]],
    [["a", "1\r\nb: 2"], ["b", "2\r\nc: 3"]],
    [["a", "1"], ["b", "2\r\n"]],
    [["a", "1\r\n\r\nGET /admin HTTP/1.1\r\nhost: b"]],
    [["a: 1\r\nb", "2"]],
    [["a", "\r\n"]],
    [["a", "b\nc"]],
    [["x", "y"], ["", ""]],
    [["a: b", "c"]],
  ];
  for (const headers of cases) {
    for (const body of [null, 0, bytesOf("\r\n\r\n"), new Uint8Array(9_000)]) {
      assertThrows(() => encode({ headers, body }), TypeError);
    }
  }
});

test("encodeRequest() refuses empty and wrong kinds of texts", () => {
  assertEquals(refusal({ method: "" }), "Method is empty");
  assertEquals(refusal({ target: "" }), "Request target is empty");
  assertEquals(refusal({ headers: [["", "a"]] }), "Header name at index 0 is empty");
  const path = "Request target must begin with /, at offset 0, or be * with the method OPTIONS";
  for (const target of ["*", "a", "https://example.com/", "?a"]) {
    assertEquals(refusal({ target }), path);
  }
  assertEquals(refusal({ method: "CONNECT" }), "Method CONNECT opens a tunnel, not supported");
  const wrong: unknown[] = [undefined, null, 5, {}, ["a"], { toString: () => "a\r\nb: c" }];
  for (const value of wrong) {
    assertThrows(() => encode({ method: value as string }), TypeError);
    assertThrows(() => encode({ target: value as string }), TypeError);
    if (value === undefined) continue;
    assertThrows(
      () => encode({ headers: [["a", { toString: () => "b\r\n" } as never]] }),
      TypeError,
    );
  }
});

test("encodeRequest() never writes into bytes that it has given away", () => {
  const given: [bytes: Uint8Array, copy: string][] = [];
  for (let i = 0; i < 500; i++) {
    const headers: [string, string][] = [["x-index", `${i} ${"a".repeat(i * 7 % 400)}`]];
    if (i % 5 === 0) headers.push(["x-latin", "é"]);
    const bytes = encodeRequest({
      method: "POST",
      target: `/${i}`,
      host: "example.com",
      headers,
      body: new Uint8Array(i % 90 === 0 ? 20_000 : i % 70).fill(i),
    });
    given.push([bytes, textOf(bytes)]);
    if (i % 50 === 0) {
      assertThrows(() => encode({ headers: [["bad name", "x".repeat(i)]] }), TypeError);
    }
  }
  for (const [bytes, copy] of given) assertEquals(textOf(bytes), copy);
});

test("encodeRequest() does not change, or depend on, the body after it returned", () => {
  const body = bytesOf("abc");
  const bytes = encodeRequest({ method: "POST", target: "/", host: "a", body });
  body.fill(0);
  assertEquals(textOf(bytes).slice(-3), "abc");
});

test("encodeRequest() writes exactly what was meant, or refuses, for any fields at all (trap 27)", () => {
  const char = fc.oneof(
    { arbitrary: fc.constantFrom(..."abcXYZ-_019"), weight: 12 },
    { arbitrary: fc.constantFrom(..." :\t~\r\n\0\x7f\x80éÿ\u0100\u010d\ud83d"), weight: 1 },
  );
  const text = fc.array(char, { maxLength: 12 }).map((chars) => chars.join(""));
  const piece = fc.oneof(
    { arbitrary: text, weight: 8 },
    { arbitrary: fc.constantFrom("b\r\nc: d", "\r\n", "\r\n\r\n", ": ", "\n"), weight: 1 },
  );
  const value = fc.array(piece, { maxLength: 3 }).map((pieces) => pieces.join(""));
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.oneof({ arbitrary: text, weight: 9 }, value), value), { maxLength: 5 }),
      fc.option(fc.uint8Array({ maxLength: 20 })),
      (headers, body) => {
        const valid = headers.every(([name, value]) =>
          /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/.test(name) && /^[\t\x20-\x7e\x80-\xff]*$/.test(value)
        );
        if (!valid) {
          const { message } = assertThrows(() => encode({ headers, body }), TypeError);
          assertFalse(/[\r\n]/.test(message));
          return;
        }
        const length = body === null ? "" : `content-length: ${body.length}\r\n`;
        const expected = `GET / HTTP/1.1\r\nhost: example.com\r\n${
          headers.map(([name, value]) => `${name}: ${value}\r\n`).join("")
        }${length}\r\n${body === null ? "" : textOf(body)}`;
        assert(encode({ headers, body }) === expected);
      },
    ),
    { numRuns: Math.ceil(RUNS / 2) },
  );
});
