/**
 * The target `address`: hosts, addresses and access rules, as they come from whoever gives a URL.
 *
 * @module
 */

import { isIPv4, isIPv6 } from "node:net";
import { type Host, parseAddress, parseHost } from "../../src/core/address.ts";
import { AccessList } from "../../src/hosts/access.ts";
import { readTarget } from "../../src/http/request.ts";
import type { Random } from "../support/random.ts";
import { bitsOf, isPrivate } from "./address_reference.ts";
import { attempt, type FuzzTarget, hold } from "./fuzzer.ts";

const PRIVATE = new AccessList({ denyPrivate: true });

const IPS = [
  "127.0.0.1",
  "10.1.2.3",
  "169.254.169.254",
  "192.168.0.1",
  "100.64.0.1",
  "0.0.0.0",
  "8.8.8.8",
  "93.184.216.34",
  "224.0.0.1",
  "192.0.2.1",
];

/** What texts of hosts, addresses and rules must hold to. */
export const address: FuzzTarget = {
  name: "address",
  corpus: [
    ...IPS,
    "example.com",
    "Bücher.Example.:8443",
    "xn--bcher-kva.example",
    "[2001:db8::1]:8443",
    "2001:db8::1",
    "::1",
    "[::]",
    "::ffff:127.0.0.1",
    "::ffff:7f00:1",
    "64:ff9b::10.0.0.1",
    "2002:7f00:1::",
    "2001::80ff:fffe",
    "::127.0.0.1",
    "fe80::1%eth0",
    "0x7f.1",
    "017700000001",
    "2130706433",
    "127.1",
    "１２７。0.0.1",
    "ⓛocalhost",
    "10.0.0.0/8",
    "2001:db8::/32",
    "::ffff:10.0.0.0/104",
    "user:password@127.0.0.1",
    "a.test#@127.0.0.1",
    "a.test\\@127.0.0.1",
  ],
  tokens: [
    ...IPS,
    "0x",
    "0X7f",
    "00",
    "0177",
    "::",
    "::ffff:",
    "::ffff:0:",
    "64:ff9b::",
    "64:ff9b:1::",
    "2002:",
    "2001::",
    "fe80::",
    "fc00::",
    "ff02::1",
    "%25eth0",
    "%",
    "%2e",
    "[",
    "]",
    ":443",
    ":0443",
    ":80",
    ".",
    "..",
    "。",
    "．",
    "｡",
    "１２７",
    "①",
    "ª",
    "\u00ad",
    "\u200d",
    "\u200b",
    "\u202e",
    "ß",
    "İ",
    "K",
    "xn--",
    "xn--a",
    "localhost",
    "/8",
    "/32",
    "/128",
    "@",
    "#",
    "?",
    "\\",
    "\t",
    "\n",
    "\0",
    " ",
    "_",
    "-",
    "*",
    "\ud800",
  ],
  separators: [".", ":", "::", "/", "。"],
  maxLength: 300,
  generate,
  check(text) {
    const host = attempt(() => parseHost(text), TypeError, RangeError);
    const rule = checkRule(text);
    checkUrl(text);
    const own = checkAddress(text, host);
    if (!host) return `refused ${rule} ${own}`;
    checkHost(text, host);
    const denied = host.isLiteral ? PRIVATE.deniedBy(host.name) ?? "public" : "name";
    return [denied, rule, own, host.port === 443, text.length >> 4, /[^\0-\x7f]/.test(text)].join();
  },
};

/** An IP address, in one of the ways in which it can be written. */
function generate(random: Random): string {
  const octets = random.pick(IPS).split(".").map(Number);
  if (random.chance(0.5)) octets[random.below(4)] = random.below(256);
  const [a = 0, b = 0, c = 0, d = 0] = octets;
  const hex = (high: number, low: number) => (high << 8 | low).toString(16);
  const dotted = octets.join(".");
  const pair = `${hex(a, b)}:${hex(c, d)}`;
  const number = (value: number) =>
    random.pick([`${value}`, `0${value.toString(8)}`, `0x${value.toString(16)}`, `00${value}`]);
  const rest = (b * 256 + c) * 256 + d;
  return random.pick([
    dotted,
    octets.map(number).join("."),
    `${number(a)}.${number(rest)}`,
    `${number(a)}.${number(b)}.${number(c * 256 + d)}`,
    number(a * 2 ** 24 + rest),
    `[::ffff:${random.pick([dotted, pair])}]`,
    `[64:ff9b::${random.pick([dotted, pair])}]`,
    `[64:ff9b:1::${pair}]`,
    `[2002:${pair}::1]`,
    `[2001::${hex(a ^ 255, b ^ 255)}:${hex(c ^ 255, d ^ 255)}]`,
    `[::${random.pick([dotted, pair])}]`,
    `[::ffff:0:${pair}]`,
    `${random.pick(["fe80", "fc00", "2001:db8", "2606:4700", "ff02"])}::${hex(c, d)}`,
  ]) + random.pick(["", "", ".", ":443", ":8443"]);
}

