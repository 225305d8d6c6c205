/**
 * Compares public keys with pins (RFC 7469 section 2.4).
 *
 * @module
 */

import { createHash, X509Certificate } from "node:crypto";
import type { DetailedPeerCertificate, TLSSocket } from "node:tls";

/**
 * Says whether a public key of the peer's chain is among the pins.
 *
 * The chain starts at the peer's own certificate, and each next one must have signed the one before
 * it: a server may send certificates that have nothing to do with the chain that was verified, and
 * a name proves nothing.
 */
export function matchesPin(socket: TLSSocket, pins: readonly string[]): boolean {
  let link: DetailedPeerCertificate | undefined = socket.getPeerCertificate(true);
  if (!link?.raw) return false;
  let certificate = new X509Certificate(link.raw);
  for (;;) {
    const spki = certificate.publicKey.export({ type: "spki", format: "der" });
    const digest = createHash("sha256").update(spki).digest("base64");
    if (pins.includes(`sha256/${digest}`)) return true;
    const next: DetailedPeerCertificate | undefined = link.issuerCertificate;
    // A root is its own issuer.
    if (!next?.raw || next === link || next.raw.equals(link.raw)) return false;
    const issuer = new X509Certificate(next.raw);
    if (!certificate.verify(issuer.publicKey)) return false;
    link = next;
    certificate = issuer;
  }
}
