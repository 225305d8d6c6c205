/**
 * What `fetch` over a pool makes of content codings: the same on every runtime.
 *
 * @module
 */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { Buffer } from "node:buffer";
import { test } from "node:test";
import { brotliCompressSync, crc32, deflateRawSync, deflateSync, gzipSync } from "node:zlib";
import { decoders } from "../../adapters/codings/decoders.ts";
import { acceptEncoding, decodersOf } from "../../src/http/content_coding.ts";
import { answer, memoryHttp } from "../support/memory_http.ts";
import { Random, withSeed } from "../support/random.ts";
import { turns } from "../support/turns.ts";

const text = "hot ".repeat(20_000);
const gzip = gzipSync(text);
const junk = Buffer.from("junk");
const zeros = Buffer.alloc(512);

/** Short ones are decoded at one go, long ones in steps: each must come to the same. */
const texts = [
  text,
  Array.from({ length: 300 }, (_, i) => i * i).join(),
  "short",
  "x".repeat(65_536),
  "x".repeat(65_537),
];

/** A body, and what `fetch` gives; undefined where it fails. */
type Case = readonly [what: string, coding: string, body: Buffer, want: string | undefined];

function casesOf(text: string): Case[] {
  const gzip = gzipSync(text);
  const zlib = deflateSync(text);
  const raw = deflateRawSync(text);
  const brotli = brotliCompressSync(text);
  const cases: Case[] = [
    ["a gzip member", "gzip", gzip, text],
    ["two gzip members", "gzip", Buffer.concat([gzip, gzip]), text + text],
    ["a gzip member with all fields", "gzip", fullGzip(text), text],
    ["zeros behind gzip", "gzip", Buffer.concat([gzip, zeros]), text],
    ["zlib", "deflate", zlib, text],
    ["raw deflate", "deflate", raw, text],
    ["junk behind zlib", "deflate", Buffer.concat([zlib, junk]), text],
    ["junk behind raw deflate", "deflate", Buffer.concat([raw, junk]), text],
    ["junk behind Brotli", "br", Buffer.concat([brotli, junk]), text],
    ["gzip of nothing", "gzip", gzipSync(""), ""],
    ["five codings", "gzip, deflate, gzip, br, gzip", fiveTimes(text), text],
    ["a coding that nobody knows", "gzip, unheard-of", Buffer.from("as it is"), "as it is"],
    ["junk behind gzip", "gzip", Buffer.concat([gzip, junk]), undefined],
    ["junk behind zeros", "gzip", Buffer.concat([gzip, zeros, junk]), undefined],
    ["no gzip", "gzip", Buffer.from("no gzip"), undefined],
    ["gzip without the end of its trailer", "gzip", gzip.subarray(0, -3), undefined],
    ["gzip without a trailer", "gzip", gzip.subarray(0, -8), undefined],
    ["half of gzip", "gzip", gzip.subarray(0, gzip.length / 2), undefined],
    ["a gzip head alone", "gzip", gzip.subarray(0, 10), undefined],
    ["half of a second member", "gzip", Buffer.concat([gzip, gzip.subarray(0, 15)]), undefined],
    ["gzip with another checksum", "gzip", changed(gzip, -8), undefined],
    ["gzip with another length", "gzip", changed(gzip, -2), undefined],
    ["zlib without its end", "deflate", zlib.subarray(0, -3), undefined],
    ["zlib with another checksum", "deflate", changed(zlib, -1), undefined],
    ["half of raw deflate", "deflate", raw.subarray(0, raw.length / 2), undefined],
    ["Brotli without its end", "br", brotli.subarray(0, -2), undefined],
  ];
  return cases.map(([what, ...rest]) => [`${what}, of ${text.length} bytes`, ...rest]);
}

const cases = texts.flatMap(casesOf);

/** A gzip member with every field that its head may have. */
function fullGzip(text: string): Buffer {
  const head = Buffer.from([0x1f, 0x8b, 8, 0x1e, 0, 0, 0, 0, 0, 3, 4, 0, 1, 2, 3, 4]);
  const name = Buffer.from(`${"name".repeat(9_000)}\0comment\0`);
  const trailer = Buffer.alloc(8);
  trailer.writeUInt32LE(crc32(text), 0);
  trailer.writeUInt32LE(text.length, 4);
  return Buffer.concat([head, name, Buffer.from([1, 2]), deflateRawSync(text), trailer]);
}

function fiveTimes(text: string): Buffer {
  return gzipSync(brotliCompressSync(gzipSync(deflateSync(gzipSync(text)))));
}

function changed(bytes: Buffer, at: number): Buffer {
  const copy = Buffer.from(bytes);
  copy[copy.length + at]! ^= 1;
  return copy;
}

test("fetch() decodes, or refuses, the same on every runtime", async () => {
  for (const [what, coding, body, want] of cases) {
    await using pool = memoryHttp(() => answer("200 OK", { "content-encoding": coding }, body));
    const response = await pool.fetch("https://a.test/");
    if (want === undefined) await assertRejects(() => response.text(), TypeError, undefined, what);
    else assertEquals(await response.text() === want, true, what);
    assertEquals(pool.stats().leased, 0, what);
  }
});

