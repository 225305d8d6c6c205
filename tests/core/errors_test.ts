import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertMatch,
  assertStrictEquals,
} from "@std/assert";
import test from "node:test";
import * as errors from "../../src/core/errors.ts";

const cause = new Error("the cause");

/** One of each. */
const all: { readonly [name: string]: errors.HotconnError } = {
  HotconnError: new errors.HotconnError("anything"),
  DialError: new errors.DialError(
    { host: "a.example", address: "192.0.2.1", phase: "tcp", failure: "refused" },
    "nobody listens",
    { cause },
  ),
  ProxyError: new errors.ProxyError(
    {
      proxy: "http://proxy.example:3128",
      host: "a.example",
      address: "192.0.2.1",
      failure: "denied",
      status: 403,
    },
    "it answered 403",
    { cause },
  ),
  SocketError: new errors.SocketError("reset", "by the peer", { cause }),
  UnsupportedOptionError: new errors.UnsupportedOptionError("pins", "deno", "use node"),
  ClosedError: new errors.ClosedError("pool"),
  LimitError: new errors.LimitError("host", 5, "a.example"),
  AcquireTimeoutError: new errors.AcquireTimeoutError("a.example", 5, "all busy", { cause }),
  WaiterLimitError: new errors.WaiterLimitError("a.example", 5),
  HostUnavailableError: new errors.HostUnavailableError("a.example", [
    { address: "192.0.2.1", error: new Error("the first"), retryAt: null },
    { address: "192.0.2.2", error: cause, retryAt: 5 },
  ]),
  AccessDeniedError: new errors.AccessDeniedError("a.example", [
    { address: "127.0.0.1", rule: "denyPrivate (loopback)" },
    { address: "[2001:db8::1]:8443", rule: "deny 2001:db8::/32" },
  ]),
  ResolveError: new errors.ResolveError("a.example", "no such name", { cause }),
  LeaseReleasedError: new errors.LeaseReleasedError("a.example"),
  LockTimeoutError: new errors.LockTimeoutError("shared", 5),
  RequestError: new errors.RequestError(
    { host: "a.example", address: "192.0.2.1", failure: "protocol", maybeActedOn: true },
    "no status line",
    { cause },
  ),
  WebSocketError: new errors.WebSocketError(
    { host: "a.example", address: "192.0.2.1", failure: "protocol", closeCode: 1002 },
    "a reserved bit is set",
    { cause },
  ),
};

test("every error of hotconn has its class's name and a code of its own", () => {
  assertEquals(new Set(Object.keys(all)), new Set(Object.keys(errors)));
  const codes = new Set<string>();
  for (const [name, error] of Object.entries(all)) {
    assertInstanceOf(error, errors.HotconnError);
    assertEquals(error.name, name);
    assertEquals(error.constructor.name, name);
    assert(/^HOTCONN(_[A-Z]+)*$/.test(error.code), error.code);
    codes.add(error.code);
    assertEquals(String(error), `${name}: ${error.message}`);
  }
  assertEquals(codes.size, Object.keys(all).length);
});

test("an error's message is a sentence without a full stop that names what it is about", () => {
  for (const [name, error] of Object.entries(all)) {
    if (name === "HotconnError") continue;
    assert(/^[A-Z].*[^.]$/.test(error.message), error.message);
  }
  assertEquals(
    all["DialError"]?.message,
    "Dial of a.example at 192.0.2.1 failed (refused): nobody listens",
  );
  assertEquals(
    all["LimitError"]?.message,
    "Connection refused by the limit of 5 for host a.example",
  );
});

test("an error keeps its cause, and has none where there is none", () => {
  for (
    const name of [
      "DialError",
      "SocketError",
      "AcquireTimeoutError",
      "ResolveError",
      "RequestError",
    ]
  ) {
    assertStrictEquals(all[name]?.cause, cause, name);
  }
  assertEquals("cause" in new errors.AcquireTimeoutError("a.example", 5, "all busy"), false);
});

