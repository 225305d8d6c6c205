/**
 * The dashboard's script: links to its panels.
 *
 * @module
 */

/** A panel is named by its heading's id, and its link stands in the heading. */
export const CLIENT_LINKS: string = String.raw`
const TITLE_END = "-title";

/** Gives each panel's heading a link to itself, to be sent to somebody. @param {() => Place} now Where the page is */
function linkPanels(now) {
  for (const title of document.querySelectorAll("main h2[id$=" + TITLE_END + "]")) {
    const panel = title.id.slice(0, -TITLE_END.length);
    const link = make("a", "here");
    link.setAttribute("aria-label", "Link to " + (title.firstChild?.textContent ?? "").trim());
    // What is shown changes: the link is made when it is about to be taken.
    const renew = () => link.setAttribute("href", writePlace({ ...now(), panel }));
    for (const name of ["pointerenter", "focus"]) link.addEventListener(name, renew);
    renew();
    title.append(link);
  }
}

/** Brings a panel into sight; false where it is not there yet. @param {string} panel */
function revealPanel(panel) {
  const title = document.getElementById(panel + TITLE_END);
  if (title?.closest("[hidden]")) return false;
  title?.scrollIntoView({ block: "start" });
  /** @type {HTMLElement | null | undefined} */ (title?.querySelector(".here"))?.focus({ preventScroll: true });
  return true;
}
`;
