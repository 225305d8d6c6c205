import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import test from "node:test";
import { HotconnError, RequestError } from "../../src/core/errors.ts";
import { withoutFrames } from "../../src/core/without_frames.ts";

const FIELDS = { failure: "timeout", host: "a.test", address: "192.0.2.1", maybeActedOn: true };

test("withoutFrames() makes an error with a stack of its message alone, and leaves others theirs", () => {
  const error = withoutFrames(() =>
    new RequestError(FIELDS as RequestError, "it took too long", { cause: 1 })
  );
  assertEquals(error.name, "RequestError");
  assertEquals(error.cause, 1);
  assertStringIncludes(error.stack!, error.message);
  assertEquals(error.stack!.split("\n").length, 1);
  assertStringIncludes(new HotconnError("Another one").stack!, "without_frames_test");
});

test("withoutFrames() leaves others theirs if it throws, too", () => {
  const fail = () => {
    throw new TypeError("On purpose");
  };
  assertThrows(() => withoutFrames(fail), TypeError, "On purpose");
  assertStringIncludes(new HotconnError("Another one").stack!, "without_frames_test");
});

test("withoutFrames() makes an error all the same where a program has fixed how long stacks are", () => {
  const given = Object.getOwnPropertyDescriptor(Error, "stackTraceLimit")!;
  Object.defineProperty(Error, "stackTraceLimit", { ...given, writable: false });
  try {
    const error = withoutFrames(() => new HotconnError("It took too long"));
    assertStringIncludes(error.stack!, "It took too long");
  } finally {
    Object.defineProperty(Error, "stackTraceLimit", given);
  }
});
