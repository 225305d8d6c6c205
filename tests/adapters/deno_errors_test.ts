import { assertEquals, assertInstanceOf, assertStrictEquals } from "@std/assert";
import test from "node:test";
import { dialError, socketError, startTlsError } from "../../adapters/deno/deno_errors.ts";
import { DialError } from "../../src/core/errors.ts";

const target = {
  host: "a.test",
  serverName: "a.test",
  address: "192.0.2.1",
  ip: "192.0.2.1",
  port: 443,
  tls: {},
};

/** An error as Deno throws it: of a class of `Deno.errors`, and with a code where the system gave one. */
function thrown(name: string, message: string, code?: string): Error {
  return Object.assign(new Error(message), { name }, code !== undefined && { code });
}

test("what Deno throws during a dial is told as every dialer tells it", () => {
  const cases = [
    [thrown("ConnectionRefused", "Connection refused", "ECONNREFUSED"), "refused"],
    [thrown("Error", "No route to host", "EHOSTUNREACH"), "unreachable"],
    [thrown("NetworkUnreachable", "Network is unreachable"), "unreachable"],
    [thrown("TimedOut", "Connection timed out", "ETIMEDOUT"), "timeout"],
    [thrown("ConnectionReset", "connection reset", "ECONNRESET"), "reset"],
    [thrown("UnexpectedEof", "unexpected end of file"), "closed"],
    [
      thrown("NotCapable", "Requires net access, run again with the --allow-net flag"),
      "permission",
    ],
    [thrown("InvalidData", "invalid peer certificate: UnknownIssuer"), "certificate"],
    [thrown("InvalidData", "received fatal alert: HandshakeFailure"), "handshake"],
    [thrown("Error", "Too many open files", "EMFILE"), "resources"],
    [thrown("AddrNotAvailable", "Cannot assign requested address", "EADDRNOTAVAIL"), "resources"],
    [thrown("Error", "Value too large", "EOVERFLOW"), "other"],
    ["not an error", "other"],
  ] as const;
  for (const [cause, failure] of cases) {
    const error = dialError(target, "tls", cause);
    assertEquals([error.failure, error.host, error.address], [failure, "a.test", "192.0.2.1"]);
    assertStrictEquals(error.cause, cause);
  }
});

test("a program without an IPv6 address reaches none", () => {
  const cause = thrown("AddrNotAvailable", "Cannot assign requested address", "EADDRNOTAVAIL");
  assertEquals(dialError({ ...target, ip: "2001:db8::1" }, "tcp", cause).failure, "unreachable");
});

test("what a firewall on the way prohibits over IPv6 is no permission that the program lacks", () => {
  const cause = thrown("PermissionDenied", "Permission denied", "EACCES");
  assertEquals(dialError({ ...target, ip: "2001:db8::1" }, "tcp", cause).failure, "unreachable");
  assertEquals(dialError(target, "tcp", cause).failure, "permission");
});

test("what Deno throws on an open socket is told as every dialer tells it", () => {
  const cases = [
    [thrown("ConnectionReset", "connection reset", "ECONNRESET"), "reset"],
    [thrown("BrokenPipe", "broken pipe", "EPIPE"), "reset"],
    [thrown("UnexpectedEof", "peer closed connection without close_notify"), "truncated"],
    [thrown("InvalidData", "received corrupt message"), "tls"],
    [thrown("TimedOut", "Connection timed out", "ETIMEDOUT"), "timeout"],
    [thrown("Busy", "busy"), "other"],
  ] as const;
  for (const [cause, failure] of cases) assertEquals(socketError(cause).failure, failure);
});

test("what Deno.startTls throws is told apart by who is at fault: the peer, or the options", () => {
  const gone = startTlsError(target, thrown("NotConnected", "not connected", "ENOTCONN"));
  assertInstanceOf(gone, DialError);
  assertEquals([gone.phase, gone.failure], ["tls", "reset"]);
  const invalid = startTlsError(target, new TypeError("Invalid hostname: 'a b'"));
  assertInstanceOf(invalid, TypeError);
  assertEquals(invalid.message, "The TLS options cannot be used: Invalid hostname: 'a b'");
});

test("a message of Deno's is told without the link at its end", () => {
  const cause = thrown("UnexpectedEof", "peer hung up: https://docs.rs/rustls/latest/");
  assertEquals(socketError(cause).message, "Socket ended (truncated): peer hung up");
});
