/**
 * Rendezvous hashing: the same key always goes to the same address, in whatever order the
 * addresses are known; where one comes or goes, only its own keys move.
 *
 * Thaler and Ravishankar, "Using name-based mappings to increase hit rates", 1998; the weights
 * after Schindelhauer and Schomaker, "Weighted distributed hash tables", 2005.
 *
 * @module
 */

/** Half of a text's hash, which takes both to make an address collide with another one. */
export function highHash(text: string): number {
  return scramble(hash(text, 0x811c9dc5, 0x01000193));
}

/** The other half. */
export function lowHash(text: string): number {
  return scramble(hash(text, 0x3c6ef372, 0x2c1b3c6d));
}

/** Mixes a key's and an address's hashes into 32 evenly spread bits. */
export function mixHashes(
  keyHigh: number,
  keyLow: number,
  addressHigh: number,
  addressLow: number,
): number {
  const bits = Math.imul(keyHigh ^ addressHigh, 0x9e3779b1);
  return scramble(((bits ^ (bits >>> 15)) + (keyLow ^ addressLow)) | 0);
}

/** The score of an address of a weight for a key: the highest comes first. 0 for weight 0. */
export function keyScore(bits: number, weight: number): number {
  return weight === 0 ? 0 : -weight / Math.log(keyChance(bits));
}

/** Mixed bits as a number between 0 and 1, neither included. */
export function keyChance(bits: number): number {
  return (bits + 0.5) / 2 ** 32;
}

/** The scheme of FNV-1a over a text's UTF-16 units. */
function hash(text: string, state: number, prime: number): number {
  for (let i = 0; i < text.length; i++) state = Math.imul(state ^ text.charCodeAt(i), prime);
  return state;
}

/** Spreads differences in the last characters over all bits. */
function scramble(bits: number): number {
  bits = Math.imul(bits ^ (bits >>> 16), 0x85ebca6b);
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2ae35);
  return (bits ^ (bits >>> 16)) >>> 0;
}
