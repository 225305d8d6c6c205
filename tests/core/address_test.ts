import { assert, assertEquals, assertFalse, assertStringIncludes, assertThrows } from "@std/assert";
import fc from "fast-check";
import { isIPv4, isIPv6 } from "node:net";
import test from "node:test";
import {
  type Address,
  type Host,
  ipOf,
  isIp,
  parseAddress,
  parseHost,
} from "../../src/core/address.ts";

/** The canonical text, or the name of the error. */
function outcome(parse: (text: string) => Address | Host, text: string): string {
  try {
    return parse(text).text;
  } catch (error) {
    return error instanceof Error ? error.name : String(error);
  }
}

/** Says what each text comes to: its canonical text, or the name of an error. */
function assertTable(
  parse: (text: string) => Address | Host,
  table: { readonly [text: string]: string },
): void {
  for (const [text, expected] of Object.entries(table)) {
    assertEquals(outcome(parse, text), expected, JSON.stringify(text));
  }
}

const LONG_LABEL = "a".repeat(63);
/** 253 characters: the longest name that DNS can carry. */
const LONG_NAME = [LONG_LABEL, LONG_LABEL, LONG_LABEL, "a".repeat(61)].join(".");

test("parseHost() gives many spellings of one name one text (trap 26)", () => {
  assertTable(parseHost, {
    "example.com": "example.com",
    "example.com.": "example.com",
    "EXAMPLE.Com": "example.com",
    "Example.COM.:443": "example.com",
    "example.com:0443": "example.com",
    // Full-width letters and dots, an ideographic full stop, a soft hyphen, a byte order mark.
    "ｅｘａｍｐｌｅ.com": "example.com",
    "example．com": "example.com",
    "example。com。": "example.com",
    "exam\u00adple.com": "example.com",
    "\ufeffexample.com": "example.com",
    "EXAMPLE.com:8443": "example.com:8443",
    "example.com.:08443": "example.com:8443",
  });
});

test("parseHost() applies IDNA, so both spellings of an international name are one (trap 26)", () => {
  assertTable(parseHost, {
    "bücher.example": "xn--bcher-kva.example",
    "BÜCHER.example": "xn--bcher-kva.example",
    "bu\u0308cher.example": "xn--bcher-kva.example",
    "XN--BCHER-kva.example": "xn--bcher-kva.example",
    "faß.example": "xn--fa-hia.example",
    "☃.example:8443": "xn--n3h.example:8443",
    // Letters that look like ASCII and are not.
    "аpple.example": "xn--pple-43d.example",
    "K.example": "k.example",
  });
});

test("parseHost() reads every form of an IPv4 address as the machine it means (trap 26)", () => {
  const loopback = [
    "127.0.0.1",
    "127.0.0.1.",
    "127.1",
    "127.0.1",
    "0x7f.1",
    "0X7F.0.0.1",
    "0x7f000001",
    "2130706433",
    "017700000001",
    "0177.0.0.1",
    "0177.0.0.0x1",
    "１２７.0.0.1",
    "①②⑦.0.0.1",
    "127。0。0。1",
    "127\u00ad.0.0.1",
    "::ffff:127.0.0.1",
    "::FFFF:7f00:1",
    "0:0:0:0:0:ffff:127.0.0.1",
    "[::ffff:127.0.0.1]",
    "[0000:0000:0000:0000:0000:ffff:7f00:0001]",
    "127.0.0.1:443",
    "0x7f.1:443",
    "[::ffff:7f00:1]:443",
  ];
  for (const text of loopback) {
    const host = parseHost(text);
    assertEquals(host, { text: "127.0.0.1", name: "127.0.0.1", port: 443, isLiteral: true }, text);
  }
  assertTable(parseHost, {
    "010.0.0.1": "8.0.0.1",
    "1.0x2": "1.0.0.2",
    "0": "0.0.0.0",
    "4294967295": "255.255.255.255",
    "0x7f.1:8443": "127.0.0.1:8443",
  });
});

