/**
 * The dashboard's script: the few helpers that touch the document, and how figures are written.
 *
 * @module
 */

/** All text goes into the document as text: there is no markup made of data anywhere. */
export const CLIENT_DOM: string = String.raw`
/** @typedef {any} Data What a server told; read with care, as fields may be absent. */

/** @param {string} id @returns {HTMLElement} */
function byId(id) {
  const node = document.getElementById(id);
  if (!node) throw new Error("The page has no #" + id);
  return node;
}

/** @param {string} id @returns {HTMLInputElement} */
function inputOf(id) {
  return /** @type {HTMLInputElement} */ (byId(id));
}

/** @param {string} id @returns {HTMLSelectElement} */
function selectOf(id) {
  return /** @type {HTMLSelectElement} */ (byId(id));
}

/**
 * Makes an element.
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag @param {string} [className] @param {string} [text]
 * @returns {HTMLElementTagNameMap[Tag]}
 */
function make(tag, className, text) {
  const node = document.createElement(tag);
  if (className) node.className = className;
  if (text !== undefined) node.textContent = text;
  return node;
}

/** @param {string} className @param {string} text @param {() => void} onClick */
function makeButton(className, text, onClick) {
  const button = make("button", "btn " + className, text);
  button.type = "button";
  button.addEventListener("click", onClick);
  return button;
}

/** Sets a text only where it differs: what has not changed is not laid out again. @param {Element} node @param {string} text */
function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** @param {Element} node @param {string} name @param {string} value */
function setAttr(node, name, value) {
  if (node.getAttribute(name) !== value) node.setAttribute(name, value);
}

/** @param {HTMLElement} node @param {boolean} shown */
function show(node, shown) {
  if (node.hidden === shown) node.hidden = !shown;
}

const SVG = "http://www.w3.org/2000/svg";

/** @param {string} name @param {string} [className] */
function makeIcon(name, className) {
  const icon = document.createElementNS(SVG, "svg");
  icon.setAttribute("class", "icon " + (className || ""));
  icon.setAttribute("aria-hidden", "true");
  const use = document.createElementNS(SVG, "use");
  use.setAttribute("href", "#i-" + name);
  icon.append(use);
  return icon;
}

/** @param {Element} icon @param {string} name @param {string} className */
function setIcon(icon, name, className) {
  const use = icon.firstElementChild;
  if (use) setAttr(use, "href", "#i-" + name);
  setAttr(icon, "class", "icon " + className);
}

/**
 * Keeps as many children as there are items, made once and filled often.
 * @template T
 * @param {HTMLElement} parent @param {readonly T[]} items
 * @param {() => HTMLElement} create @param {(node: HTMLElement, item: T, index: number) => void} fill
 */
function fillList(parent, items, create, fill) {
  while (parent.childElementCount > items.length) parent.lastElementChild?.remove();
  items.forEach((item, index) => {
    let node = /** @type {HTMLElement | undefined} */ (parent.children[index]);
    if (!node) parent.append(node = create());
    fill(node, item, index);
  });
}

/** What the name of a host stands for: one may be named constructor. @param {Data} figures @param {string} name @returns {Data} */
function ownOf(figures, name) {
  return Object.hasOwn(figures, name) ? figures[name] : undefined;
}

/** @param {unknown} value @returns {value is number} */
function isNumber(value) {
  return typeof value === "number" && Number.isFinite(value);
}

/** @param {unknown} value @returns {number} */
function numberOr0(value) {
  return isNumber(value) ? value : 0;
}

const wholeNumbers = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });

/** @param {unknown} value */
function fmtCount(value) {
  if (!isNumber(value)) return "\u2013";
  if (value >= 1e6) return (value / 1e6).toFixed(value >= 1e7 ? 0 : 1) + " M";
  return wholeNumbers.format(value);
}

/** @param {unknown} value */
function fmtRate(value) {
  if (!isNumber(value)) return "\u2013";
  if (value === 0) return "0";
  return value < 10 ? value.toFixed(1) : fmtCount(Math.round(value));
}

/** @param {unknown} ms */
function fmtMs(ms) {
  if (!isNumber(ms)) return "\u2013";
  if (ms < 9.95) return ms.toFixed(1) + " ms";
  if (ms < 9999) return wholeNumbers.format(Math.round(ms)) + " ms";
  return fmtSpan(ms);
}

/** A span of time in its largest unit. @param {number} ms */
function fmtSpan(ms) {
  const seconds = Math.max(0, Math.round(ms / 1000));
  if (seconds < 100) return seconds + " s";
  if (seconds < 5400) return Math.round(seconds / 60) + " min";
  if (seconds < 129600) return Math.round(seconds / 3600) + " h";
  return Math.round(seconds / 86400) + " d";
}

/** @param {unknown} share */
function fmtShare(share) {
  if (!isNumber(share)) return "\u2013";
  // Not quite all is not all.
  return share > 0.99 && share < 1 ? Math.floor(share * 1000) / 10 + " %" : Math.round(share * 100) + " %";
}

/** @param {number} count @param {string} one @param {string} many */
function plural(count, one, many) {
  return fmtCount(count) + " " + (count === 1 ? one : many);
}

/** @param {unknown} at */
function fmtClock(at) {
  if (!isNumber(at)) return "";
  const time = new Date(at);
  return [time.getHours(), time.getMinutes(), time.getSeconds()].map((part) => String(part).padStart(2, "0")).join(":");
}
`;
