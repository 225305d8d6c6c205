/**
 * Hosts and addresses, each in one canonical spelling: the keys of both maps.
 *
 * Host names follow the URL standard (IDNA, percent signs refused, numeric forms such as `0x7f.1`
 * read as the IPv4 address they mean); addresses are read strictly. An IPv4-mapped IPv6 address is
 * its IPv4 address, since it is the same machine.
 *
 * @module
 */

import ipaddr from "ipaddr.js";
import { describe, quote } from "./check.ts";

/** The port that is left out of a host's and an address's text. */
export const DEFAULT_PORT = 443;

/** The prefix of a host whose machines are listed by SRV records. */
const SRV_PREFIX = "srv:";

const MAY_BE_IPV4 = /^[\d.]+$/;

/** The largest weight that an address may have, beside the others of its host. */
export const MAX_WEIGHT = 1_000_000;

/** One IP address and TCP port: one machine. */
export interface Address {
  /** The canonical text: `192.0.2.1`, `192.0.2.1:8443`, `2001:db8::1`, `[2001:db8::1]:8443`. */
  readonly text: string;
  /** The IP address alone, without brackets. */
  readonly ip: string;
  /** The TCP port. */
  readonly port: number;
  /** The IP version. */
  readonly family: 4 | 6;
}

/** Who is asked: a host name or an address literal, and a TCP port. */
export interface Host {
  /** The canonical text: `example.com`, `example.com:8443`, or as an {@linkcode Address}. */
  readonly text: string;
  /** The name or IP address alone, without port or brackets. */
  readonly name: string;
  /** The TCP port. */
  readonly port: number;
  /** Whether the name is an address literal, which no resolver is asked for. */
  readonly isLiteral: boolean;
  /**
   * The name of the SRV records that list its machines, for a text such as `srv:_api._tcp.example`.
   */
  readonly srv?: string;
}

/**
 * Reads an address: an IP address with or without a port.
 *
 * @param text Such as `192.0.2.1`, `192.0.2.1:8443`, `2001:db8::1` or `[2001:db8::1]:8443`
 * @param defaultPort The port where the text has none
 * @throws {TypeError} The text is no IP address in its usual form, or has a zone id
 * @throws {RangeError} The port is not in 1 to 65535
 *
 * @example
 * ```ts
 * import { parseAddress } from "@hotconn/hotconn";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(parseAddress("[2001:DB8:0::1]:443").text, "2001:db8::1");
 * assertEquals(parseAddress("::ffff:192.0.2.1", 8443).text, "192.0.2.1:8443");
 * ```
 */
export function parseAddress(text: string, defaultPort: number = DEFAULT_PORT): Address {
  requireText("address", text);
  const { name, port } = split("address", text);
  const quoted = quote(text);
  if (name.includes("%")) {
    throw new TypeError(`Address ${quoted} has a zone id, which names a machine only on one link`);
  }
  const ip = readIp(name);
  if (ip === undefined) {
    throw new TypeError(
      `Address ${quoted} is not an IP address: write 192.0.2.1, 192.0.2.1:8443, 2001:db8::1 or [2001:db8::1]:8443`,
    );
  }
  return makeAddress(ip, port ?? checkPort("address", text, defaultPort));
}

/**
 * Reads a host: a host name or an address literal, with or without a port; or `srv:` and the name of
 * SRV records, whose host is that name without the labels that begin with an underscore.
 *
 * @param text Such as `example.com`, `Bücher.example:8443`, `192.0.2.1`, `[2001:db8::1]:8443` or
 * `srv:_api._tcp.example`
 * @throws {TypeError} The text is neither a host name nor an IP address
 * @throws {RangeError} The port is not in 1 to 65535
 *
 * @example
 * ```ts
 * import { parseHost } from "@hotconn/hotconn";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(parseHost("Bücher.Example.:443").text, "xn--bcher-kva.example");
 * assertEquals(parseHost("0x7f.1").text, "127.0.0.1");
 * ```
 */
export function parseHost(text: string): Host {
  requireText("host", text);
  if (text.startsWith(SRV_PREFIX)) return parseService(text);
  const { name, port = DEFAULT_PORT } = split("host", text);
  const strict = readIp(name);
  const canonical = strict ? name : canonicalName(text, name);
  const ip = strict ?? readIp(canonical);
  if (ip !== undefined) {
    const address = makeAddress(ip, port);
    return { text: address.text, name: address.ip, port, isLiteral: true };
  }
  const hostText = port === DEFAULT_PORT ? canonical : `${canonical}:${port}`;
  return { text: hostText, name: canonical, port, isLiteral: false };
}

function parseService(text: string): Host {
  const { isLiteral, name: srv, port } = parseHost(text.slice(SRV_PREFIX.length));
  const name = srv.replace(/^(?:_[^.]*\.)+/, "");
  if (isLiteral || port !== DEFAULT_PORT || name.startsWith("_")) {
    throw new TypeError(
      `Host ${quote(text)} names no SRV records: write srv:_api._tcp.example, without a port`,
    );
  }
  return { text: SRV_PREFIX + srv, name, port, isLiteral: false, srv };
}

/** The IP address of an address in canonical text, without port and brackets. */
export function ipOf(address: string): string {
  if (address.startsWith("[")) return address.slice(1, address.indexOf("]"));
  const colon = address.indexOf(":");
  return colon < 0 || address.includes(":", colon + 1) ? address : address.slice(0, colon);
}