test("parseHost() refuses what looks like an IPv4 address and is none (trap 26)", () => {
  assertTable(parseHost, {
    "256.0.0.1": "TypeError",
    "1.2.3.4.5": "TypeError",
    "4294967296": "TypeError",
    "0x100000000": "TypeError",
    "09.1.1.1": "TypeError",
    "1.2.3.256": "TypeError",
    "example.1": "TypeError",
    "example.0x1": "TypeError",
    "1.2.3.4..": "TypeError",
    "1..2.3": "TypeError",
    "::ffff:127.1": "TypeError",
    "::ffff:0177.0.0.1": "TypeError",
    "::ffff:0x7f.0.0.1": "TypeError",
    "[127.0.0.1]": "TypeError",
  });
});

test("parseHost() refuses characters that no host name has (trap 26)", () => {
  const inside = [
    ..."/?#@\\%<>^|`{}\"[]*,;'()=+!$&~ \t\n\r\v\f\0\x7f",
    "\u2028",
    "\u00a0",
    "\u3000",
    "／",
    "＠",
    "％",
    "：",
    "？",
    "\u2488",
    "\ud800",
    "%2e",
    "%00",
    "%41",
  ];
  for (const characters of inside) {
    for (const text of [`a${characters}b.example`, `${characters}a.example`, `a${characters}`]) {
      assertEquals(outcome(parseHost, text), "TypeError", JSON.stringify(text));
    }
  }
});

test("parseHost() refuses user names, schemes, paths, and a colon too many", () => {
  assertTable(parseHost, {
    "user@example.com": "TypeError",
    "user:pass@example.com": "RangeError",
    "127.0.0.1@example.com": "TypeError",
    "https://example.com": "TypeError",
    "//example.com": "TypeError",
    "example.com/path": "TypeError",
    "example.com:443:443": "TypeError",
    "example.com::443": "TypeError",
    "http:example.com": "RangeError",
    "example.com:443/": "RangeError",
    "example.com:443@evil.example": "RangeError",
  });
});

test("parseHost() refuses empty and over-long labels and names, and takes the longest", () => {
  assertEquals(LONG_NAME.length, 253);
  assertTable(parseHost, {
    [LONG_NAME]: LONG_NAME,
    [`${LONG_NAME}.`]: LONG_NAME,
    [`${LONG_NAME}:8443`]: `${LONG_NAME}:8443`,
    [`${LONG_NAME}a`]: "TypeError",
    [`${LONG_LABEL}.example`]: `${LONG_LABEL}.example`,
    [`${LONG_LABEL}a.example`]: "TypeError",
    // 62 letters are more than 63 once they are in ASCII.
    [`${"ü".repeat(62)}.example`]: "TypeError",
    ".": "TypeError",
    "..": "TypeError",
    ".example": "TypeError",
    "a..example": "TypeError",
    "example..": "TypeError",
    "example。。": "TypeError",
    "\u00ad": "TypeError",
    "\u00ad.example": "TypeError",
    " ": "TypeError",
    " example.com": "TypeError",
    "example.com ": "TypeError",
  });
});

test("parseHost() takes invalid Punycode as its letters, or refuses it: Node 24 takes it", () => {
  for (const text of ["xn--", "xn--a", "xn--a.example"]) {
    const canonical = outcome(parseHost, text);
    assert(canonical === "TypeError" || canonical === text, canonical);
  }
});

test("parseHost() takes the names that are in use although no registry would sell them", () => {
  assertTable(parseHost, {
    localhost: "localhost",
    "LOCALHOST.": "localhost",
    "_dmarc.example": "_dmarc.example",
    "my_service": "my_service",
    "-a-.example": "-a-.example",
    "a--b.example": "a--b.example",
    "1e3": "1e3",
    "0b1": "0b1",
    "1.example": "1.example",
  });
});

