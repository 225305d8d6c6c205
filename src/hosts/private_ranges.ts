/**
 * Which IP addresses are not public.
 *
 * @module
 */

import { embeddedIpv4, type Ip, type IpRange, isInRange, readRange } from "./ip_range.ts";

const PUBLIC = "";

/**
 * Every address, by what the IANA registries of special-purpose addresses (RFC 6890, RFC 8190) say
 * of it: the first range that has it tells its kind.
 *
 * Three kinds are denied although the registries call them globally reachable. The anycast
 * addresses within 192.0.0.0/24 and 2001:1::/32 (RFC 7723, RFC 8155, RFC 9665) are answered by the
 * network that the program runs in. ORCHIDs (RFC 7343) and the identifiers of drones (RFC 9374) are
 * names that look like addresses, and no router has a way to them.
 */
const KINDS: readonly (readonly [kind: string, ...ranges: string[]])[] = [
  ["unspecified", "0.0.0.0", "::"],
  ["this network", "0.0.0.0/8"], // RFC 791, section 3.2
  ["private", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"], // RFC 1918
  ["CGNAT", "100.64.0.0/10"], // RFC 6598
  ["loopback", "127.0.0.0/8", "::1"], // RFC 1122, section 3.2.1.3; RFC 4291, section 2.5.3
  ["link-local", "169.254.0.0/16", "fe80::/10"], // RFC 3927; RFC 4291, section 2.5.6
  ["documentation", "192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24"], // RFC 5737
  ["documentation", "2001:db8::/32", "3fff::/20"], // RFC 3849, RFC 9637
  ["6to4 relay", "192.88.99.0/24"], // RFC 7526
  ["benchmarking", "198.18.0.0/15", "2001:2::/48"], // RFC 2544, RFC 5180
  ["multicast", "224.0.0.0/4", "ff00::/8"], // RFC 5771; RFC 4291, section 2.7
  ["broadcast", "255.255.255.255"], // RFC 919, section 7
  ["reserved", "240.0.0.0/4"], // RFC 1112, section 4
  ["IPv4-compatible", "::/96"], // RFC 4291, section 2.5.5.1
  ["IPv4-translated", "::ffff:0:0:0/96"], // RFC 2765, section 2.1
  ["local NAT64", "64:ff9b:1::/48"], // RFC 8215
  ["discard", "100::/64"], // RFC 6666
  ["dummy", "100:0:0:1::/64"], // RFC 9780
  ["Teredo", "2001::/32"], // RFC 4380
  ["ORCHID", "2001:10::/28", "2001:20::/28"], // RFC 4843, RFC 7343
  [PUBLIC, "2001:3::/32", "2001:4:112::/48"], // RFC 7450, RFC 7535
  ["IETF protocol", "192.0.0.0/24", "2001::/23"], // RFC 6890, RFC 2928
  ["segment routing", "5f00::/16"], // RFC 9602
  ["unique local", "fc00::/7"], // RFC 4193
  ["site-local", "fec0::/10"], // RFC 3879
  [PUBLIC, "0.0.0.0/0", "2000::/3"], // RFC 4291, section 2.4
  ["not global unicast", "::/0"],
];

const ranges: readonly (IpRange & { readonly kind: string })[] = KINDS.flatMap(
  ([kind, ...texts]) => texts.map((text) => ({ ...readRange(kind, text), kind })),
);

/**
 * The kind of an address that is not public: `loopback`, `NAT64 of loopback`. Of the forms that
 * lead to an IPv4 address, NAT64 and 6to4 are as public as that address, the others never are.
 */
export function kindOfPrivate(ip: Ip): string | undefined {
  const inner = embeddedIpv4(ip);
  if (inner?.form === "NAT64" || inner?.form === "6to4") {
    const kind = kindOfPrivate(inner.ip);
    return kind && `${inner.form} of ${kind}`;
  }
  return ranges.find((range) => isInRange(ip, range))?.kind || undefined;
}
