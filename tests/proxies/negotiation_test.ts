/**
 * What a proxy is asked, and how its answers are read, byte by byte and without a network.
 *
 * @module
 */

import { assertEquals, assertThrows } from "@std/assert";
import { test } from "node:test";
import { ProxyError, type ProxyFailure } from "../../src/core/errors.ts";
import type { Negotiation } from "../../src/core/tunnel.ts";
import { httpConnect } from "../../src/pool/proxy/http_connect.ts";
import { socks5 } from "../../src/pool/proxy/socks5.ts";

const ABOUT = { proxy: "socks5://proxy.test:1080", host: "a.test", address: "192.0.2.1" };
const END = { name: "192.0.2.1", port: 443 };
const CREDENTIALS = { username: "user", password: "secret" };

const ascii = (text: string) => [...new TextEncoder().encode(text)];

/** What is sent to a proxy, part by part, that answers so: in one piece, or byte by byte. */
function converse(
  negotiation: Negotiation,
  answers: readonly (readonly number[])[],
  byteByByte: boolean,
): (number[] | "open")[] {
  const sent: (number[] | "open")[] = [[...negotiation.opening]];
  for (const answer of answers) {
    for (const piece of byteByByte ? answer.map((byte) => [byte]) : [answer]) {
      const next = negotiation.receive(Uint8Array.from(piece));
      if (next !== undefined) sent.push(next === "open" ? next : [...next]);
    }
  }
  return sent;
}

test("A SOCKS proxy is asked for an IP address or a name, and its answer may come in pieces", () => {
  const wayTo = { "192.0.2.1": [1, 192, 0, 2, 1], "a.test": [3, 6, ...ascii("a.test")] };
  const ipv6 = [4, 0x20, 0x01, 0x0d, 0xb8, ...Array<number>(11).fill(0), 1];
  // The address that a proxy tells is of any kind, and means nothing.
  const bound = [[1, 0, 0, 0, 0], ipv6, [3, 2, 65, 66]];
  for (const [name, address] of Object.entries({ ...wayTo, "2001:db8::1": ipv6 })) {
    for (const told of bound) {
      for (const byteByByte of [false, true]) {
        const answers = [[5, 0], [5, 0, 0, ...told, 0, 80]];
        const sent = converse(socks5(ABOUT, { name, port: 8443 }, undefined), answers, byteByByte);
        assertEquals(sent, [[5, 1, 0], [5, 1, 0, ...address, 0x20, 0xfb], "open"]);
      }
    }
  }
});

test("A SOCKS proxy gets name and password only if it wants them", () => {
  const request = [5, 1, 0, 1, 192, 0, 2, 1, 1, 187];
  const reply = [5, 0, 0, 1, 0, 0, 0, 0, 0, 0];
  for (const byteByByte of [false, true]) {
    const asking = () => socks5(ABOUT, END, CREDENTIALS);
    assertEquals(converse(asking(), [[5, 0], reply], byteByByte), [[5, 2, 0, 2], request, "open"]);
    assertEquals(converse(asking(), [[5, 2], [1, 0], reply], byteByByte), [
      [5, 2, 0, 2],
      [1, 4, ...ascii("user"), 6, ...ascii("secret")],
      request,
      "open",
    ]);
  }
});

