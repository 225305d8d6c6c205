import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { test } from "node:test";
import { Http2Error } from "../../../src/http/h2/error_codes.ts";
import { HpackDecoder } from "../../../src/http/h2/hpack_decoder.ts";
import { blockField, HpackEncoder } from "../../../src/http/h2/hpack_encoder.ts";
import { huffmanDecode, huffmanEncode, huffmanLength } from "../../../src/http/h2/huffman.ts";
import { fixturesSkip, fromHex, hpackStories, toHex } from "./fixtures.ts";
import { decode, encode, encodeFields, type Field } from "./hpack_text.ts";

const REQUEST_1: Field[] = [
  [":method", "GET"],
  [":scheme", "http"],
  [":path", "/"],
  [":authority", "www.example.com"],
];
const REQUEST_2: Field[] = [...REQUEST_1, ["cache-control", "no-cache"]];
const REQUEST_3: Field[] = [
  [":method", "GET"],
  [":scheme", "https"],
  [":path", "/index.html"],
  [":authority", "www.example.com"],
  ["custom-key", "custom-value"],
];
const DATE = "Mon, 21 Oct 2013 20:13:21 GMT";
const RESPONSE_1: Field[] = [
  [":status", "302"],
  ["cache-control", "private"],
  ["date", DATE],
  ["location", "https://www.example.com"],
];
const RESPONSE_2: Field[] = [[":status", "307"], ...RESPONSE_1.slice(1)];
const RESPONSE_3: Field[] = [
  [":status", "200"],
  ["cache-control", "private"],
  ["date", DATE.replace("21 GMT", "22 GMT")],
  ["location", "https://www.example.com"],
  ["content-encoding", "gzip"],
  ["set-cookie", "foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1"],
];

test("HpackDecoder reads the examples of RFC 7541 appendix C.2", () => {
  const read = (hex: string) => decode(new HpackDecoder(), fromHex(hex));
  assertEquals(
    read("400a637573746f6d2d6b65790d637573746f6d2d686561646572"),
    [["custom-key", "custom-header"]],
  );
  assertEquals(read("040c2f73616d706c652f70617468"), [[":path", "/sample/path"]]);
  assertEquals(read("100870617373776f726406736563726574"), [["password", "secret"]]);
  assertEquals(read("82"), [[":method", "GET"]]);
});

test("HpackDecoder reads the requests of RFC 7541 appendices C.3 and C.4", () => {
  const plain = [
    "828684410f7777772e6578616d706c652e636f6d",
    "828684be58086e6f2d6361636865",
    "828785bf400a637573746f6d2d6b65790c637573746f6d2d76616c7565",
  ];
  const huffman = [
    "828684418cf1e3c2e5f23a6ba0ab90f4ff",
    "828684be5886a8eb10649cbf",
    "828785bf408825a849e95ba97d7f8925a849e95bb8e8b4bf",
  ];
  for (const blocks of [plain, huffman]) {
    const decoder = new HpackDecoder();
    const read = blocks.map((hex) => decode(decoder, fromHex(hex)));
    assertEquals(read, [REQUEST_1, REQUEST_2, REQUEST_3]);
  }
});

test("HpackDecoder reads the responses of RFC 7541 appendices C.5 and C.6, whose table is small", () => {
  const plain = [
    "4803333032580770726976617465611d4d6f6e2c203231204f637420323031332032303a31333a323120474d54"
    + "6e1768747470733a2f2f7777772e6578616d706c652e636f6d",
    "4803333037c1c0bf",
    "88c1611d4d6f6e2c203231204f637420323031332032303a31333a323220474d54c05a04677a69707738666f6f"
    + "3d4153444a4b48514b425a584f5157454f50495541585157454f49553b206d61782d6167653d333630303b20"
    + "76657273696f6e3d31",
  ];
  const huffman = [
    "488264025885aec3771a4b6196d07abe941054d444a8200595040b8166e082a62d1bff6e919d29ad171863c78f"
    + "0b97c8e9ae82ae43d3",
    "4883640effc1c0bf",
    "88c16196d07abe941054d444a8200595040b8166e084a62d1bffc05a839bd9ab77ad94e7821dd7f2e6c7b335df"
    + "dfcd5b3960d5af27087f3672c1ab270fb5291f9587316065c003ed4ee5b1063d5007",
  ];
  for (const blocks of [plain, huffman]) {
    const decoder = new HpackDecoder(256);
    const read = blocks.map((hex) => decode(decoder, fromHex(hex)));
    assertEquals(read, [RESPONSE_1, RESPONSE_2, RESPONSE_3]);
  }
});

test("HpackDecoder reads numbers as in RFC 7541 appendix C.1, and no larger ones", () => {
  // 1337 with a prefix of 5 bits, as a table's size: larger than 256, and smaller than 4,096.
  assertThrows(() => decode(new HpackDecoder(256), fromHex("3f9a0a")), Http2Error, "larger");
  assertEquals(decode(new HpackDecoder(4_096), fromHex("3f9a0a82")), [[":method", "GET"]]);
  for (const digits of ["ff8080808000", "ffffffffffffffffffff01", "7fffffffff7f", "3fffffffff0f"]) {
    assertThrows(() => decode(new HpackDecoder(), fromHex(digits)), Http2Error);
  }
});

