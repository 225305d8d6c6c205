/**
 * Ranges of IP addresses, and the IPv6 addresses that lead to an IPv4 address.
 *
 * @module
 */

import ipaddr from "ipaddr.js";
import { readIp } from "../core/address.ts";
import { quote } from "../core/check.ts";

/** A parsed IP address. */
export type Ip = ipaddr.IPv4 | ipaddr.IPv6;

/** The addresses whose first `bits` bits are those of `base`. */
export interface IpRange {
  /** The canonical text: `10.0.0.0/8`, or `192.0.2.1` for one address. */
  readonly text: string;
  readonly base: Ip;
  readonly bits: number;
}

/**
 * Reads an IP address, or a range in CIDR notation. Bits set beyond the prefix are refused: of
 * `10.1.2.3/8` nobody can tell whether one address is meant or 16,777,216, and to guess wrong is
 * to allow, or deny, the wrong ones.
 *
 * @param what Whose range it is, for the error: `deny`
 * @throws {TypeError} The text is neither; or it has a prefix that its address cannot have
 */
export function readRange(what: string, text: unknown): IpRange {
  const quoted = quote(text);
  const [name = "", prefix, ...more] = typeof text === "string" ? text.split("/") : [];
  const ip = readIp(name);
  if (!ip || more.length > 0) {
    throw new TypeError(
      `${what} must hold IP addresses and CIDR ranges, such as 192.0.2.1, 10.0.0.0/8 or 2001:db8::/32, got ${quoted}`,
    );
  }
  const isMapped = ip.kind() === "ipv4" && name.includes(":");
  const [least, most] = isMapped ? [96, 128] : [0, ip.kind() === "ipv4" ? 32 : 128];
  const written = prefix === undefined ? most : readPrefix(prefix);
  if (!(written >= least && written <= most)) {
    const kind = isMapped ? "an IPv4-mapped" : ip.kind() === "ipv4" ? "an IPv4" : "an IPv6";
    throw new TypeError(
      `${what} holds ${quoted}, but the prefix of ${kind} range is a whole number from ${least} to ${most}`,
    );
  }
  const bits = written - least;
  const base = networkOf(ip, bits);
  const range = prefix === undefined || written === most ? `${base}` : `${base}/${bits}`;
  if (`${base}` !== `${ip}`) {
    throw new TypeError(
      `${what} holds ${quoted}, which has bits set beyond its prefix: write ${range} for the range, ${ip} for the one address`,
    );
  }
  return { text: range, base, bits };
}

/** Whether an address is in a range. */
export function isInRange(ip: Ip, { base, bits }: IpRange): boolean {
  return ip.kind() === base.kind() && ip.match(base, bits);
}

function readPrefix(text: string): number {
  return /^(0|[1-9][0-9]{0,2})$/.test(text) ? Number(text) : NaN;
}

function networkOf(ip: Ip, bits: number): Ip {
  return ip.kind() === "ipv4"
    ? ipaddr.IPv4.networkAddressFromCIDR(`${ip}/${bits}`)
    : ipaddr.IPv6.networkAddressFromCIDR(`${ip}/${bits}`);
}

/** How an IPv6 address leads to an IPv4 address. */
export type EmbeddedForm =
  | "NAT64"
  | "local NAT64"
  | "6to4"
  | "Teredo"
  | "IPv4-compatible"
  | "IPv4-translated";

/** The IPv4 address that an IPv6 address leads to. */
export interface EmbeddedIpv4 {
  readonly form: EmbeddedForm;
  readonly ip: ipaddr.IPv4;
}

/**
 * The IPv4 address that an IPv6 address leads to, if its form says so: NAT64 (RFC 6052, RFC 8215
 * with 96 bits), 6to4 (RFC 3056), Teredo's client (RFC 4380), IPv4-compatible (RFC 4291, section
 * 2.5.5.1) and IPv4-translated (RFC 2765, section 2.1). A NAT64 under a prefix of a network's own
 * cannot be told from any other address.
 */
export function embeddedIpv4(ip: Ip): EmbeddedIpv4 | undefined {
  if (!("parts" in ip)) return undefined;
  const [a, b, c = 0, d = 0, e = 0, f = 0, g = 0, h = 0] = ip.parts;
  if (a === 0x2002) return embedded("6to4", b ?? 0, c);
  if (a === 0x2001 && b === 0) return embedded("Teredo", g ^ 0xffff, h ^ 0xffff);
  if (a === 0x64 && b === 0xff9b) {
    if (c === 1) return embedded("local NAT64", g, h);
    return c + d + e + f === 0 ? embedded("NAT64", g, h) : undefined;
  }
  if (a !== 0 || b !== 0 || c !== 0 || d !== 0 || f !== 0) return undefined;
  if (e === 0xffff) return embedded("IPv4-translated", g, h);
  // The unspecified address and loopback embed no other address.
  return e === 0 && (g > 0 || h > 1) ? embedded("IPv4-compatible", g, h) : undefined;
}

function embedded(form: EmbeddedForm, high: number, low: number): EmbeddedIpv4 {
  return { form, ip: new ipaddr.IPv4([high >> 8, high & 255, low >> 8, low & 255]) };
}
