import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import test from "node:test";
import { AccessList, type AccessRules } from "../../src/hosts/access.ts";

test("AccessList lets every address pass where no rule is given", () => {
  for (const rules of [undefined, {}, { denyPrivate: false }, { deny: [] }]) {
    const list = new AccessList(rules);
    for (const ip of ["127.0.0.1", "8.8.8.8", "::1", "64:ff9b::7f00:1", "::ffff:127.0.0.1"]) {
      assertEquals(list.deniedBy(ip), undefined, ip);
    }
  }
});

/** Says what each IP address is denied by, or that it is not. */
function assertDenied(
  rules: AccessRules,
  table: { readonly [ip: string]: string | undefined },
): void {
  const list = new AccessList(rules);
  for (const [ip, rule] of Object.entries(table)) assertEquals(list.deniedBy(ip), rule, ip);
}

test("AccessList denies what a deny rule names, and lets the rest pass", () => {
  assertDenied({ deny: ["192.0.2.1", "10.0.0.0/8", "2001:db8::/33", "2606:4700::1111/128"] }, {
    "192.0.2.0": undefined,
    "192.0.2.1": "deny 192.0.2.1",
    "192.0.2.2": undefined,
    "9.255.255.255": undefined,
    "10.0.0.0": "deny 10.0.0.0/8",
    "10.255.255.255": "deny 10.0.0.0/8",
    "11.0.0.0": undefined,
    "::ffff:10.0.0.1": "deny 10.0.0.0/8",
    "2001:db8::": "deny 2001:db8::/33",
    "2001:db8:7fff:ffff:ffff:ffff:ffff:ffff": "deny 2001:db8::/33",
    "2001:db8:8000::": undefined,
    "2606:4700::1111": "deny 2606:4700::1111",
    "2606:4700::1112": undefined,
  });
});

test("AccessList allows what an allow rule names, and nothing else", () => {
  assertDenied({ allow: ["192.0.2.0/31", "2001:db8::/32"] }, {
    "192.0.1.255": "not in allow",
    "192.0.2.0": undefined,
    "192.0.2.1": undefined,
    "::ffff:192.0.2.1": undefined,
    "192.0.2.2": "not in allow",
    "2001:db8::1": undefined,
    "2001:db9::1": "not in allow",
  });
  assertDenied({ allow: [] }, { "8.8.8.8": "not in allow", "2606:4700::1111": "not in allow" });
});

test("AccessList keeps denied what is denied, whatever is allowed", () => {
  assertDenied({ allow: ["10.0.0.0/8", "8.8.8.8"], deny: ["10.1.0.0/16"], denyPrivate: true }, {
    "8.8.8.8": undefined,
    "8.8.4.4": "not in allow",
    "10.1.2.3": "deny 10.1.0.0/16",
    "10.2.3.4": "denyPrivate (private)",
  });
});

test("AccessList denies by an IPv4 rule the IPv6 forms that lead there", () => {
  assertDenied({ deny: ["10.0.0.0/8"] }, {
    "64:ff9b::10.1.2.3": "deny 10.0.0.0/8",
    "64:ff9b::11.1.2.3": undefined,
    "64:ff9b:1::10.1.2.3": "deny 10.0.0.0/8",
    "64:ff9b:1:fffe::10.1.2.3": "deny 10.0.0.0/8",
    "64:ff9b:2::10.1.2.3": undefined,
    "64:ff9b::1:10.1.2.3": undefined,
    "2002:a01:203::1": "deny 10.0.0.0/8",
    "2002:a01:203:ffff:ffff:ffff:ffff:ffff": "deny 10.0.0.0/8",
    "2002:b01:203::a01:203": undefined,
    // The client's address stands inverted.
    "2001::f5fe:fdfc": "deny 10.0.0.0/8",
    "2001::a01:203": undefined,
    "2001:1::f5fe:fdfc": undefined,
    "::10.1.2.3": "deny 10.0.0.0/8",
    "::ffff:0:10.1.2.3": "deny 10.0.0.0/8",
    "::fffe:0:10.1.2.3": undefined,
    "::1:10.1.2.3": undefined,
    "1::10.1.2.3": undefined,
    "2001:db8::10.1.2.3": undefined,
  });
  assertDenied({ deny: ["0.0.0.0/0"] }, {
    "::": undefined,
    "::1": undefined,
    "::2": "deny 0.0.0.0/0",
    "::1:1": "deny 0.0.0.0/0",
  });
});

