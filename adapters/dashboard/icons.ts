/**
 * The page's signs beside its title, one for each way in which it may stand.
 *
 * @module
 */

/** A sign, as the file that it is served as. */
export interface Icon {
  readonly name: string;
  readonly body: string;
}

/** A colour and a shape for each: a shape is seen by who does not tell the colours apart. */
const SHAPES = {
  fine: ["#0b6e69", "M4 4v8M12 4v8M4 8h8"],
  warning: ["#b86a00", "M8 3.5v5.5M8 11.8v.6"],
  critical: ["#c0241d", "M4.5 4.5l7 7M11.5 4.5l-7 7"],
  stale: ["#6b6b6b", "M5.6 6a2.4 2.4 0 1 1 3.4 2.2q-1 .5-1 1.6M8 12.2v.4"],
};

/** All signs; the first one is the page's own. */
export const ICONS: readonly Icon[] = Object.entries(SHAPES).map(([state, [colour, path]]) => ({
  name: `${state}.svg`,
  body: "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 16 16\">"
    + `<rect width="16" height="16" rx="4" fill="${colour}"/>`
    + `<path d="${path}" fill="none" stroke="#fff" stroke-width="2" stroke-linecap="round"/></svg>`,
}));
