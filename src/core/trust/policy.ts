/**
 * What hotconn requires of a server's certificates in addition to its runtime, so that the same
 * ones are accepted on each: a name in the right place, and no key or signature that can be broken.
 * The runtime has checked before that the chain is genuine and valid.
 *
 * @module
 */

import ipaddr from "ipaddr.js";
import { readIp } from "../address.ts";
import { type Certificate, readCertificate } from "./certificate.ts";
import { sameBytes } from "./der.ts";

/** How many names of a certificate a message lists. */
const MAX_NAMES = 8;

/** What a server has shown, as bytes. */
export interface ShownChain {
  /** Its own certificate, and then each that signed the one before. */
  readonly chain: readonly Uint8Array[];
  /** All that it has shown, and the trusted ones that the runtime adds. */
  readonly shown: readonly Uint8Array[];
  /** Returns the root certificates that are trusted. */
  anchors(): readonly Uint8Array[];
}

/**
 * Says what is wrong with a server's certificates, or null.
 *
 * @param serverName Who the server must be: a host name or an IP address
 */
export function objectionTo(shown: ShownChain, serverName: string): string | null {
  try {
    const chain = shown.chain.map(readCertificate);
    const [own, ...authorities] = chain;
    if (own === undefined) return "the server's certificate is not known";
    const weakness = own.weakKey ?? own.weakSignature;
    if (weakness !== null) return `the server's certificate is too weak: ${weakness}`;
    return objectionToNames(own, serverName) ?? objectionToAuthorities(authorities, shown);
  } catch (error) {
    return `a certificate cannot be read: ${(error as Error).message}`;
  }
}

function objectionToAuthorities(
  authorities: readonly Certificate[],
  { anchors, shown }: ShownChain,
): string | null {
  if (authorities.length === 0) return null;
  const all = shown.map(readCertificate);
  for (const [i, authority] of authorities.entries()) {
    if (authority.weakKey !== null) return `an authority is too weak: ${authority.weakKey}`;
    if (!authority.maySign) return "an authority's key may not sign certificates";
    const isLast = i === authorities.length - 1;
    // Of two certificates with one key, it is unknown which one the runtime used.
    for (const twin of all.filter((other) => isSameParty(other, authority))) {
      if (twin.weakSignature === null) continue;
      // Nobody relies on a root's own signature.
      if (isLast && sameBytes(twin.issuer, twin.subject)) continue;
      if (anchors().map(readCertificate).some((anchor) => isSameParty(anchor, twin))) return null;
      return `an authority is too weak: ${twin.weakSignature}`;
    }
  }
  return null;
}

function isSameParty(a: Certificate, b: Certificate): boolean {
  return sameBytes(a.subject, b.subject) && sameBytes(a.publicKey, b.publicKey);
}

function objectionToNames(certificate: Certificate, serverName: string): string | null {
  const { dnsNames, ipAddresses } = certificate;
  const bare = serverName.replace(/^\[|\]$/g, "");
  const ip = readIp(bare);
  if (ip !== undefined) {
    const wanted = Uint8Array.from(ip.toByteArray());
    if (ipAddresses.some((address) => sameBytes(address, wanted))) return null;
  } else {
    const wanted = bare.toLowerCase().replace(/\.$/, "");
    if (dnsNames.some((name) => matches(name.toLowerCase(), wanted))) return null;
  }
  const names = [...dnsNames, ...ipAddresses.map(textOf)];
  if (names.length === 0) {
    return `the certificate has no subject alternative name, and a common name does not count: `
      + `it is not for ${bare}`;
  }
  const more = names.length > MAX_NAMES ? ` and ${names.length - MAX_NAMES} others` : "";
  const listed = names.slice(0, MAX_NAMES).map((name) => JSON.stringify(name)).join(", ");
  return `the certificate is not for ${bare}, but for ${listed}${more}`;
}

/** Whether a name, which may have `*` for its first label (RFC 9525 section 6.3), is the wanted one. */
function matches(name: string, wanted: string): boolean {
  if (!name.startsWith("*.")) return name === wanted;
  const rest = name.slice(1);
  const dot = wanted.indexOf(".");
  // Nobody may have a wildcard for a whole top-level domain.
  return dot > 0 && rest.includes(".", 1) && wanted.slice(dot) === rest;
}

function textOf(address: Uint8Array): string {
  try {
    return ipaddr.fromByteArray([...address]).toString();
  } catch {
    return "an address of another length";
  }
}
