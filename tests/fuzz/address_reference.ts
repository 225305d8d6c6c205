/**
 * What is private, once more: by arithmetic on the bits of an address, and a list of ranges that
 * was written down apart from the one that is tested.
 *
 * @module
 */

/** The bits of an IP address, an IPv4 address as IPv4-mapped. */
export function bitsOf(ip: string): bigint {
  if (!ip.includes(":")) return 0xffffn << 32n | ipv4Of(ip);
  const plain = ip.replace(/[0-9]+\.[0-9]+\.[0-9]+\.[0-9]+$/, (dotted) => {
    const bits = ipv4Of(dotted);
    return `${(bits >> 16n).toString(16)}:${(bits & 0xffffn).toString(16)}`;
  });
  const [before = "", after] = plain.split("::");
  const head = before === "" ? [] : before.split(":");
  const tail = after ? after.split(":") : [];
  const zeros = after === undefined ? 0 : 8 - head.length - tail.length;
  const groups = [...head, ...new Array<string>(zeros).fill("0"), ...tail];
  return groups.reduce((bits, group) => bits << 16n | BigInt(`0x${group}`), 0n);
}

function ipv4Of(ip: string): bigint {
  return ip.split(".").reduce((bits, octet) => bits << 8n | BigInt(octet), 0n);
}

/** Whether an address is none of the public ones. */
export function isPrivate(ip: string): boolean {
  const bits = bitsOf(ip);
  if (bits >> 32n === 0xffffn) return isPrivateIpv4(bits & 0xffffffffn);
  // NAT64 and 6to4 are what the IPv4 address in them is.
  if (bits >> 32n === 0x64ff9bn << 64n) return isPrivateIpv4(bits & 0xffffffffn);
  if (bits >> 112n === 0x2002n) return isPrivateIpv4(bits >> 80n & 0xffffffffn);
  if (bits >> 125n !== 1n) return true;
  if (PUBLIC_IPV6.some((range) => isIn(bits, 128n, range))) return false;
  return PRIVATE_IPV6.some((range) => isIn(bits, 128n, range));
}

function isPrivateIpv4(bits: bigint): boolean {
  return PRIVATE_IPV4.some((range) => isIn(bits, 32n, range));
}

function isIn(bits: bigint, size: bigint, range: string): boolean {
  const [ip = "", length = ""] = range.split("/");
  const rest = size - BigInt(length);
  const base = size === 32n ? ipv4Of(ip) : bitsOf(ip);
  return bits >> rest === base >> rest;
}

const PRIVATE_IPV4 = [
  "0.0.0.0/8",
  "10.0.0.0/8",
  "100.64.0.0/10",
  "127.0.0.0/8",
  "169.254.0.0/16",
  "172.16.0.0/12",
  "192.0.0.0/24",
  "192.0.2.0/24",
  "192.88.99.0/24",
  "192.168.0.0/16",
  "198.18.0.0/15",
  "198.51.100.0/24",
  "203.0.113.0/24",
  "224.0.0.0/3",
];

const PUBLIC_IPV6 = ["2001:3::/32", "2001:4:112::/48"];

const PRIVATE_IPV6 = ["2001::/23", "2001:db8::/32", "3fff::/20"];
