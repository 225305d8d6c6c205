/**
 * Public key pins over the chain that a server showed.
 *
 * @module
 */

import {
  builtin,
  type NativeCertificate,
  type NativeSocket,
  type ParsedCertificate,
} from "./bun_api.ts";

/** Whether one of the pins is a key of the server's chain. */
export function matchesPin(socket: NativeSocket, pins: readonly string[]): boolean {
  const wanted = new Set(pins);
  const crypto = builtin("node:crypto");
  if (crypto === undefined) return false;
  const shown = shownCertificates(socket).map((der) => new crypto.X509Certificate(der));
  return issuers(shown).some((certificate) => {
    const spki = certificate.publicKey.export({ type: "spki", format: "der" });
    return wanted.has(`sha256/${crypto.createHash("sha256").update(spki).digest("base64")}`);
  });
}

function shownCertificates(socket: NativeSocket): Uint8Array[] {
  const list: Uint8Array[] = [];
  let at: NativeCertificate | null | undefined = socket.getPeerCertificate(false);
  while (at?.raw !== undefined) {
    list.push(at.raw);
    // A root is its own issuer.
    at = at.issuerCertificate === at ? undefined : at.issuerCertificate;
  }
  return list;
}

// Bun gives whatever the server sent, as it sent it. So that nobody can pass with a stray
// certificate that holds a pinned key, each one must have signed the one before it. A signature
// fits one key only: these are the keys of the chain that was verified, too.
function issuers([leaf, ...others]: ParsedCertificate[]): ParsedCertificate[] {
  const chain: ParsedCertificate[] = [];
  let at = leaf;
  while (at !== undefined) {
    const last: ParsedCertificate = at;
    chain.push(last);
    at = others.find((other) => !chain.includes(other) && last.verify(other.publicKey));
  }
  return chain;
}
