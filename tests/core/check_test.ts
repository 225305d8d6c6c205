import { assert, assertEquals, assertFalse, assertStringIncludes, assertThrows } from "@std/assert";
import test from "node:test";
import { checkNames, checkNumber, describe, quote, shorten } from "../../src/core/check.ts";

test("checkNumber() gives back what is within its bounds, the bounds included", () => {
  assertEquals(checkNumber("n", 0, { min: 0 }), 0);
  assertEquals(checkNumber("n", 1.5, { min: 1, max: 2 }), 1.5);
  assertEquals(checkNumber("n", 2, { min: 1, max: 2, whole: true }), 2);
  assertEquals(checkNumber("n", Infinity, { min: 1 }), Infinity);
  assertEquals(checkNumber("n", Infinity, { min: 1, whole: true }), Infinity);
});

test("checkNumber() refuses the rest, with the option, the value and what would be valid", () => {
  const bounded = { min: 1, max: 5, whole: true };
  const cases: readonly [unknown, Parameters<typeof checkNumber>[2], string][] = [
    [0, bounded, "n must be a whole number from 1 to 5, got 0"],
    [6, bounded, "n must be a whole number from 1 to 5, got 6"],
    [1.5, bounded, "n must be a whole number from 1 to 5, got 1.5"],
    [Infinity, bounded, "n must be a whole number from 1 to 5, got Infinity"],
    [-1, { min: 0 }, "n must be a number of at least 0, got -1"],
    [-Infinity, { min: 0 }, "n must be a number of at least 0, got -Infinity"],
  ];
  for (const [value, bounds, message] of cases) {
    assertEquals(assertThrows(() => checkNumber("n", value, bounds), RangeError).message, message);
  }
  for (const [value, got] of [[NaN, "NaN"], ["5", "string"], [null, "null"], [[5], "an array"]]) {
    const error = assertThrows(() => checkNumber("n", value, { min: 0 }), TypeError);
    assertEquals(error.message, `n must be a number of at least 0, got ${got}`);
  }
});

test("checkNames() refuses a name that nobody knows, and says which are known", () => {
  checkNames("it()", { a: 1, b: undefined }, ["a", "b", "c"]);
  const error = assertThrows(() => checkNames("it()", { a: 1, d: 2 }, ["a", "b"]), TypeError);
  assertEquals(error.message, "Unknown option \"d\" of it(): it takes a, b");
});

test("checkNames() names the option that was meant, as far as it can be told", () => {
  const known = ["serverName", "timeoutMs", "maxConnections", "maxConnectionsPerHost", "ca"];
  const meant = [
    ["servername", "serverName"],
    ["timeout", "timeoutMs"],
    ["timeOutMS", "timeoutMs"],
    ["maxConnection", "maxConnections"],
    ["maxConectionsPerHost", "maxConnectionsPerHost"],
    ["maxConnectionsPerhosts", "maxConnectionsPerHost"],
  ];
  for (const [given = "", option = ""] of meant) {
    assertThrows(
      () => checkNames("it()", { [given]: 1 }, known),
      TypeError,
      `Unknown option "${given}" of it(): did you mean ${option}? It takes ${known.join(", ")}`,
    );
  }
  for (const given of ["d", "proxy", "keepAlive", "x".repeat(9_000)]) {
    const error = assertThrows(() => checkNames("it()", { [given]: 1 }, known), TypeError);
    assertFalse(error.message.includes("did you mean"), error.message);
  }
});

test("checkNames() refuses what is no object of options", () => {
  for (const value of [5, "x", null] as unknown[]) {
    const error = assertThrows(() => checkNames("it()", value as object, ["a"]), TypeError);
    assertStringIncludes(error.message, "The options of it() must be an object, got ");
    assertStringIncludes(error.message, ": it takes a");
  }
});

test("describe() never shows what a value holds", () => {
  const secrets = ["secret", { key: "secret" }, ["secret"], () => "secret", Symbol("secret")];
  for (const value of secrets) assertFalse(describe(value).includes("secret"));
  assertEquals([undefined, null, 5, true, ""].map(describe), [
    "undefined",
    "null",
    "5",
    "boolean",
    "string",
  ]);
  assertStringIncludes(describe([]), "array");
});

test("quote() repeats a text, the beginning of a long one, and nothing of what is none", () => {
  assertEquals(quote("a \"b\"\n"), "\"a \\\"b\\\"\\n\"");
  assertEquals(quote("x".repeat(200)), `"${"x".repeat(200)}"`);
  assertEquals(quote("x".repeat(201)), `"${"x".repeat(200)}"… (201 characters)`);
  assertEquals(quote(["secret"]), "an array");
});

test("shorten() leaves a text that fits as it is, and says by its end that it cut one", () => {
  assertEquals(["abc", "abcd"].map((text) => shorten(text, 3)), ["abc", "abc…"]);
});

test("checkNames() repeats no long name of an option whole", () => {
  const error = assertThrows(() => checkNames("it()", { ["x".repeat(9_000)]: 1 }, ["a"]));
  assert((error as Error).message.length < 300);
});
