/**
 * Compares the public keys of a server's chain with pins (RFC 7469 section 2.4).
 *
 * @module
 */

import type { createHash, X509Certificate } from "node:crypto";

/**
 * Says whether a public key of the chain is among the pins.
 *
 * @param hash That of `node:crypto`, which Bun is slow to load
 */
export function matchesPin(
  chain: readonly X509Certificate[],
  pins: readonly string[],
  hash: typeof createHash,
): boolean {
  return chain.some(({ publicKey }) => {
    const spki = publicKey.export({ type: "spki", format: "der" });
    return pins.includes(`sha256/${hash("sha256").update(spki).digest("base64")}`);
  });
}
