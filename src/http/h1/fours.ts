/**
 * Looks at four bytes at a time. The view must have three bytes beyond the one that ends a search,
 * and one must end it: zero does.
 *
 * Adding to a byte sets its sign bit from some value on, subtracting below one. What a byte carries
 * into the next one does no harm: it does so only where its own sign bit is set as well, and only
 * the lowest sign bit that is set counts.
 *
 * @module
 */

const SIGNS = 0x8080_8080 | 0;
const SPACES = 0x2020_2020;
const HYPHENS = 0x2d2d_2d2d;
/** Sets the sign of 0x7f and more. */
const FROM_DELETE = 0x0101_0101;
/** Sets the sign of `a` and more. */
const FROM_A = 0x1f1f_1f1f;
/** Sets the sign of what comes after `z`. */
const AFTER_Z = 0x0505_0505;
/** Sets the sign of all but zero. */
const FROM_ONE = 0x7f7f_7f7f;

/** The first position from `i` at which there is neither a letter nor a hyphen. */
export function skipLetters(view: DataView, i: number): number {
  for (;;) {
    const four = view.getInt32(i, true);
    const lower = four | SPACES;
    const noLetter = ~(lower + FROM_A) | (lower + AFTER_Z);
    const signs = (four | (noLetter & ((four ^ HYPHENS) + FROM_ONE))) & SIGNS;
    if (signs !== 0) return i + ((31 - Math.clz32(signs & -signs)) >> 3);
    i += 4;
  }
}

/** Does what `skipLetters()` does, and makes the letters that it skips lower case. */
export function lowerLetters(view: DataView, i: number): number {
  for (;;) {
    const four = view.getInt32(i, true);
    const lower = four | SPACES;
    const noLetter = ~(lower + FROM_A) | (lower + AFTER_Z);
    const signs = (four | (noLetter & ((four ^ HYPHENS) + FROM_ONE))) & SIGNS;
    if (signs !== 0) {
      const count = (31 - Math.clz32(signs & -signs)) >> 3;
      view.setInt32(i, four | (SPACES & ((1 << (8 * count)) - 1)), true);
      return i + count;
    }
    // The bit that tells the cases apart is set in a hyphen anyway.
    view.setInt32(i, lower, true);
    i += 4;
  }
}

/** The first position from `i` at which there is a control, 0x7f included, or a byte not ASCII. */
export function skipText(view: DataView, i: number): number {
  for (;;) {
    const four = view.getInt32(i, true);
    const signs = (four | (four - SPACES) | (four + FROM_DELETE)) & SIGNS;
    if (signs !== 0) return i + ((31 - Math.clz32(signs & -signs)) >> 3);
    i += 4;
  }
}