test("parseAddress() takes one machine's spellings to one text (trap 26)", () => {
  assertTable(parseAddress, {
    "192.0.2.1": "192.0.2.1",
    "192.0.2.1:443": "192.0.2.1",
    "192.0.2.1:00443": "192.0.2.1",
    "192.0.2.1:8443": "192.0.2.1:8443",
    "::ffff:192.0.2.1": "192.0.2.1",
    "::FFFF:C000:0201": "192.0.2.1",
    "[::ffff:192.0.2.1]:8443": "192.0.2.1:8443",
    "::1": "::1",
    "[::1]": "::1",
    "[::1]:443": "::1",
    "[::1]:8443": "[::1]:8443",
    "0:0:0:0:0:0:0:1": "::1",
    "2001:DB8:0:0:0:0:0:1": "2001:db8::1",
    "2001:db8:0::0:1": "2001:db8::1",
    "[2001:0db8::0001]:8443": "[2001:db8::1]:8443",
    // RFC 5952 section 4.2: the longest run, the first of two, never a run of one.
    "1:0:0:2:0:0:0:3": "1:0:0:2::3",
    "0:0:1:0:0:2:3:4": "::1:0:0:2:3:4",
    "1:2:3:4:5:6:7::": "1:2:3:4:5:6:7:0",
    "::1:2:3:4:5:6:7": "0:1:2:3:4:5:6:7",
    "::": "::",
  });
});

test("parseAddress() keeps machines apart whose addresses only look alike (trap 26)", () => {
  assertTable(parseAddress, {
    // Not IPv4-mapped: the deprecated IPv4-compatible, the translated, and the NAT64 form.
    "::192.0.2.1": "::c000:201",
    "::c000:201": "::c000:201",
    "::ffff:0:192.0.2.1": "::ffff:0:c000:201",
    "64:ff9b::192.0.2.1": "64:ff9b::c000:201",
    "1:2:3:4:5:6:192.0.2.1": "1:2:3:4:5:6:c000:201",
  });
});

test("parseAddress() reads strictly: no octal, no hexadecimal, no short form, no zone id (trap 26)", () => {
  const refused = [
    "127.1",
    "0x7f.1",
    "0x7f.0.0.1",
    "0177.0.0.1",
    "010.0.0.1",
    "00.0.0.0",
    "2130706433",
    "127.0.0.1.",
    "127.0.0.1 ",
    " 127.0.0.1",
    "127.0.0.1\n",
    "127.0.0.1\0",
    "１２７.0.0.1",
    "256.0.0.1",
    "1.2.3",
    "1.2.3.4.5",
    "-1.2.3.4",
    "1.2.3.4/24",
    "::1/128",
    "fe80::1%eth0",
    "[fe80::1%1]:443",
    "[::1%25eth0]",
    "::ffff:010.0.0.1",
    "::ffff:0x7f.0.0.1",
    "::ffff:1.2.3",
    "::ffff:256.0.0.1",
    "::1.2.3.4:1",
    "1:2:3:4:5:6:7:1.2.3.4",
    "1:2:3:4:5:6:7",
    "1:2:3:4:5:6:7:8:9",
    "1:2:3:4::5:6:7:8",
    "1::2::3",
    ":::",
    ":1:2:3:4:5:6:7",
    "1:2:3:4:5:6:7:",
    "::10000",
    "::00001",
    "::g",
    "example.com",
    "localhost",
    "a",
    ".",
    ":",
    "::1]",
    "[",
    "[]",
    "[]:443",
    "[::1",
    "[::1]443",
    "[::1] :443",
    "[[::1]]",
    "[127.0.0.1]",
    "[127.0.0.1]:443",
    "user@127.0.0.1",
  ];
  // One colon and no brackets means a port, which is refused as such.
  const badPort = new Set([":"]);
  for (const text of refused) {
    const expected = badPort.has(text) ? "RangeError" : "TypeError";
    assertEquals(outcome(parseAddress, text), expected, JSON.stringify(text));
  }
});

test("parseAddress() and parseHost() take the ports 1 to 65535 in decimal digits, and no others", () => {
  const bad = ["0", "00000", "65536", "99999", "000443", "100000", "+1", "-1", "1.0", "1e3", "0x1"];
  const odd = ["", " ", " 443", "443 ", "443\n", "４４３", "٤٤٣", "a", "443a", "1_0"];
  for (const port of [...bad, ...odd]) {
    for (const name of ["192.0.2.1", "[::1]"]) {
      const text = `${name}:${port}`;
      assertEquals(outcome(parseAddress, text), "RangeError", JSON.stringify(text));
      assertEquals(outcome(parseHost, text), "RangeError", JSON.stringify(text));
    }
    const text = `example.com:${port}`;
    assertEquals(outcome(parseHost, text), "RangeError", JSON.stringify(text));
  }
  assertEquals(parseAddress("192.0.2.1:1").port, 1);
  assertEquals(parseAddress("[::1]:65535").text, "[::1]:65535");
  assertEquals(parseHost("example.com:65535").port, 65535);
});

