import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import test from "node:test";
import { parseHost } from "../../src/core/address.ts";
import { AccessList } from "../../src/hosts/access.ts";

/** An IP address or a range, as a number: what the library is held against. */
interface Bits {
  readonly value: bigint;
  readonly bits: number;
}

const SIZE = { 4: 32, 6: 128 } as const;
type Family = keyof typeof SIZE;

function isWithin(value: bigint, range: Bits, family: Family): boolean {
  const shift = BigInt(SIZE[family] - range.bits);
  return value >> shift === range.value >> shift;
}

function textOf(value: bigint, family: Family): string {
  const [parts, width, radix, dot] = family === 4 ? [4, 8n, 10, "."] : [8, 16n, 16, ":"];
  const mask = (1n << width) - 1n;
  return Array.from({ length: parts }, (_, i) => {
    return ((value >> (width * BigInt(parts - 1 - i))) & mask).toString(radix);
  }).join(dot);
}

const octets = (a: number, b = 0, c = 0): bigint => BigInt(((a * 256 + b) * 256 + c) * 256);

const PRIVATE: readonly Bits[] = [
  { value: octets(0), bits: 8 },
  { value: octets(10), bits: 8 },
  { value: octets(100, 64), bits: 10 },
  { value: octets(127), bits: 8 },
  { value: octets(169, 254), bits: 16 },
  { value: octets(172, 16), bits: 12 },
  { value: octets(192), bits: 24 },
  { value: octets(192, 0, 2), bits: 24 },
  { value: octets(192, 88, 99), bits: 24 },
  { value: octets(192, 168), bits: 16 },
  { value: octets(198, 18), bits: 15 },
  { value: octets(198, 51, 100), bits: 24 },
  { value: octets(203, 0, 113), bits: 24 },
  { value: octets(224), bits: 3 },
];

const anyIpv4 = fc.nat(0xffffffff).map(BigInt);
const privateIpv4 = fc.tuple(fc.constantFrom(...PRIVATE), anyIpv4).map(([range, random]) => {
  return range.value | (random & ((1n << BigInt(32 - range.bits)) - 1n));
});
const publicIpv4 = anyIpv4.filter((ip) => !PRIVATE.some((range) => isWithin(ip, range, 4)));

/** One number of an IPv4 address: decimal, octal or hexadecimal, with zeros before it. */
function spellNumber(value: bigint, radix: number, zeros: number): string {
  if (radix === 10) return `${value}`;
  const prefix = radix === 8 ? "0" : zeros % 2 ? "0x" : "0X";
  return `${prefix}${"0".repeat(zeros)}${value.toString(radix)}`;
}

/** An IPv4 address in one to four numbers, the last of which takes the place of those left out. */
function spellIpv4(ip: bigint, radices: readonly number[], count: number, zeros: number): string {
  const numbers: bigint[] = [];
  for (let i = 0; i < count - 1; i++) numbers.push((ip >> BigInt(24 - 8 * i)) & 255n);
  numbers.push(ip & ((1n << BigInt(40 - 8 * count)) - 1n));
  return numbers.map((value, i) => spellNumber(value, radices[i] ?? 10, zeros)).join(".");
}

const radix = fc.constantFrom(8, 10, 16);
const looks = fc.record({
  radices: fc.array(radix, { minLength: 4, maxLength: 4 }),
  count: fc.integer({ min: 1, max: 4 }),
  zeros: fc.nat(5),
  dot: fc.constantFrom(".", "．", "。", "｡"),
  isWide: fc.boolean(),
  isUpper: fc.boolean(),
  end: fc.constantFrom("", ".", "。"),
  port: fc.constantFrom("", ":443", ":8443"),
});

/** As IPv4, in the spellings that the URL standard reads. */
const spelt = looks.map(({ radices, count, zeros, dot, isWide, isUpper, end, port }) => {
  return (ip: bigint): string => {
    let text = spellIpv4(ip, radices, count, zeros);
    if (isUpper) text = text.toUpperCase();
    if (isWide) {
      text = text.replace(/[0-9a-z]/gi, (c) => String.fromCharCode(c.charCodeAt(0) + 0xfee0));
    }
    return `${text.replaceAll(".", dot)}${end}${port}`;
  };
});

/** As IPv6, whose first bits say that the IPv4 address stands in it. */
const form = (high: bigint, shift: bigint, low = 0n) => (ip: bigint): string =>
  `[${textOf(high | (ip << shift) | low, 6)}]`;
