import { assertEquals } from "@std/assert";
import test from "node:test";
import { DialError, type DialPhase } from "../../src/core/errors.ts";
import { AddressHealth } from "../../src/hosts/health.ts";

const host = "a.test";
const address = "192.0.2.1";

function refusal(phase: DialPhase = "tcp"): DialError {
  return new DialError({ host, address, phase, failure: "refused" }, "as the test says");
}

test("an address that fails time and again is left alone for longer each time", () => {
  const health = new AddressHealth();
  const pauses: number[] = [];
  for (let now = 1_000, i = 0; i < 9; i++) {
    health.failed(host, address, refusal(), now);
    const retryAt = health.retryAt(host, address);
    pauses.push(retryAt - now);
    now = retryAt;
  }
  assertEquals(pauses, [250, 500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]);
});

test("dials that fail together count as one failure", () => {
  const health = new AddressHealth();
  for (let i = 0; i < 10; i++) health.failed(host, address, refusal(), 1_000 + i);
  assertEquals(health.retryAt(host, address), 1_250);
  health.failed(host, address, refusal(), 1_250);
  assertEquals(health.retryAt(host, address), 1_750);
});

test("a TCP failure counts for every host, a TLS failure for its own", () => {
  const health = new AddressHealth();
  health.failed(host, address, refusal("tls"), 1_000);
  assertEquals(health.retryAt("b.test", address), 0);
  assertEquals(health.retryAt(host, address), 1_250);
  health.failed(host, address, refusal("tcp"), 2_000);
  assertEquals(health.retryAt("b.test", address), 2_250);
  health.succeeded("b.test", address);
  assertEquals(health.retryAt("b.test", address), 0);
  assertEquals(health.retryAt(host, address), 1_250);
});
