/**
 * The dashboard's script: where on the page one is, as a link tells it.
 *
 * @module
 */

/**
 * A place is kept in the fragment, which no server is ever sent: `#/` is all pools, `#/shop` is one of
 * them, and `#/shop?view=hosts&host=api.example` is what of it is open: a host, an address, one of their
 * connections, and the panel that is to be in sight.
 */
export const CLIENT_ROUTE: string = String.raw`
/** @typedef {{ pool: string, view: string, filter: string, state: string, order: string, host: string, address: string, connection: string, panel: string }} Place */

/** All pools, with nothing chosen. @type {Readonly<Place>} */
const START = { pool: "", view: "", filter: "", state: "", order: "", host: "", address: "", connection: "", panel: "" };
const PLACE_NAMES = /** @type {readonly (keyof Place)[]} */ (Object.keys(START).filter((name) => name !== "pool"));

/** What a fragment means; undefined where it is none of these, such as the one that skips to the map. @param {string} hash @returns {Place | undefined} */
function readPlace(hash) {
  const [, path, query] = /^#\/([^?]*)\??(.*)$/.exec(hash) ?? [];
  if (path === undefined) return undefined;
  const values = new URLSearchParams(query);
  const place = { ...START };
  try {
    place.pool = decodeURIComponent(path);
  } catch {
    return undefined;
  }
  for (const name of PLACE_NAMES) place[name] = values.get(name) ?? "";
  return place;
}

/** The fragment of a place. @param {Place} place */
function writePlace(place) {
  const values = new URLSearchParams();
  for (const name of PLACE_NAMES) if (place[name]) values.set(name, place[name]);
  const query = values.toString();
  return "#/" + encodeURIComponent(place.pool) + (query ? "?" + query : "");
}

/** Keeps the place and the address bar in step. */
class Route {
  /** @param {AbortSignal} signal @param {(place: Place, before: Place) => void} onMove Called where the reader moves: by a link, or back and forward */
  constructor(signal, onMove) {
    this.place = readPlace(location.hash) ?? { ...START };
    window.addEventListener("hashchange", () => {
      const place = readPlace(location.hash);
      // A jump within the page is no other place, and must not cost the link to this one.
      if (!place) return history.replaceState(null, "", writePlace(this.place));
      const before = this.place;
      this.place = place;
      if (writePlace(place) !== writePlace(before)) onMove(place, before);
    }, { signal });
  }

  /**
   * Notes where the page is now; nobody is told.
   * @param {Partial<Place>} change @param {boolean} [isStep] Whether "back" is to lead to the place before
   */
  set(change, isStep) {
    const hash = writePlace({ ...this.place, ...change });
    this.place = { ...this.place, ...change };
    if (hash === location.hash) return;
    if (isStep) history.pushState(null, "", hash);
    else history.replaceState(null, "", hash);
  }
}
`;