function checkHost(text: string, host: Host): void {
  const { isLiteral, name, port } = host;
  hold(Number.isInteger(port) && port >= 1 && port <= 65_535, "Another port", text, host);
  // What was read and written once stays what it is.
  hold(JSON.stringify(parseHost(host.text)) === JSON.stringify(host), "Changes", text, host);
  const isIp = isIPv4(name) || isIPv6(name);
  hold(isLiteral === isIp, "A literal, or none", text, host);
  if (isLiteral) {
    const { ip, text: again } = parseAddress(host.text);
    hold(ip === name && again === host.text, "Another address", text, host);
    checkPrivate(text, name);
    return;
  }
  hold(/^[a-z0-9_-]+(\.[a-z0-9_-]+)*$/.test(name), "No host name", text, host);
  // What resolvers would read as a number, in one of C's forms, must not go to one.
  const last = name.slice(name.lastIndexOf(".") + 1);
  hold(!/^(0x[0-9a-f]*|[0-9]+)$/.test(last), "A number that goes to a resolver", text, host);
  hold(host.text === (port === 443 ? name : `${name}:${port}`), "Another text", text, host);
}

/** Nothing that a table of ranges and arithmetic call private passes. */
function checkPrivate(text: string, ip: string): void {
  const denied = PRIVATE.deniedBy(ip);
  hold(isPrivate(ip) === (denied !== undefined), "Private, or public", text, ip, denied);
}

function checkAddress(text: string, host: Host | undefined): string {
  const address = attempt(() => parseAddress(text), TypeError, RangeError);
  if (!address) return "none";
  hold(host?.isLiteral === true && host.text === address.text, "Another host", text, address);
  hold(JSON.stringify(parseAddress(address.text)) === JSON.stringify(address), "Changes", address);
  const { family, ip, port } = address;
  hold(family === 4 ? isIPv4(ip) : isIPv6(ip), "Another family", text, address);
  const elsewhere = parseAddress(ip, port === 8443 ? 443 : 8443);
  hold(elsewhere.ip === ip && elsewhere.text !== address.text, "Ports", address, elsewhere);
  hold(parseAddress(elsewhere.text).ip === ip, "Another machine", elsewhere);
  return `${family}`;
}

/** A rule denies, or allows, what it says; and is read back as it is told. */
function checkRule(text: string): string {
  const deny = attempt(() => new AccessList({ deny: [text] }), TypeError);
  if (!deny) return "none";
  const [rule = ""] = deny.rules.deny ?? [];
  const again = new AccessList(deny.rules).rules;
  hold(JSON.stringify(again) === JSON.stringify(deny.rules), "A rule changes", text, again);
  const [base = ""] = rule.split("/");
  hold(deny.deniedBy(base) === `deny ${rule}`, "Not denied", text, rule);
  hold(new AccessList({ allow: [text] }).deniedBy(base) === undefined, "Not allowed", text, rule);
  return `rule ${rule.includes("/")}`;
}

/** Wherever a URL leads by the runtime's own reading, the pool sees the same machine there. */
function checkUrl(text: string): void {
  const target = attempt(() => readTarget(`https://${text}/`), TypeError);
  if (!target) return;
  hold(!/[\r\n\0 ]/.test(target.path + target.hostHeader), "Breaks out", text, target);
  const { hostname } = new URL(`https://${text}/`);
  const ip = hostname.replace(/^\[|\]$/g, "");
  const host = attempt(() => parseHost(target.host), TypeError, RangeError);
  if (!isIPv4(ip) && !isIPv6(ip)) {
    hold(!host?.isLiteral, "A machine where the URL has a name", text, target.host);
    return;
  }
  if (!host) return;
  hold(host.isLiteral, "A name where the URL has a machine", text, target.host);
  hold(bitsOf(host.name) === bitsOf(ip), "Another machine", text, target.host);
  checkPrivate(text, host.name);
}