test("What a SOCKS proxy answers otherwise is an error that says what it did", () => {
  const cases: [answers: number[][], ProxyFailure, detail: string, status: number | null][] = [
    [[[4, 0]], "protocol", "its answer is not SOCKS 5", null],
    [[[5, 1]], "protocol", "it chose what was not offered", null],
    [[[5, 2]], "protocol", "it chose what was not offered", null],
    [[[5, 255]], "authentication", "it wants credentials, and none were given", null],
    [[[5, 0], [4, 0]], "protocol", "its answer is not SOCKS 5", null],
    [[[5, 0], [5, 2]], "denied", "its rules do not allow it", 2],
    [[[5, 0], [5, 5]], "target", "the machine refused it", 5],
    [[[5, 0], [5, 9]], "protocol", "it answered with code 9", 9],
    [[[5, 0], [5, 0, 0, 2, 0]], "protocol", "its answer has an unknown kind of address", null],
    [
      [[5, 0], [5, 0, 0, 1, 0, 0, 0, 0, 0, 0, 7]],
      "protocol",
      "it sent more than its answer before anything was sent",
      null,
    ],
  ];
  for (const [answers, failure, detail, status] of cases) {
    const ask = () => converse(socks5(ABOUT, END, undefined), answers, false);
    const error = assertThrows(ask, ProxyError, detail);
    assertEquals([error.failure, error.status], [failure, status], detail);
  }
  const given = socks5(ABOUT, END, CREDENTIALS);
  const none = () => given.receive(Uint8Array.of(5, 255));
  assertEquals(assertThrows(none, ProxyError, "it takes no password").failure, "authentication");
  const refused = socks5(ABOUT, END, CREDENTIALS);
  const wrong = () => converse(refused, [[5, 2], [1, 1]], false);
  assertEquals(assertThrows(wrong, ProxyError, "the credentials were not taken").status, 1);
});

test("An HTTP proxy is asked for an IPv6 address in brackets, and its answer may come in pieces", () => {
  for (const byteByByte of [false, true]) {
    const asking = httpConnect(ABOUT, { name: "2001:db8::1", port: 443 }, "Basic eA==");
    const sent = converse(asking, [ascii("HTTP/1.1 200 OK\r\nx: y\r\n\r\n")], byteByByte);
    const authority = "[2001:db8::1]:443";
    assertEquals(sent, [
      ascii(
        `CONNECT ${authority} HTTP/1.1\r\nhost: ${authority}\r\n`
          + "proxy-authorization: Basic eA==\r\n\r\n",
      ),
      "open",
    ]);
  }
  for (const wrong of ["S", "HTTP/2", "HTTP/1.2 200", "HTTP/1.1 2x0", "HTTP/1.1 099"]) {
    const ask = () => converse(httpConnect(ABOUT, END, undefined), [ascii(wrong)], true);
    assertThrows(ask, ProxyError, "its answer is not HTTP");
  }
});

test("An HTTP proxy may answer with 1xx first, and its final answer counts", () => {
  const interim = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n";
  for (const byteByByte of [false, true]) {
    const ask = (answer: string) =>
      converse(httpConnect(ABOUT, END, undefined), [ascii(interim + answer)], byteByByte).slice(1);
    assertEquals(ask(""), []);
    assertEquals(ask("HTTP/1.1 200 OK\r\n\r\n"), ["open"]);
    const finals: [answer: string, ProxyFailure, detail: string, status: number | null][] = [
      ["HTTP/1.1 403 No\r\n\r\n", "denied", "it answered 403 No", 403],
      ["HTTP/1.1 504 Slow\r\n\r\n", "target", "it answered 504 Slow", 504],
      // None has asked for another protocol.
      ["HTTP/1.1 101 Other\r\n\r\n", "denied", "it answered 101 Other", 101],
      ["SSH", "protocol", "its answer is not HTTP", null],
    ];
    for (const [answer, failure, detail, status] of finals) {
      const error = assertThrows(() => ask(answer), ProxyError, detail);
      assertEquals([error.failure, error.status], [failure, status], detail);
    }
  }
});

test("An HTTP proxy's answer is not read without end", () => {
  for (const part of ["x: y\r\n", "\r\nHTTP/1.1 100 Continue\r\n"]) {
    const asking = httpConnect(ABOUT, END, undefined);
    const start = "HTTP/1.1 100 Continue\r\n";
    const fits = start + part.repeat(Math.floor((16_384 - start.length) / part.length));
    assertEquals(converse(asking, [ascii(fits)], false).slice(1), []);
    const error = assertThrows(() => asking.receive(Uint8Array.from(ascii(part))), ProxyError);
    assertEquals([error.failure, error.message.includes("16384 bytes")], ["protocol", true]);
  }
});
