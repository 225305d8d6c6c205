import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { existsSync, readFileSync, rmSync } from "node:fs";
import test from "node:test";
import { detectRuntime } from "../adapters/detect.ts";
import { bitsOf, isPrivate } from "./fuzz/address_reference.ts";
import { readResponse } from "./fuzz/codec_reference.ts";
import { fuzz } from "./fuzz/fuzzer.ts";
import { planted } from "./fuzz/planted.ts";
import { targets } from "./fuzz/targets.ts";
import { run } from "./support/programs.ts";

for (const target of targets) {
  test(`the fuzz target ${target.name} holds for its corpus, and some more`, async () => {
    const executions = target.corpus.length + 200;
    const { failure, kinds, ...rest } = await fuzz(target, { seed: 1, executions });
    if (failure) throw new Error(JSON.stringify(failure.input), { cause: failure.error });
    assertEquals(rest.executions, executions);
    assert(kinds > 15, `${kinds} kinds`);
  });
}

test("the fuzzer finds a fault, makes its input short, and finds it again by its seed", async () => {
  const found = await fuzz(planted, { seed: 7, executions: 100_000 });
  assertEquals(found.failure?.input, ",,evil");
  assert(found.failure?.error instanceof RangeError);
  const again = await fuzz(planted, { seed: 7, executions: 100_000 });
  assertEquals([again.executions, again.kinds], [found.executions, found.kinds]);
  const others = await Promise.all(
    [8, 9, 10].map((seed) => fuzz(planted, { seed, executions: 100_000 })),
  );
  assert(others.some(({ executions }) => executions !== found.executions));
});

const skip = detectRuntime() !== "node" && "The fuzzers run on Node, whoever looks on";

const program = (file: string, ...words: readonly string[]) =>
  run("node", ["--import", "tsx", `tests/fuzz/${file}.ts`, ...words], { timeoutMs: 30_000 });

test("npm run fuzz prints executions and the seed", { skip }, async () => {
  const { code, output } = await program("main", "address", "--seconds", "0.2", "--seed", "5");
  assertEquals(code, 0, output);
  assertMatch(output, /^address: \d+ executions in \d\.\d s \(\d+ a second\), \d+ kinds, seed 5$/m);
});

test(
  "npm run fuzz shows and saves an input that goes wrong, and looks at it again",
  { skip },
  async () => {
    const { code, output } = await program("planted_main", "planted", "--seed", "7");
    assertEquals(code, 1, output);
    assertStringIncludes(output, "The planted fault");
    assertStringIncludes(output, "npm run fuzz -- planted --seed 7");
    const [, file = ""] = /Again: npm run fuzz -- planted --input (.+)/.exec(output)!;
    assertEquals(JSON.parse(readFileSync(file, "utf8")), ",,evil");
    const again = await program("planted_main", "planted", "--input", file);
    assertEquals(again.code, 1, again.output);
    assertStringIncludes(again.output, "The planted fault");
    rmSync(file);
  },
);

test("npm run fuzz ends by itself at an input that hangs, and saves it", { skip }, async () => {
  const { broken, output } = await program("planted_main", "hangs", "--seed", "7");
  assertEquals(broken, "it was ended by SIGKILL", output);
  assertStringIncludes(output, "HANGS");
  const [, file = ""] = /saved in (.+)/.exec(output)!;
  assert(existsSync(file) && JSON.parse(readFileSync(file, "utf8")).includes("evil"), output);
  rmSync(file);
});

test("npm run fuzz refuses what makes no sense", { skip }, async () => {
  for (const words of [[], ["nothing"], ["codec", "--seconds", "-1"], ["codec", "--seed", "x"]]) {
    const { code, output } = await program("main", ...words);
    assertEquals(code, 2, output);
  }
});

test("the fuzzer's own reader of responses tells good, bad and short ones apart", () => {
  const head = "HTTP/1.1 200 OK\r\n";
  const coded = `${head}Transfer-Encoding: chunked\r\n\r\n`;
  const table = {
    [`${head}content-length: 2\r\n\r\nab`]: "read",
    [`${head}content-length: 2, 02\r\n\r\nab`]: "read",
    [`${coded}2 ; a = "\\"" ;b\r\nab\r\n0\r\nx: y\r\n\r\n`]: "read",
    [`HTTP/1.0 299\r\n\r\n`]: "read",
    "": "short",
    "HTTP/1.": "short",
    [`${head}x`]: "short",
    [`${head}content-length: 2\r\n\r\na`]: "short",
    [`${coded}2;a="`]: "short",
    [`${coded}2;a =`]: "short",
    [`${coded}2\r\nab\r\n0\r\n`]: "short",
    "HTTP/2 200\r\n\r\n": "bad",
    "HTTP/1.1 099": "bad",
    [`${head}x y`]: "bad",
    [`${head}content-length: 2\r\ncontent-length: 3\r\n`]: "bad",
    [`${head}content-length: 2\r\ntransfer-encoding: chunked\r\n`]: "bad",
    [`${coded}2 \r\n`]: "bad",
    [`${coded}2\r\nabc`]: "bad",
    [`${coded}0\r\ncontent-length: 1\r\n`]: "bad",
    "HTTP/1.1 101 x\r\n\r\n": "bad",
  };
  for (const [text, kind] of Object.entries(table)) {
    assertEquals(readResponse(text, false).kind, kind, JSON.stringify(text));
  }
});

test("the fuzzer's own table of addresses tells private and public ones apart", () => {
  assertEquals(bitsOf("::ffff:127.0.0.1"), bitsOf("127.0.0.1"));
  assertEquals(bitsOf("1::2"), (1n << 112n) + 2n);
  const table = {
    private: ["10.0.0.1", "::1", "::", "fe80::1", "64:ff9b::a00:1", "2002:7f00:1::", "2001::1"],
    public: ["8.8.8.8", "2606:4700::1", "64:ff9b::808:808", "2002:808:808::1", "2001:3::1"],
  };
  for (const ip of table.private) assert(isPrivate(ip), ip);
  for (const ip of table.public) assert(!isPrivate(ip), ip);
});