test("HostUnavailableError tells each address's failure, the last of them as its cause", () => {
  const error = all["HostUnavailableError"];
  assertInstanceOf(error, errors.HostUnavailableError);
  assertEquals(error.failures.map(({ address }) => address), ["192.0.2.1", "192.0.2.2"]);
  assertStrictEquals(error.cause, cause);
  assertEquals(
    error.message,
    "Host a.example failed at every address tried: the first; the cause",
  );
  // As Node says it: its own words repeat the address.
  const failed = (failure: errors.DialFailure, code: string) => (address: string) => ({
    address,
    error: new errors.DialError(
      { host: "a.example", address, phase: "tcp", failure },
      `connect ${code} ${address}`,
      { cause: Object.assign(new Error(code), { code }) },
    ),
    retryAt: null,
  });
  const refused = failed("refused", "ECONNREFUSED");
  const noRoute = failed("unreachable", "EHOSTUNREACH");
  const noNetwork = failed("unreachable", "ENETUNREACH");
  assertEquals(
    new errors.HostUnavailableError("a.example", [
      refused("192.0.2.1"),
      noRoute("192.0.2.2"),
      refused("192.0.2.3"),
      noNetwork("192.0.2.4"),
      refused("192.0.2.5"),
    ])
      .message,
    "Host a.example failed at every address tried: Dial of a.example at 192.0.2.1 failed (refused): "
      + "connect ECONNREFUSED 192.0.2.1; the same failure at 192.0.2.3, 192.0.2.5; "
      + "Dial of a.example at 192.0.2.2 failed (unreachable): connect EHOSTUNREACH 192.0.2.2; "
      + "Dial of a.example at 192.0.2.4 failed (unreachable): connect ENETUNREACH 192.0.2.4",
  );
  // As Deno says it: without a code, and without the address.
  const untrusted = (address: string, why: string) => ({
    address,
    error: new errors.DialError(
      { host: "a.example", address, phase: "tls", failure: "certificate" },
      `invalid peer certificate: ${why}`,
      { cause: new Error(`invalid peer certificate: ${why}`) },
    ),
    retryAt: null,
  });
  assertMatch(
    new errors.HostUnavailableError("a.example", [
      untrusted("192.0.2.1", "Expired"),
      untrusted("192.0.2.2", "UnknownIssuer"),
      untrusted("192.0.2.3", "Expired"),
    ])
      .message,
    /Expired; the same failure at 192\.0\.2\.3; .* at 192\.0\.2\.2 failed .*UnknownIssuer$/,
  );
  const without = new errors.HostUnavailableError("a.example", []);
  assertEquals(without.message, "Host a.example has no address to dial");
  assertEquals("cause" in without, false);
});

test("AccessDeniedError tells each address with the rule that denies it", () => {
  const error = all["AccessDeniedError"];
  assertInstanceOf(error, errors.AccessDeniedError);
  assertEquals(error.code, "HOTCONN_ACCESS_DENIED");
  assertEquals(error.host, "a.example");
  assertEquals(error.addresses, [
    { address: "127.0.0.1", rule: "denyPrivate (loopback)" },
    { address: "[2001:db8::1]:8443", rule: "deny 2001:db8::/32" },
  ]);
  const one = new errors.AccessDeniedError("internal.test", error.addresses.slice(0, 1));
  assertEquals(
    one.message,
    "No address of internal.test may be dialled: 127.0.0.1 (denyPrivate (loopback))",
  );
});

test("an error about thousands of addresses names some, and holds all", () => {
  const addresses = Array.from({ length: 2_000 }, (_, i) => `10.0.${i >> 8}.${i & 255}`);
  const denied = new errors.AccessDeniedError(
    "a.example",
    addresses.map((address) => ({ address, rule: "denyPrivate (private)" })),
  );
  assertEquals(denied.addresses.length, 2_000);
  assertEquals(
    denied.message,
    `No address of a.example may be dialled: ${
      addresses.slice(0, 8).map((address) => `${address} (denyPrivate (private))`).join(", ")
    }, and 1992 more`,
  );
  const unavailable = new errors.HostUnavailableError(
    "a.example",
    addresses.map((address) => ({
      address,
      error: new Error(`${address} is down`),
      retryAt: null,
    })),
  );
  assertEquals(unavailable.failures.length, 2_000);
  assert(unavailable.message.endsWith("10.0.0.7 is down; and 1992 more"), unavailable.message);
});
