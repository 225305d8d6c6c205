/**
 * The dashboard's script: the figures of a pool, each with its line.
 *
 * @module
 */

/** Each figure says what it is, and of what time: of now, or of the last minute. */
export const CLIENT_TILES: string = String.raw`
/** @typedef {{ id: string, label: (model: Model) => string, value: (model: Model, trail: Trail) => number | null, unit: string, of?: "now", top?: number, format: (value: number | null) => string, more: (model: Model) => string, isBad?: (model: Model) => string }} Tile */

/** @param {Data} recent */
function spanOf(recent) {
  const seconds = Math.max(1, Math.round(numberOr0(recent.ms) / 1000));
  return seconds < 55 ? "last " + seconds + " s" : seconds < 90 ? "last minute" : "last " + Math.round(seconds / 60) + " min";
}

/** @param {Data} requests */
function answersOf(requests) {
  const parts = ["2xx", "3xx", "4xx", "5xx"].flatMap((name) => (requests.statuses[name] > 0 ? [fmtCount(requests.statuses[name]) + " " + name] : []));
  if (requests.failures > 0) parts.push(fmtCount(requests.failures) + " failed");
  if (requests.cancelled > 0) parts.push(fmtCount(requests.cancelled) + " given up");
  return parts.length > 0 ? parts.join(" \u00b7 ") : "no answer";
}

/** What the bar of answers is made of, and in which colour. */
const ANSWER_PARTS = /** @type {const} */ ([["2xx", "well"], ["3xx", "well"], ["4xx", "client"], ["5xx", "bad"], ["failed", "none"]]);

function makeAnswers() {
  const bar = make("dd", "answers");
  bar.setAttribute("aria-hidden", "true");
  for (const [, className] of ANSWER_PARTS) bar.append(make("span", className));
  return bar;
}

/** @param {Element} bar @param {Data} requests */
function fillAnswers(bar, requests) {
  const counts = ANSWER_PARTS.map(([name]) => numberOr0(name === "failed" ? requests.failures : requests.statuses[name]));
  const sum = Math.max(1, counts.reduce((sum, count) => sum + count, 0));
  counts.forEach((count, index) => {
    const part = /** @type {HTMLElement} */ (bar.children[index]);
    // What is there is seen, however little of it there is.
    part.style.flexGrow = String(count === 0 ? 0 : Math.max(0.01, count / sum));
    show(part, count > 0);
  });
}

/** The most frequent reasons. @param {Data} counts */
function reasonsOf(counts) {
  const parts = Object.entries(counts).sort(([, a], [, b]) => b - a).map(([name, count]) => fmtCount(count) + " " + name);
  return parts.length > 0 ? parts.join(" \u00b7 ") : "none";
}

/** The problems that colour a figure. @param {Model} model @param {readonly string[]} kinds */
function worstOf({ outlook: { problems } }, kinds) {
  return problems.find(({ severity, what }) => severity !== "info" && kinds.includes(what))?.severity ?? "";
}

/** Requests a second; leases, where nothing speaks a protocol. @param {Data} recent */
function rateOf({ acquired, ms, requests }) {
  return (requests.count || acquired) / Math.max(1, numberOr0(ms) / 1000);
}

/** @type {readonly Tile[]} */
const TILES = [
  {
    id: "requests", unit: "a second", of: "now", format: fmtRate,
    label: ({ stats }) => (stats.requests.count === 0 ? "Leases" : "Requests"),
    value: ({ outlook: { recent } }, trail) => trail.latest("requests") ?? rateOf(recent),
    more: ({ outlook: { recent } }) => fmtCount(recent.requests.count || recent.acquired) + " in the " + spanOf(recent)
      + (recent.bytesIn + recent.bytesOut > 0 ? " \u00b7 " + fmtTraffic(recent.bytesIn) + " in \u00b7 " + fmtTraffic(recent.bytesOut) + " out" : ""),
  },
  {
    id: "bad", label: () => "Answers", unit: "5xx or failed", top: 1, format: fmtBad,
    value: ({ outlook: { recent } }) => badShareOf(recent.requests),
    more: ({ outlook: { recent } }) => answersOf(recent.requests),
    isBad: (model) => worstOf(model, ["serverErrors", "requestsFailed", "clientErrors", "toldLater"]),
  },
  {
    id: "latency", label: () => "Latency, p99", unit: "", format: fmtMs,
    value: ({ outlook: { recent } }) => latencyOf(recent).p99,
    more: ({ outlook: { recent } }) => "p50 " + fmtMs(latencyOf(recent).p50) + " \u00b7 p90 " + fmtMs(latencyOf(recent).p90),
  },
  {
    id: "again", label: () => "Sent again", unit: "times", format: fmtCount,
    value: ({ outlook: { recent: { requests } } }) => requests.retries + requests.hedges,
    more: ({ outlook: { recent } }) => plural(recent.requests.retries, "retry", "retries") + " \u00b7 " + plural(recent.requests.hedges, "hedge", "hedges"),
    isBad: (model) => worstOf(model, ["retries", "hedges"]),
  },
  {
    id: "waiting", label: () => "Waiting", unit: "callers", of: "now", format: fmtCount,
    value: ({ stats }) => numberOr0(stats.waiting),
    more: ({ outlook: { recent } }) => fmtCount(recent.timedOut) + " timed out \u00b7 " + (recent.queue.p99 > 0 ? "wait p99 " + fmtMs(recent.queue.p99) : "99 % did not wait") + ", " + spanOf(recent),
    isBad: (model) => worstOf(model, ["timedOut", "waiting", "starving", "streamsTaken"]),
  },
  {
    id: "handshakes", label: () => "Handshakes", unit: "begun", format: fmtCount,
    value: ({ outlook: { recent } }) => recent.dials,
    more: ({ outlook: { recent } }) => fmtCount(recent.dialErrors) + " failed \u00b7 " + (recent.acquired > 0 ? fmtShare(recent.reused / recent.acquired) + " reuse" : "no lease"),
    isBad: (model) => worstOf(model, ["dialErrors", "dialStorm"]),
  },
  {
    id: "busy", label: () => "In use", unit: "connections", of: "now", format: fmtCount,
    value: ({ stats }) => numberOr0(stats.leased),
    more: ({ stats }) => fmtCount(numberOr0(stats.idle)) + " idle \u00b7 " + fmtCount(numberOr0(stats.connections)) + " open"
      + (stats.multiplexed > 0 ? " \u00b7 " + fmtCount(stats.leases) + " of " + fmtCount(stats.capacity) + " streams" : ""),
  },
  {
    id: "ended", label: () => "Ended", unit: "connections", format: fmtCount,
    value: ({ outlook: { recent } }) => sumOf(recent.evicted),
    more: ({ outlook: { recent } }) => reasonsOf(recent.evicted),
    isBad: (model) => worstOf(model, ["evictions", "closed"]),
  },
];

/** @param {unknown} bytes */
function fmtTraffic(bytes) {
  if (!isNumber(bytes)) return "\u2013";
  const units = ["B", "kB", "MB", "GB", "TB"];
  let unit = 0;
  while (bytes >= 999.5 && unit < units.length - 1) {
    bytes /= 1000;
    unit++;
  }
  return (unit > 0 && bytes < 9.95 ? bytes.toFixed(1) : Math.round(bytes)) + " " + units[unit];
}

/** A share of what is bad: none is told from next to none. @param {number | null} share */
function fmtBad(share) {
  if (share === null) return "\u2013";
  if (share > 0 && share < 0.01) return Math.max(0.1, Math.round(share * 1000) / 10) + " %";
  return fmtShare(share);
}

const SPARK = { width: 150, height: 36 };

/** The paths of a line and of what is below it. @param {readonly (number | null)[]} values @param {number | undefined} top */
function sparkPaths(values, top) {
  const known = values.filter(isNumber);
  if (known.length < 2) return { line: "", area: "" };
  const most = top ?? (Math.max(...known) * 1.15 || 1);
  const step = SPARK.width / (POINTS - 1);
  const from = SPARK.width - (values.length - 1) * step;
  let line = "";
  let area = "";
  let open = -1;
  values.forEach((value, index) => {
    if (value === null) return;
    const x = (from + index * step).toFixed(1);
    const y = (SPARK.height - 2 - (value / most) * (SPARK.height - 4)).toFixed(1);
    line += (open < 0 ? "M" : "L") + x + " " + y;
    area += (open < 0 ? "M" + x + " " + SPARK.height + "L" : "L") + x + " " + y;
    open = Number(x);
  });
  return { line, area: area + "L" + open + " " + SPARK.height + "Z" };
}

/** @param {Model} model @param {Trail} trail */
function drawTiles(model, trail) {
  fillList(byId("tiles"), TILES, () => {
    const tile = make("div", "tile");
    const number = make("dd");
    number.append(make("span"), " ", make("small"));
    const spark = document.createElementNS(SVG, "svg");
    spark.setAttribute("class", "spark");
    spark.setAttribute("viewBox", "0 0 " + SPARK.width + " " + SPARK.height);
    spark.setAttribute("preserveAspectRatio", "none");
    spark.setAttribute("aria-hidden", "true");
    for (const name of ["area", "line"]) {
      const path = document.createElementNS(SVG, "path");
      path.setAttribute("class", name);
      spark.append(path);
    }
    const drawing = make("dd", "draw");
    drawing.append(spark);
    const answers = makeAnswers();
    const label = make("dt");
    label.append(make("span"), make("small"));
    tile.append(label, number, make("dd", "more"), drawing, answers);
    return tile;
  }, (node, tile) => {
    const [label, number, more, drawing, answers] = node.children;
    show(/** @type {HTMLElement} */ (answers), tile.id === "bad");
    show(/** @type {HTMLElement} */ (drawing), tile.id !== "bad");
    if (tile.id === "bad") fillAnswers(answers, model.outlook.recent.requests);
    const paths = sparkPaths(trail.lines[tile.id], tile.top);
    const [area, line] = drawing.children[0].children;
    setAttr(node, "data-bad", tile.isBad?.(model) ?? "");
    setText(label.children[0], tile.label(model));
    setText(label.children[1], tile.of ?? spanOf(model.outlook.recent));
    setText(number.children[0], tile.format(tile.value(model, trail)));
    setText(number.children[1], tile.unit);
    // No line ends between a number and its unit.
    setText(more, tile.more(model).replace(/(\d) (?=[2-5]xx|%|ms|[kMGT]?B)/g, "$1\u00a0"));
    setAttr(more, "title", more.textContent ?? "");
    setAttr(area, "d", paths.area);
    setAttr(line, "d", paths.line);
  });
}
`;
