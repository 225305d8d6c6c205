/**
 * Rendezvous hashing: the same key goes to the same address, whoever asks and in whatever order the
 * addresses are known; where one comes or goes, only its own keys move.
 *
 * Thaler and Ravishankar, "Using name-based mappings to increase hit rates", 1998.
 *
 * @module
 */

/**
 * Ranks addresses for a key: the one to use first, then the one to use when that fails, and so on.
 *
 * @param addresses Anything that has an address's canonical text
 */
export function rankForKey<T extends { readonly text: string }>(
  key: string,
  addresses: readonly T[],
): T[] {
  const seed = hash(key, 0x811c9dc5);
  return addresses
    .map((address) => ({ address, weight: scramble(hash(address.text, seed)) }))
    // Equal weights are told apart by the text, so that the order they came in never counts.
    .sort((a, b) => b.weight - a.weight || (a.address.text < b.address.text ? -1 : 1))
    .map(({ address }) => address);
}

/** FNV-1a over a text's UTF-16 units, from a state. */
function hash(text: string, state: number): number {
  for (let i = 0; i < text.length; i++) {
    state = Math.imul(state ^ text.charCodeAt(i), 0x01000193);
  }
  return state >>> 0;
}

/** Spreads what differs in the last characters alone over all bits. */
function scramble(bits: number): number {
  bits = Math.imul(bits ^ (bits >>> 16), 0x85ebca6b);
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2ae35);
  return (bits ^ (bits >>> 16)) >>> 0;
}