test("parseAddress() gives the default port only to an address without one", () => {
  assertEquals(parseAddress("192.0.2.1", 8443).text, "192.0.2.1:8443");
  assertEquals(parseAddress("::1", 8443).text, "[::1]:8443");
  assertEquals(parseAddress("[::1]", 8443).text, "[::1]:8443");
  assertEquals(parseAddress("192.0.2.1:443", 8443).text, "192.0.2.1");
  for (const port of [0, 65536, 1.5, NaN, Infinity, -1]) {
    assertThrows(() => parseAddress("192.0.2.1", port), RangeError, "from 1 to 65535");
  }
});

test("parseAddress() tells the IP address, the port and the family apart", () => {
  assertEquals(parseAddress("[2001:DB8::1]:8443"), {
    text: "[2001:db8::1]:8443",
    ip: "2001:db8::1",
    port: 8443,
    family: 6,
  });
  assertEquals(parseAddress("::ffff:192.0.2.1"), {
    text: "192.0.2.1",
    ip: "192.0.2.1",
    port: 443,
    family: 4,
  });
});

test("parseHost() tells the name and the port apart, and a literal from a name", () => {
  assertEquals(parseHost("[2001:DB8::1]:8443"), {
    text: "[2001:db8::1]:8443",
    name: "2001:db8::1",
    port: 8443,
    isLiteral: true,
  });
  assertEquals(parseHost("Example.com:8443"), {
    text: "example.com:8443",
    name: "example.com",
    port: 8443,
    isLiteral: false,
  });
});

test("parseAddress() and parseHost() refuse what is no text, or an empty one", () => {
  for (const parse of [parseAddress, parseHost]) {
    assertThrows(() => parse(""), TypeError, "not empty");
    for (const value of [undefined, null, 443, {}, ["192.0.2.1"], new URL("https://a.example")]) {
      assertThrows(() => parse(value as unknown as string), TypeError, "must be a text");
    }
  }
});

test("an error of parseAddress() or parseHost() quotes the text, its line ends escaped", () => {
  for (const parse of [parseAddress, parseHost]) {
    const error = assertThrows(() => parse("bad\r\nname"), TypeError);
    assertStringIncludes(error.message, String.raw`"bad\r\nname"`);
  }
  assertStringIncludes(
    assertThrows(() => parseAddress("fe80::1%eth\n0"), TypeError, "zone id").message,
    String.raw`eth\n0`,
  );
});

test("ipOf() takes the port and the brackets off a canonical address", () => {
  const table = {
    "192.0.2.1": "192.0.2.1",
    "192.0.2.1:8443": "192.0.2.1",
    "::1": "::1",
    "2001:db8::1": "2001:db8::1",
    "[2001:db8::1]:8443": "2001:db8::1",
  };
  for (const [address, ip] of Object.entries(table)) assertEquals(ipOf(address), ip);
});

test("isIp() is true of an IP address in its usual form, without port, brackets or zone id", () => {
  for (const text of ["192.0.2.1", "::1", "2001:DB8::1", "::ffff:192.0.2.1"]) {
    assert(isIp(text), text);
  }
  const not = ["", "192.0.2.1:443", "[::1]", "fe80::1%1", "0x7f.1", "127.1", "010.0.0.1", "a", "%"];
  for (const text of not) assertFalse(isIp(text), text);
});

const octet = fc.nat(255);
const ipv4 = fc.tuple(octet, octet, octet, octet).map((octets) => octets.join("."));
/** Groups with many zeros among them, so that runs to be shortened are common. */
const group = fc.oneof(fc.constant(0), fc.nat(0xffff));
const groups = fc.array(group, { minLength: 8, maxLength: 8 });
const port = fc.integer({ min: 1, max: 65535 });

/** One of the many spellings of an IPv6 address: leading zeros, either case, shortened or not. */
function spell(parts: readonly number[], padded: boolean, upper: boolean, run: number): string {
  const texts = parts.map((part) => part.toString(16).padStart(padded ? 4 : 1, "0"));
  let end = run;
  while (parts[end] === 0) end++;
  const text = end > run
    ? `${texts.slice(0, run).join(":")}::${texts.slice(end).join(":")}`
    : texts.join(":");
  return upper ? text.toUpperCase() : text;
}