test("fetch() decodes wherever the pieces of a body end", () =>
  withSeed(async (seed) => {
    const random = new Random(seed);
    for (const [what, coding, body, want] of cases) {
      const decode = decoders.get(coding);
      if (!decode) continue;
      let at = 0;
      const decoder = decode({
        read() {
          const part = body.subarray(at, at += 1 + random.below(what.length * 3));
          return Promise.resolve(part.length > 0 ? part : null);
        },
        cancel() {},
      });
      const parts: Uint8Array[] = [];
      const decoding = (async () => {
        for (let part = await decoder.read(); part; part = await decoder.read()) parts.push(part);
        return Buffer.concat(parts).toString();
      })();
      if (want === undefined) await assertRejects(() => decoding, Error, undefined, what);
      else assertEquals(await decoding === want, true, what);
    }
  }));

test("fetch() gives an empty body as it is, whatever its codings", async () => {
  for (const coding of ["gzip", "deflate", "br", "gzip, br"]) {
    for (
      const framing of ["content-length: 0\r\n\r\n", "transfer-encoding: chunked\r\n\r\n0\r\n\r\n"]
    ) {
      await using pool = memoryHttp(() =>
        `HTTP/1.1 200 OK\r\ncontent-encoding: ${coding}\r\n${framing}`
      );
      assertEquals(await (await pool.fetch("https://a.test/")).text(), "");
    }
  }
});

test("fetch() refuses more than five codings, before it decodes anything", async () => {
  const coding = Array(2_000).fill("gzip").join(", ");
  await using pool = memoryHttp(() => answer("200 OK", { "content-encoding": coding }, "x"));
  const error = await assertRejects(() => pool.fetch("https://a.test/"), TypeError);
  assertEquals((error.cause as Error).message, "The body has 2000 codings; at most 5 are taken");
  assertEquals(pool.stats().leased, 0);
  // Without a body there is nothing to decode.
  assertEquals((await pool.fetch("https://a.test/", { method: "HEAD" })).status, 200);
});

test("fetch() decodes in steps, however much a body becomes", async () => {
  const bomb = gzipSync(gzipSync(Buffer.alloc(256 * 1024 * 1024)));
  await using pool = memoryHttp(() => answer("200 OK", { "content-encoding": "gzip, gzip" }, bomb));
  const reader = (await pool.fetch("https://a.test/")).body!.getReader();
  for (let i = 0; i < 8; i++) {
    const { value } = await reader.read();
    assert(value!.length <= 131_072, `${value!.length}`);
  }
  await reader.cancel();
  assertEquals(pool.stats().leased, 0);
});

test("a small body is decoded at once, without a turn of the program's for each step", async () => {
  const small = JSON.stringify({ name: "value" });
  for (
    const [coding, body] of [["gzip", gzipSync(small)], ["deflate", deflateSync(small)]] as const
  ) {
    const decode = decoders.get(coding)!;
    // The first one loads what decodes.
    for (let i = 0; i < 2; i++) {
      const parts: (Uint8Array | null)[] = [body, null];
      let text: string | undefined;
      const decoder = decode({ read: () => Promise.resolve(parts.shift() ?? null), cancel() {} });
      const decoding = decoder.read().then((part) => text = Buffer.from(part!).toString());
      if (i === 0) await decoding;
      else await turns();
      assertEquals(text, small);
    }
  }
});

test("fetch() reads on behind the end of a coded body, but not for ever", async () => {
  let asked = 0;
  await using pool = memoryHttp((_, socket) => {
    const head = "HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\n";
    const endless = asked++ > 0;
    const send = () => {
      if (!endless || !socket.open) return;
      socket.receive(zeros);
      setTimeout(send, 0);
    };
    const length = endless ? 1e9 : gzip.length;
    socket.receive(Buffer.from(`${head}content-length: ${length}\r\n\r\n`));
    socket.receive(gzip);
    send();
    return null;
  });
  for (let i = 0; i < 2; i++) {
    assertEquals(await (await pool.fetch("https://a.test/")).text() === text, true);
  }
  assertEquals([pool.stats().leased, pool.stats().connections, pool.dialer.dials.length], [
    0,
    0,
    1,
  ]);
});

test("a coded body can be cancelled at any point, and its connection ends", async () => {
  const half = gzip.subarray(0, gzip.length / 2);
  const head =
    `HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: ${gzip.length}\r\n\r\n`;
  for (const reads of [0, 1, 9]) {
    await using pool = memoryHttp(() => Buffer.concat([Buffer.from(head), half]));
    const reader = (await pool.fetch("https://a.test/")).body!.getReader();
    let given = 0;
    const reading = Array.from(
      { length: reads },
      () => reader.read().then(() => given++, () => {}),
    );
    // Whoever reads nothing gives it the time to come.
    await (reading[0] ?? new Promise((resolve) => setTimeout(resolve, 20)));
    await reader.cancel();
    assertEquals(pool.stats().connections, 0);
    assertEquals(given > 0, reads > 0);
  }
});

test("what can be decoded is asked for, and nothing else", () => {
  assertEquals([...decoders.keys()].slice(0, 3), ["gzip", "deflate", "br"]);
  assertEquals(acceptEncoding(decoders), [...decoders.keys()].join(", "));
  assertEquals(acceptEncoding(new Map()), "identity");
  assertEquals(decodersOf("gzip", new Map()), []);
});