test("AccessList does not extend an allow rule to the IPv6 forms that lead there", () => {
  assertDenied({ allow: ["8.0.0.0/8"] }, {
    "8.8.8.8": undefined,
    "::ffff:8.8.8.8": undefined,
    "64:ff9b::8.8.8.8": "not in allow",
    "2002:808:808::1": "not in allow",
    "::8.8.8.8": "not in allow",
  });
  assertDenied({ allow: ["64:ff9b::/96"], deny: ["8.8.8.8"] }, {
    "64:ff9b::8.8.4.4": undefined,
    "64:ff9b::8.8.8.8": "deny 8.8.8.8",
  });
});

test("AccessList keeps IPv4 and IPv6 ranges apart, those without a prefix too", () => {
  assertDenied({ deny: ["::/0"] }, { "8.8.8.8": undefined, "2606:4700::1": "deny ::/0" });
  assertDenied({ allow: ["0.0.0.0/0"] }, { "8.8.8.8": undefined, "2606:4700::1": "not in allow" });
});

test("AccessList reads each rule's spellings as one canonical text, and gives a copy", () => {
  const deny = [
    "10.0.0.0/8",
    "192.0.2.1/32",
    "0.0.0.0/0",
    "2001:DB8:0:0::/32",
    "2001:db8::0001/128",
    "::/0",
    "::ffff:10.0.0.0/104",
    "::FFFF:c000:201",
    "::ffff:192.0.2.1/128",
    "::ffff:0:0/96",
    "::192.0.2.0/120",
  ];
  const list = new AccessList({ deny });
  deny.length = 0;
  const canonical = [
    "10.0.0.0/8",
    "192.0.2.1",
    "0.0.0.0/0",
    "2001:db8::/32",
    "2001:db8::1",
    "::/0",
    "10.0.0.0/8",
    "192.0.2.1",
    "192.0.2.1",
    "0.0.0.0/0",
    "::c000:200/120",
  ];
  assertEquals(list.rules, { deny: canonical, denyPrivate: false });
  (list.rules.deny as string[]).length = 0;
  assertEquals(list.rules, { deny: canonical, denyPrivate: false });
  assertEquals(new AccessList({ allow: [], denyPrivate: true }).rules, {
    allow: [],
    deny: [],
    denyPrivate: true,
  });
  assertEquals(new AccessList(list.rules).rules, list.rules);
});

test("AccessList reads rules as strictly as parseAddress() reads addresses", () => {
  const refused = [
    "",
    "/",
    "/8",
    "10.0.0.0/",
    "10.0.0.0/8/8",
    "10.0.0.0//8",
    "10.0.0.0/08",
    "10.0.0.0/+8",
    "10.0.0.0/-8",
    "10.0.0.0/8.0",
    "10.0.0.0/0x8",
    "10.0.0.0/1e1",
    "10.0.0.0/ 8",
    "10.0.0.0/8 ",
    " 10.0.0.0/8",
    "10.0.0.0/8\n",
    "10.0.0.0/33",
    "10.0.0.0/１６",
    "10.0.0.0/255.0.0.0",
    "10.0.0.0-10.255.255.255",
    "10.*",
    "10",
    "10/8",
    "10.0/8",
    "010.0.0.0/8",
    "0xa.0.0.0/8",
    "10.0.0.0:443",
    "10.0.0.0:443/8",
    "[::1]",
    "[2001:db8::]/32",
    "[::1]:443",
    "2001:db8::/129",
    "2001:db8/32",
    "fe80::1%eth0",
    "fe80::%eth0/10",
    "::ffff:010.0.0.0/104",
    "localhost",
    "example.com",
    "*",
    "private",
  ];
  for (const text of refused) {
    for (const rules of [{ deny: [text] }, { allow: ["192.0.2.1", text] }]) {
      const name = "deny" in rules ? "deny" : "allow";
      const { message } = assertThrows(() => new AccessList(rules), TypeError, name);
      assertStringIncludes(message, JSON.stringify(text));
    }
  }
});

