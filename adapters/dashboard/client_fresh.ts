/**
 * The dashboard's script: how old the figures are, and that old ones look old.
 *
 * @module
 */

/** Figures that are not renewed are no news: nothing on the page may look as if they were. */
export const CLIENT_FRESH: string = String.raw`
/** After how long without new figures they are asked for, in milliseconds: they come every two seconds. */
const LATE_MS = 4000;
/** After how long they are stale: at once where asking for them has failed, else later; out of sight timers are slow. */
const STALE_MS = { failed: 3000, silent: 7000, hidden: 90000 };

/** @typedef {{ steady: number, wall: number }} Moment Two clocks: one is never set, the other goes on while the machine sleeps. */

/** @returns {Moment} */
function momentNow() {
  return { steady: performance.now(), wall: Date.now() };
}

/** How old the figures are. It has no clock: the time is passed in. */
class Freshness {
  constructor() {
    /** When the server took the figures that came last, by its own clock. @type {unknown} */
    this.takenAt = undefined;
    /** When they came. @type {Moment | undefined} */
    this.came = undefined;
    /** Why they could not be had since then. */
    this.failure = "";
  }

  /** Figures have come; the same ones again are no newer than before. @param {unknown} takenAt @param {Moment} now */
  take(takenAt, now) {
    if (takenAt === this.takenAt) return;
    this.takenAt = takenAt;
    this.came = now;
    this.failure = "";
  }

  /** They could not be fetched. @param {string} reason */
  fail(reason) {
    this.failure = reason;
  }

  /** By whichever clock more time has passed. @param {Moment} now */
  age({ steady, wall }) {
    return this.came ? Math.max(0, steady - this.came.steady, wall - this.came.wall) : 0;
  }

  /** @param {Moment} now */
  isLate(now) {
    return !this.came || this.age(now) > LATE_MS;
  }

  /** @param {Moment} now @param {boolean} isHidden */
  isStale(now, isHidden) {
    if (!this.came) return this.failure !== "";
    return this.age(now) > (isHidden ? STALE_MS.hidden : this.failure ? STALE_MS.failed : STALE_MS.silent);
  }

  /** What there is to say while they are stale. @param {Moment} now @returns {{ title: string, since: string, why: string }} */
  words(now) {
    const why = this.failure || "The server is silent";
    if (!this.came) return { title: "No figures", since: "", why };
    return { title: "No figures for " + fmtSpan(this.age(now)), since: fmtClock(this.came.wall), why };
  }
}

/** Makes all that is shown look stale, or fresh again. @param {string} words How old it is; empty where it is fresh */
function showStale(words) {
  const root = document.documentElement;
  if (!words) {
    delete root.dataset.stale;
    root.style.removeProperty("--as-of");
  } else {
    root.dataset.stale = "yes";
    root.style.setProperty("--as-of", JSON.stringify(words));
  }
}

/** @param {"fine" | "warning" | "critical" | "stale"} state @param {string} text */
function showInTab(state, text) {
  const title = (state === "fine" ? "" : state === "critical" ? "\u2715 " : state === "warning" ? "\u25b3 " : "? ") + text;
  if (document.title !== title) document.title = title;
  const icon = document.querySelector("link[rel=icon]");
  // Beside the first one, wherever that is served.
  if (icon) setAttr(icon, "href", (icon.getAttribute("href") ?? "").replace(/[^/]*$/, state + ".svg"));
}
`;
