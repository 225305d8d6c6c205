/**
 * The Huffman code of HPACK (RFC 7541 section 5.2 and appendix B), both ways.
 *
 * @module
 */

/** How many bits the code of each byte has, and that of the end: a digit of base 36 for each. */
const LENGTHS = "dnsssssssoussussssssssusssssssss6aacd68baa8b8666555666666678f6ca"
  + "d67777777777777777777777878djde6f56565666577666567655677777fbeds"
  + "kmkkmmmnmnnnnnonoomnonnnnlmnmnnomlkmmnnlnmmolmnnllmlnmnnkmmmnmmn"
  + "qqkjmnmpqqqrrqopjlqrrqrollqqsrrrkoklmllnmmppooqnqrqqrrrrrsrrrrrq"
  + "u";

const EOS = 256;
const MOST_BITS = 30;
/** Codes up to this length are found at one look: all that text usually has. */
const QUICK_BITS = 12;

const codes = new Uint32Array(257);
const lengths = new Uint8Array(257);
/** By the next twelve bits: the byte, and the length of its code from bit 8 on; 0 for a longer one. */
const quick = new Uint16Array(1 << QUICK_BITS);
/** The bytes with longer codes, in the order of their codes. */
const slow: number[] = [];

// The code is canonical: codes grow with their lengths, and among equal lengths with their bytes.
{
  for (let symbol = 0; symbol <= EOS; symbol++) lengths[symbol] = parseInt(LENGTHS[symbol]!, 36);
  let code = 0;
  for (let bits = 1; bits <= MOST_BITS; bits++, code *= 2) {
    for (let symbol = 0; symbol <= EOS; symbol++) {
      if (lengths[symbol] !== bits) continue;
      if (bits > QUICK_BITS) slow.push(symbol);
      else {
        const spare = QUICK_BITS - bits;
        quick.fill(symbol | bits << 8, code << spare, (code + 1) << spare);
      }
      codes[symbol] = code++;
    }
  }
}

/** How many bytes a text takes in the code, each of its characters being a byte. */
export function huffmanLength(text: string): number {
  let bits = 0;
  for (let i = 0; i < text.length; i++) bits += lengths[text.charCodeAt(i) & 0xff]!;
  return (bits + 7) >> 3;
}

/** Writes a text in the code, and returns the position behind it. */
export function huffmanEncode(text: string, into: Uint8Array, at: number): number {
  let rest = 0;
  let bits = 0;
  for (let i = 0; i < text.length; i++) {
    const byte = text.charCodeAt(i) & 0xff;
    const code = codes[byte]!;
    let length = lengths[byte]!;
    // At most 7 bits are left over, and a code is taken in parts that fit 32 bits with them.
    if (length > 24) {
      rest = rest << (length - 24) | code >>> 24;
      bits += length - 24;
      while (bits >= 8) into[at++] = rest >>> (bits -= 8);
      length = 24;
    }
    rest = rest << length | code & 0xff_ffff;
    bits += length;
    while (bits >= 8) into[at++] = rest >>> (bits -= 8);
  }
  if (bits > 0) into[at++] = rest << (8 - bits) | 0xff >> bits;
  return at;
}

/**
 * Reads what is coded from `start` to `end`, writes it, and returns the position behind it, or -1
 * where it is not valid. `into` must have room for 8 bytes for every 5.
 */
export function huffmanDecode(
  bytes: Uint8Array,
  start: number,
  end: number,
  into: Uint8Array,
  at: number,
): number {
  let rest = 0;
  let bits = 0;
  for (;;) {
    while (bits < QUICK_BITS && start < end) {
      rest = (rest << 8 | bytes[start++]!) & 0xf_ffff;
      bits += 8;
    }
    // If the end is near, ones stand for what is missing, as they pad the last byte.
    const window = bits >= QUICK_BITS
      ? rest >>> (bits - QUICK_BITS)
      : rest << (QUICK_BITS - bits) | (1 << (QUICK_BITS - bits)) - 1;
    const found = quick[window & 0xfff]!;
    if (found !== 0) {
      const length = found >>> 8;
      if (length > bits) break;
      into[at++] = found;
      bits -= length;
      continue;
    }
    if (bits < 8 && start === end) break;
    // A longer code: its bits so far, and more of them, one by one.
    let code = 0;
    let length = 0;
    let symbol = -1;
    while (symbol < 0) {
      if (bits === 0) {
        if (start === end) return -1;
        rest = bytes[start++]!;
        bits = 8;
      }
      code = code * 2 + (rest >>> --bits & 1);
      length++;
      if (length > QUICK_BITS) symbol = longSymbol(code, length);
    }
    if (symbol === EOS) return -1;
    into[at++] = symbol;
  }
  // What is left over must be the beginning of the end's code: less than a byte, and all ones.
  const ones = (1 << bits) - 1;
  return bits < 8 && (rest & ones) === ones ? at : -1;
}

/** The symbol that has a code of more than twelve bits, or -1. */
function longSymbol(code: number, length: number): number {
  for (const symbol of slow) {
    if (lengths[symbol]! > length) return -1;
    if (lengths[symbol] === length && codes[symbol] === code) return symbol;
  }
  return -1;
}