test("HpackDecoder refuses what is not valid, with COMPRESSION_ERROR", () => {
  const cases: { readonly [what: string]: string } = {
    "the index 0": "80",
    "an index beyond both tables": "be",
    "a name's index beyond both tables": "7f00" + "0161",
    "a size after a field": "8220",
    "three sizes": "20202082",
    "a size over the limit": "3fe21f",
    "the end within a number": "ff",
    "the end within a name": "4003616",
    "the end before a value": "0001" + "61",
    "a string that is longer than the block": "00016105",
    "padding of eight bits": "0001" + "61" + "82" + "1fff",
    "padding of zeros": "0001" + "61" + "81" + "18",
    "the code of the end": "0001" + "61" + "84" + "ffffffff",
  };
  for (const [what, digits] of Object.entries(cases)) {
    const error = assertThrows(() => decode(new HpackDecoder(), fromHex(digits)), Http2Error);
    assertEquals([error.http2Code, error.scope], ["COMPRESSION_ERROR", "connection"], what);
  }
});

test("Huffman codes of all bytes, one by one and in any order, are read as they were written", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
    const text = String.fromCharCode(...bytes);
    const coded = new Uint8Array(huffmanLength(text));
    assertEquals(huffmanEncode(text, coded, 0), coded.length);
    const into = new Uint8Array(coded.length * 2 + 8);
    const end = huffmanDecode(coded, 0, coded.length, into, 0);
    assertEquals(into.subarray(0, end), bytes);
  }));
  for (let byte = 0; byte < 256; byte++) {
    const coded = new Uint8Array(8);
    const end = huffmanEncode(String.fromCharCode(byte), coded, 0);
    const into = new Uint8Array(16);
    assertEquals(huffmanDecode(coded, 0, end, into, 0), 1, `byte ${byte}`);
    assertEquals(into[0], byte);
  }
});

test("HpackEncoder has a field kept when it comes a second time, and repeats it in one byte", () => {
  const encoder = new HpackEncoder();
  const decoder = new HpackDecoder();
  const fields: Field[] = [["x-tenant", "north"], [":authority", "www.example.com"]];
  const lengths = [1, 2, 3, 4].map(() => {
    const block = encode(encoder, fields);
    assertEquals(decode(decoder, block), fields);
    return block.length;
  });
  assert(lengths[1]! >= lengths[0]!);
  assertEquals(lengths.slice(2), [2, 2]);
});

test("HpackEncoder never has a secret kept, and says so to whoever passes it on", () => {
  const encoder = new HpackEncoder();
  const secret = [blockField("authorization", "Bearer 1", "never")];
  const blocks = [1, 2, 3].map(() => encodeFields(encoder, secret));
  for (const block of blocks) {
    assertEquals(block[0]! & 0xf0, 0x10);
    assertEquals(decode(new HpackDecoder(), block), [["authorization", "Bearer 1"]]);
  }
  assertEquals(encoder.version, 0);
});

test("HpackEncoder uses no more of the table than the peer allows, and says so first", () => {
  const encoder = new HpackEncoder();
  const decoder = new HpackDecoder();
  const write = (fields: Field[]) => {
    const block = encode(encoder, fields);
    assertEquals(decode(decoder, block), fields);
    return toHex(block);
  };
  const fields: Field[] = [["x-a", "1"]];
  write(fields);
  write(fields);
  assertEquals(write(fields), "be");
  // Down to nothing and up again between two blocks: both are said (section 4.2).
  encoder.setMaxBytes(0);
  encoder.setMaxBytes(100);
  assert(write(fields).startsWith("20" + "3f45"));
  write(fields);
  assertEquals(write(fields), "be");
  encoder.setMaxBytes(1_000_000);
  assert(write(fields).startsWith("3fe11f"));
});

test("HpackEncoder writes any fields so that they are read the same, whatever the table's size", () => {
  const name = fc.stringMatching(/^[a-z][a-z0-9-]{0,20}$/);
  const value = fc.oneof(
    fc.string({ maxLength: 40 }).map((text) => text.replace(/[^\0-\xff]/g, "?")),
    fc.constantFrom("", "1", "gzip, deflate", "x".repeat(3_000)),
  );
  const common = fc.constantFrom<Field>([":method", "GET"], ["accept", "*/*"], ["x-a", "b"]);
  const block = fc.array(fc.oneof(fc.tuple(name, value), common), { maxLength: 12 });
  const step = fc.record({
    fields: block,
    size: fc.option(fc.constantFrom(0, 64, 100, 4_096, 65_536), { nil: undefined }),
    indexing: fc.constantFrom("auto", "without", "never"),
  });
  fc.assert(fc.property(fc.array(step, { maxLength: 12 }), (steps) => {
    const encoder = new HpackEncoder();
    const decoder = new HpackDecoder();
    for (const { fields, indexing, size } of steps) {
      if (size !== undefined) encoder.setMaxBytes(size);
      assertEquals(decode(decoder, encode(encoder, fields, indexing)), fields);
    }
  }));
});

test("HPACK stories of other encoders are read as they say", { skip: fixturesSkip }, () => {
  let blocks = 0;
  for (const { cases, name } of hpackStories()) {
    const decoder = new HpackDecoder();
    for (const { headers, wire } of cases) {
      if (wire === undefined) continue;
      blocks++;
      const expected = headers.flatMap((header) => Object.entries(header));
      assertEquals(decode(decoder, fromHex(wire)), expected, name);
    }
  }
  assert(blocks > 0);
});

test("HPACK stories are written so that they are read the same", { skip: fixturesSkip }, () => {
  for (const { cases, name } of hpackStories()) {
    const encoder = new HpackEncoder();
    const decoder = new HpackDecoder();
    for (const { headers } of cases) {
      const fields = headers.flatMap((header) => Object.entries(header));
      const indexing = name.startsWith("raw") ? "auto" : "without";
      assertEquals(decode(decoder, encode(encoder, fields, indexing)), fields, name);
    }
  }
});