/** An IP address with its port: `192.0.2.1:443`, `[2001:db8::1]:443`. */
export function ipPort(ip: string, port: number): string {
  // A joined text takes less memory than a concatenated one, and there may be many.
  return [ip.includes(":") ? `[${ip}]` : ip, port].join(":");
}

/**
 * What a text names: an IP address with any port, or an address with its port, including 443, which
 * the canonical text leaves out.
 *
 * @throws {TypeError | RangeError} It is not an address
 */
export function addressKey(text: string): string {
  const { ip, port } = parseAddress(text);
  return split("address", text).port === undefined ? ip : ipPort(ip, port);
}

/** An address's canonical text, with its port even where that is 443. */
export function withItsPort(text: string, ip: string): string {
  return text === ip ? ipPort(ip, DEFAULT_PORT) : text;
}

/** Whether a text is an IP address without a port, in its usual form. */
export function isIp(text: string): boolean {
  return readIp(text) !== undefined;
}

/** The text of a parsed IP address and a port, as both maps spell it. */
function makeAddress(ip: ipaddr.IPv4 | ipaddr.IPv6, port: number): Address {
  const isV4 = ip.kind() === "ipv4";
  const bare = isV4 ? ip.toString() : (ip as ipaddr.IPv6).toRFC5952String();
  return {
    text: port === DEFAULT_PORT ? bare : ipPort(bare, port),
    ip: bare,
    port,
    family: isV4 ? 4 : 6,
  };
}

/**
 * Reads an IP address without port or brackets, in its usual form only: no octal, hexadecimal or
 * short IPv4, no zone id. An IPv4-mapped address is its IPv4 address.
 */
export function readIp(text: string): ipaddr.IPv4 | ipaddr.IPv6 | undefined {
  // The library throws and catches an error for anything else, which is slow.
  if (MAY_BE_IPV4.test(text) && ipaddr.IPv4.isValidFourPartDecimal(text)) {
    return ipaddr.IPv4.parse(text);
  }
  const plain = withoutDots(text);
  if (plain === undefined || plain.includes("%") || !ipaddr.IPv6.isValid(plain)) return undefined;
  const ip = ipaddr.IPv6.parse(plain);
  return ip.isIPv4MappedAddress() ? ip.toIPv4Address() : ip;
}

/**
 * An IPv6 address that ends as IPv4, with that end in hexadecimal. The library would read octal
 * there as decimal, and take `::192.0.2.1` for `::ffff:192.0.2.1`, which is another machine.
 */
function withoutDots(text: string): string | undefined {
  if (!text.includes(".")) return text;
  const start = text.lastIndexOf(":") + 1;
  const end = text.slice(start);
  if (start === 0 || !ipaddr.IPv4.isValidFourPartDecimal(end)) return undefined;
  const [a = 0, b = 0, c = 0, d = 0] = ipaddr.IPv4.parse(end).octets;
  return `${text.slice(0, start)}${(a << 8 | b).toString(16)}:${(c << 8 | d).toString(16)}`;
}

/**
 * Characters that a URL's authority may have but a host may not, or that the URL parser would drop.
 */
// deno-lint-ignore no-control-regex
const NOT_IN_A_NAME = /[\x00-\x20\x7f/?#@\\%<>^|`{}"[\]:]/;

/** One label of a host name. The URL standard lets `*`, `,`, `;` and the like pass. */
const LABEL = /^[a-z0-9_-]{1,63}$/;

/** IDNA, lower case and the numeric forms of IPv4, by the URL standard; and no dot at the end. */
function canonicalName(text: string, name: string): string {
  let canonical = "";
  if (!NOT_IN_A_NAME.test(name)) {
    try {
      canonical = new URL(`https://${name}/`).hostname.replace(/\.$/, "");
    } catch {
      // Said below.
    }
  }
  if (canonical.length > 253 || !canonical.split(".").every((label) => LABEL.test(label))) {
    throw new TypeError(`Host ${quote(text)} is neither a host name nor an IP address`);
  }
  return canonical;
}

function split(what: string, text: string): { name: string; port?: number } {
  if (text.includes("://")) {
    throw new TypeError(
      `The ${what} ${
        quote(text)
      } is a URL: write it without scheme and path, as in api.example:8443`,
    );
  }
  if (text.startsWith("[")) {
    const end = text.indexOf("]");
    const rest = text.slice(end + 1);
    const name = text.slice(1, end);
    if (end < 0 || (rest !== "" && !rest.startsWith(":")) || !name.includes(":")) {
      throw new TypeError(
        `The ${what} ${quote(text)} has brackets that hold no IPv6 address`,
      );
    }
    return rest === "" ? { name } : { name, port: readPort(what, text, rest.slice(1)) };
  }
  const colon = text.indexOf(":");
  if (colon < 0 || text.includes(":", colon + 1)) return { name: text };
  return { name: text.slice(0, colon), port: readPort(what, text, text.slice(colon + 1)) };
}

function readPort(what: string, text: string, digits: string): number {
  return checkPort(what, text, /^[0-9]{1,5}$/.test(digits) ? Number(digits) : NaN);
}

function checkPort(what: string, text: string, port: number): number {
  if (Number.isInteger(port) && port >= 1 && port <= 65535) return port;
  throw new RangeError(
    `The ${what} ${quote(text)} has no valid port: a whole number from 1 to 65535`,
  );
}

function requireText(what: string, text: unknown): void {
  if (typeof text === "string" && text !== "") return;
  throw new TypeError(
    `The ${what} must be a text that is not empty, got ${text === "" ? "\"\"" : describe(text)}`,
  );
}