/** What the URL standard makes of an IPv6 address, an IPv4-mapped one as its IPv4 address. */
function byUrl(text: string): string {
  const ip = new URL(`https://[${text}]/`).hostname.slice(1, -1);
  const mapped = /^::ffff:([0-9a-f]+):([0-9a-f]+)$/.exec(ip);
  if (!mapped) return ip;
  const [high, low] = [Number(`0x${mapped[1]}`), Number(`0x${mapped[2]}`)];
  return [high >> 8, high & 255, low >> 8, low & 255].join(".");
}

test("any IPv4 address and port comes through parseAddress() and parseHost() unchanged", () => {
  fc.assert(fc.property(ipv4, port, (ip, port) => {
    const text = port === 443 ? ip : `${ip}:${port}`;
    assertEquals(parseAddress(`${ip}:${port}`), { text, ip, port, family: 4 });
    assertEquals(parseHost(`${ip}:${port}`), { text, name: ip, port, isLiteral: true });
    assertEquals(parseAddress(`::ffff:${ip}`, port).text, text);
    assertEquals(ipOf(text), ip);
  }));
});

test("every spelling of any IPv6 address comes to the text that the URL standard gives it", () => {
  fc.assert(
    fc.property(
      groups,
      fc.boolean(),
      fc.boolean(),
      fc.nat(7),
      port,
      (parts, padded, upper, run, port) => {
        const spelling = spell(parts, padded, upper, run);
        const ip = byUrl(spelling);
        const address = parseAddress(`[${spelling}]:${port}`);
        assertEquals(address.ip, ip, spelling);
        assertEquals(address.port, port);
        assertEquals(parseAddress(spelling).text, ip);
        assertEquals(parseHost(spelling).text, ip);
        assertEquals(parseAddress(address.text), address);
        assertEquals(parseHost(address.text).text, address.text);
        assertEquals(ipOf(address.text), ip);
      },
    ),
    { numRuns: 500 },
  );
});

test("parseAddress() takes exactly what the system takes for an IP address", () => {
  const piece = fc.constantFrom(
    ..."0,1,7f,ffff,10000,00,010,0x1,127,255,256,.,.,.,:,:,::,::ffff:,%,g, ,-".split(","),
  );
  const text = fc.array(piece, { minLength: 1, maxLength: 12 }).map((pieces) => pieces.join(""));
  const nearMiss = fc.oneof(
    text,
    text.map((text) => `::${text}`),
    fc.tuple(ipv4, text).map(String),
  );
  fc.assert(
    fc.property(nearMiss, (text) => {
      const valid = isIPv4(text) || (isIPv6(text) && !text.includes("%"));
      assertEquals(isIp(text), valid, text);
      // In brackets, nothing in it can be a port.
      if (text.includes(":")) {
        const expected = isIPv6(text) && !text.includes("%");
        assertEquals(outcome(parseAddress, `[${text}]`) !== "TypeError", expected, text);
      }
    }),
    { numRuns: 3_000 },
  );
});

test("what parseHost() and parseAddress() give is read again as itself, whatever they were given", () => {
  const character = fc.oneof(
    fc.constantFrom(..."abcXYZ019.-_:[]%@/ \t\u00ad\ufeff。．ßüKｅ１٣א\ud800"),
    fc.string({ unit: "grapheme", minLength: 1, maxLength: 1 }),
  );
  const text = fc.array(character, { maxLength: 12 }).map((characters) => characters.join(""));
  let read = 0;
  fc.assert(
    fc.property(text, (text) => {
      for (const parse of [parseHost, parseAddress]) {
        let first: Host | Address;
        try {
          first = parse(text);
        } catch (error) {
          assert(error instanceof TypeError || error instanceof RangeError, String(error));
          continue;
        }
        read++;
        assertEquals<Host | Address>(parse(first.text), first);
        assert(/^[a-z0-9._:[\]-]+$/.test(first.text), first.text);
      }
    }),
    { numRuns: 3_000 },
  );
  assert(read > 100, `only ${read} of them were hosts or addresses`);
});