const mapped = form(0xffffn << 32n, 0n);
const nat64 = form(0x64ff9bn << 96n, 0n);
const sixToFour = form(0x2002n << 112n, 80n, 1n);
const translated = form(0xffff0000n << 32n, 0n);
const dotted = (ip: bigint): string => `[::FFFF:${textOf(ip, 4)}]:8443`;
const teredo = (ip: bigint): string => `[${textOf((0x20010000n << 96n) | (ip ^ 0xffffffffn), 6)}]`;
const asPublic = fc.oneof(spelt, fc.constantFrom(mapped, dotted, nat64, sixToFour));
const anyForm = fc.oneof(asPublic, fc.constantFrom(form(0n, 0n), translated, teredo));

function deniedBy(list: AccessList, text: string): string | undefined {
  const { isLiteral, name } = parseHost(text);
  assert(isLiteral, text);
  return list.deniedBy(name);
}

test("denyPrivate denies any private IPv4 address, whatever its spelling or form", () => {
  const list = new AccessList({ denyPrivate: true });
  fc.assert(
    fc.property(privateIpv4, anyForm, (ip, spell) => {
      assert(deniedBy(list, spell(ip))?.startsWith("denyPrivate ("), spell(ip));
    }),
    { numRuns: 3_000 },
  );
});

test("denyPrivate lets any public IPv4 address pass, whatever its spelling", () => {
  const list = new AccessList({ denyPrivate: true });
  fc.assert(
    fc.property(publicIpv4, asPublic, (ip, spell) => {
      assertEquals(deniedBy(list, spell(ip)), undefined, spell(ip));
    }),
    { numRuns: 3_000 },
  );
});

/** A range, and an address that has some of its first bits. */
const rangeAndIp = fc.constantFrom<Family>(4, 6).chain((family) => {
  const size = SIZE[family];
  const any = fc.bigInt({ min: 0n, max: (1n << BigInt(size)) - 1n });
  return fc.record({
    family: fc.constant(family),
    any,
    other: any,
    bits: fc.nat(size),
    common: fc.nat(size),
  });
}).map(({ family, any, other, bits, common }) => {
  const rest = BigInt(SIZE[family] - bits);
  // Global unicast, so that no IPv6 address is IPv4-mapped.
  const start = family === 6 && bits > 0 ? (any >> 3n) | (1n << 125n) : any;
  const range: Bits = { value: (start >> rest) << rest, bits };
  const shift = BigInt(SIZE[family] - common);
  const ip = ((start >> shift) << shift) | (other & ((1n << shift) - 1n));
  const isGlobal = family === 4 || ip >> 125n === 1n;
  return { family, range, ip: isGlobal ? ip : (ip >> 3n) | (1n << 125n) };
});

test("deny and allow agree with arithmetic on any range and address", () => {
  let within = 0;
  let without = 0;
  fc.assert(
    fc.property(rangeAndIp, ({ family, range, ip }) => {
      const rule = `${textOf(range.value, family)}/${range.bits}`;
      const isIn = isWithin(ip, range, family);
      const text = textOf(ip, family);
      if (isIn) within++;
      else without++;
      const deny = new AccessList({ deny: [rule] });
      assertEquals(deny.deniedBy(text), isIn ? `deny ${deny.rules.deny?.[0]}` : undefined);
      const allow = new AccessList({ allow: [rule] });
      assertEquals(allow.deniedBy(text), isIn ? undefined : "not in allow");
    }),
    { numRuns: 3_000 },
  );
  assert(Math.min(within, without) > 300, `${within} within, ${without} without`);
});

test("a deny rule for any IPv4 range denies every form that leads into it, an allow rule none", () => {
  fc.assert(
    fc.property(anyIpv4, fc.nat(32), anyIpv4, fc.boolean(), (any, bits, other, isIn) => {
      const rest = BigInt(32 - bits);
      const range: Bits = { value: (any >> rest) << rest, bits };
      const ip = isIn ? range.value | (other & ((1n << rest) - 1n)) : other;
      const rules = [`${textOf(range.value, 4)}/${bits}`];
      const deny = new AccessList({ deny: rules });
      const allow = new AccessList({ allow: rules });
      const expected = isWithin(ip, range, 4) ? `deny ${deny.rules.deny?.[0]}` : undefined;
      for (const spell of [nat64, sixToFour, translated, teredo]) {
        assertEquals(deniedBy(deny, spell(ip)), expected, spell(ip));
        assertEquals(deniedBy(allow, spell(ip)), "not in allow", spell(ip));
      }
      assertEquals(deniedBy(deny, mapped(ip)), expected);
      assertEquals(deniedBy(allow, mapped(ip)), expected ? undefined : "not in allow");
    }),
    { numRuns: 1_000 },
  );
});