test("AccessList says of a prefix that an address cannot have which ones it can", () => {
  const table = {
    "10.0.0.0/33": "an IPv4 range is a whole number from 0 to 32",
    "2001:db8::/129": "an IPv6 range is a whole number from 0 to 128",
    "::ffff:0:0/95": "an IPv4-mapped range is a whole number from 96 to 128",
    "::ffff:10.0.0.0/8": "an IPv4-mapped range is a whole number from 96 to 128",
  };
  for (const [text, part] of Object.entries(table)) {
    assertThrows(() => new AccessList({ deny: [text] }), TypeError, part);
  }
});

test("AccessList refuses bits beyond a prefix, and offers the range and the address", () => {
  const table = {
    "10.1.2.3/8": "write 10.0.0.0/8 for the range, 10.1.2.3 for the one address",
    "1.2.3.4/0": "write 0.0.0.0/0 for the range, 1.2.3.4 for the one address",
    "192.0.2.1/31": "write 192.0.2.0/31 for",
    "::ffff:10.1.2.3/104": "write 10.0.0.0/8 for",
    "2001:db8::1/32": "write 2001:db8::/32 for the range, 2001:db8::1 for the one address",
    "2001:db8:8000::/32": "write 2001:db8::/32 for",
  };
  for (const [text, part] of Object.entries(table)) {
    assertThrows(() => new AccessList({ allow: [text] }), TypeError, part);
  }
});

test("AccessList refuses rules of the wrong type, and names that it does not know", () => {
  const bad: readonly (readonly [rules: unknown, part: string])[] = [
    [null, "The options of access must be an object, got null"],
    ["10.0.0.0/8", "The options of access must be an object, got string"],
    [{ denied: [] }, "Unknown option \"denied\" of access: it takes allow, deny, denyPrivate"],
    [{ deny: "10.0.0.0/8" }, "deny must be a list of IP addresses and CIDR ranges, got string"],
    [{ allow: null }, "allow must be a list of IP addresses and CIDR ranges, got null"],
    [{ allow: new Set(["10.0.0.0/8"]) }, "allow must be a list"],
    [{ deny: [10] }, "got 10"],
    [{ deny: [undefined] }, "got undefined"],
    [{ deny: new Array(1) }, "got undefined"],
    [{ deny: [["10.0.0.0/8"]] }, "got an array"],
    [{ denyPrivate: "false" }, "denyPrivate must be true or false, got string"],
    [{ denyPrivate: 1 }, "denyPrivate must be true or false, got 1"],
    [{ denyPrivate: null }, "denyPrivate must be true or false, got null"],
  ];
  for (const [rules, part] of bad) {
    assertThrows(() => new AccessList(rules as AccessRules), TypeError, part);
  }
  const empty = new AccessList({ allow: undefined, deny: undefined, denyPrivate: undefined });
  assertEquals(empty.deniedBy("127.0.0.1"), undefined);
});

test("AccessList says nothing of what is no IP address: it throws, with rules and without", () => {
  for (const rules of [{}, { denyPrivate: true }, { allow: ["0.0.0.0/0"] }]) {
    const list = new AccessList(rules);
    const not = ["", "example.com", "127.1", "127.0.0.1:443", "[::1]", "[::1]:443", "fe80::1%1"];
    for (const text of not) {
      const { message } = assertThrows(() => list.deniedBy(text), TypeError, "without a port");
      assert(message.endsWith(JSON.stringify(text)), message);
    }
  }
});
