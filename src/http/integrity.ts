/**
 * Subresource integrity: whether a body is what its caller expects.
 *
 * @module
 */

import { base64 } from "../core/base64.ts";

interface Digest {
  readonly algorithm: string;
  /** In base64, of either alphabet. */
  readonly value: string;
}

/** From the weakest to the strongest. */
const ALGORITHMS: readonly string[] = ["SHA-256", "SHA-384", "SHA-512"];
const DIGEST = /^sha(256|384|512)(?:-([^?]*))?(?:\?|$)/i;

/**
 * Checks a body against integrity metadata, of which only the strongest digests count. What is no
 * digest is ignored, as the standard says.
 *
 * @throws {TypeError} It is another body
 */
export async function checkIntegrity(metadata: string, body: Uint8Array): Promise<void> {
  const strongest = strongestOf(metadata);
  const algorithm = strongest[0]?.algorithm;
  if (algorithm === undefined) return;
  const digest = await crypto.subtle.digest(algorithm, body as Uint8Array<ArrayBuffer>);
  const value = base64(new Uint8Array(digest));
  if (strongest.some((expected) => plain(expected.value) === plain(value))) return;
  throw new TypeError("The body is not what its integrity says");
}

function strongestOf(metadata: string): readonly Digest[] {
  const digests: Digest[] = [];
  for (const text of metadata.split(/[\t\n\f\r ]+/)) {
    const [, bits, value = ""] = DIGEST.exec(text) ?? [];
    if (bits) digests.push({ algorithm: `SHA-${bits}`, value });
  }
  const strength = Math.max(...digests.map(({ algorithm }) => ALGORITHMS.indexOf(algorithm)));
  return digests.filter(({ algorithm }) => ALGORITHMS.indexOf(algorithm) === strength);
}

/** The same text for either alphabet, and with padding or without. */
function plain(base64: string): string {
  return base64.replaceAll("-", "+").replaceAll("_", "/").replace(/=+$/, "");
}
