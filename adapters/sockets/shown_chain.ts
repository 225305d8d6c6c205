/**
 * The certificates that a server has shown, as `node:tls` and Bun hand them over.
 *
 * @module
 */

import type { X509Certificate } from "node:crypto";
import type { TlsOptions } from "../../src/core/dialer.ts";
import { bytesOfPem, readAuthorities } from "../../src/core/trust/authorities.ts";
import { readCertificate } from "../../src/core/trust/certificate.ts";
import { objectionTo } from "../../src/core/trust/policy.ts";

/** A certificate that a server showed, and the one that it showed as its issuer's. */
export interface ShownCertificate {
  readonly raw?: Uint8Array;
  readonly issuerCertificate?: ShownCertificate;
}

/** A certificate's constructor: that of `node:crypto`, which Bun is slow to load. */
export type CertificateReader = new(der: Uint8Array) => X509Certificate;

/** What a server has shown. */
export interface ShownCertificates {
  /** All of it, and the trusted ones that the runtime adds. */
  readonly all: readonly Uint8Array[];
  /** The chain in it, the server's own first. */
  readonly chain: readonly X509Certificate[];
}

/** Reads what a server has shown. */
export function readShown(
  shown: ShownCertificate | null | undefined,
  reader: CertificateReader,
): ShownCertificates {
  const all: Uint8Array[] = [];
  for (let at = shown; at?.raw !== undefined; at = at.issuerCertificate) {
    all.push(at.raw);
    // A root is its own issuer.
    if (at.issuerCertificate === at) break;
  }
  return { all, chain: issuers(all.map((der) => new reader(der))) };
}

/**
 * Says why hotconn refuses a server that its runtime has accepted, or null.
 *
 * @param roots Gives the authorities that the runtime trusts, PEM
 */
export function objectionToShown(
  { all, chain }: ShownCertificates,
  serverName: string,
  tls: TlsOptions,
  roots: () => readonly string[],
): string | null {
  return objectionTo({
    shown: all,
    chain: chain.map(({ raw }) => raw),
    anchors: () => bytesOfPem(tls.ca === undefined ? roots() : readAuthorities(tls.ca)),
  }, serverName);
}

/** When the first certificate of a verified chain expires; undefined if none says so. */
export function endOf({ chain }: ShownCertificates): number | undefined {
  const end = Math.min(...chain.map(({ raw }) => readCertificate(raw).endsAt));
  return Number.isFinite(end) ? end : undefined;
}

/**
 * The chain in what a server sent, which may be in any order, and unrelated to the chain that was
 * verified. So that nobody can pass with a stray certificate that holds a pinned key, or a good
 * one, each one must have signed the one before it. A signature fits one key only, so these are the
 * keys of the verified chain, too.
 */
function issuers([leaf, ...others]: X509Certificate[]): X509Certificate[] {
  const chain: X509Certificate[] = [];
  let next: X509Certificate | undefined = leaf;
  while (next !== undefined) {
    const last: X509Certificate = next;
    chain.push(last);
    next = others.find((other) =>
      chain.every(({ fingerprint256 }) => fingerprint256 !== other.fingerprint256)
      && hasSigned(other, last)
    );
  }
  return chain;
}

function hasSigned(issuer: X509Certificate, certificate: X509Certificate): boolean {
  try {
    return certificate.verify(issuer.publicKey);
  } catch {
    // A key of a kind that the runtime does not know has signed nothing that it has verified.
    return false;
  }
}
