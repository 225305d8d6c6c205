/**
 * Compares the public keys of a server's chain with pins (RFC 7469 section 2.4).
 *
 * @module
 */

import type { createHash, X509Certificate } from "node:crypto";

/** A certificate that a server showed, and the one that it showed as its issuer's. */
export interface ShownCertificate {
  readonly raw?: Uint8Array;
  readonly issuerCertificate?: ShownCertificate;
}

/** What of `node:crypto` it takes. Bun loads it late: it is slow to load. */
export interface PinCrypto {
  readonly createHash: typeof createHash;
  readonly X509Certificate: typeof X509Certificate;
}

/**
 * Says whether a public key of the chain is among the pins. The chain was verified, and begins with
 * the server's own certificate.
 */
export function matchesPin(
  shown: ShownCertificate | null | undefined,
  pins: readonly string[],
  { createHash, X509Certificate }: PinCrypto,
): boolean {
  const certificates = rawOf(shown).map((der) => new X509Certificate(der));
  return issuers(certificates).some(({ publicKey }) => {
    const spki = publicKey.export({ type: "spki", format: "der" });
    return pins.includes(`sha256/${createHash("sha256").update(spki).digest("base64")}`);
  });
}

function rawOf(shown: ShownCertificate | null | undefined): Uint8Array[] {
  const list: Uint8Array[] = [];
  for (let at = shown; at?.raw !== undefined; at = at.issuerCertificate) {
    list.push(at.raw);
    // A root is its own issuer.
    if (at.issuerCertificate === at) break;
  }
  return list;
}

/**
 * The chain among what a server sent, which may be in any order, and have nothing to do with the
 * chain that was verified. So that nobody can pass with a stray certificate that holds a pinned key,
 * each one must have signed the one before it. A signature fits one key only: these are the keys of
 * the chain that was verified, too.
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
