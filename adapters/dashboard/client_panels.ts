/**
 * The dashboard's script: the summary, the figures with their lines, the findings, who waits.
 *
 * @module
 */

/** What an operator sees at a glance, and what stands beside the map. */
export const CLIENT_PANELS: string = String.raw`
/** @typedef {{ id: string, label: (model: Model) => string, unit: string, top?: number, format: (value: number | null) => string, more: (model: Model) => string }} Tile */

/** @type {readonly Tile[]} */
const TILES = [
  {
    id: "leases", unit: "a second", format: fmtRate,
    label: ({ stats }) => (stats.requests.count === 0 ? "Leases" : "Requests"),
    more: ({ stats }) => {
      const { count, successRate } = stats.requests;
      return fmtCount(count || numberOr0(stats.acquired)) + " so far" + (successRate === null ? "" : " \u00b7 " + (successRate * 100).toFixed(1) + " % well");
    },
  },
  {
    id: "latency", label: ({ stats }) => (percentile(stats, "p99") === null ? "Latency" : "Latency, p99"), unit: "", format: fmtMs,
    more: ({ stats }) => {
      const p50 = percentile(stats, "p50");
      return p50 === null ? "mean by leases" : "p50 " + fmtMs(p50) + " \u00b7 p90 " + fmtMs(percentile(stats, "p90"));
    },
  },
  {
    id: "handshakes", label: () => "Handshakes", unit: "a second", format: fmtRate,
    more: ({ stats }) => fmtCount(numberOr0(stats.dialing)) + " under way \u00b7 " + fmtCount(numberOr0(stats.dialErrors)) + " failed so far",
  },
  {
    id: "reuse", label: () => "Reuse", unit: "of leases", top: 1, format: fmtShare,
    more: ({ stats }) => (numberOr0(stats.acquired) > 0 ? fmtShare(numberOr0(stats.reused) / stats.acquired) + " since the start" : "no lease so far"),
  },
  {
    id: "busy", label: () => "In use", unit: "connections", format: fmtCount,
    more: ({ stats }) => fmtCount(numberOr0(stats.idle)) + " idle \u00b7 " + fmtCount(numberOr0(stats.connections)) + " open",
  },
  {
    id: "waiting", label: () => "Waiting", unit: "callers", format: fmtCount,
    more: ({ stats }) => fmtCount(numberOr0(stats.timedOut)) + " timed out so far",
  },
];

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

/** @param {Model} model @param {Trail} history */
function drawTiles(model, history) {
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
    tile.append(make("dt"), number, make("dd", "more clip"), drawing);
    return tile;
  }, (node, tile) => {
    const [label, number, more, drawing] = node.children;
    const values = history.lines[tile.id];
    const paths = sparkPaths(values, tile.top);
    const [area, line] = drawing.children[0].children;
    setText(label, tile.label(model));
    setText(number.children[0], tile.format(lastOf(values, tile.id, model)));
    setText(number.children[1], tile.unit);
    setText(more, tile.more(model));
    setAttr(more, "title", more.textContent ?? "");
    setAttr(area, "d", paths.area);
    setAttr(line, "d", paths.line);
  });
}

/** @param {readonly (number | null)[]} values @param {string} id @param {Model} model */
function lastOf(values, id, model) {
  for (let index = values.length - 1; index >= Math.max(0, values.length - 15); index--) {
    if (values[index] !== null) return values[index];
  }
  if (id === "busy") return numberOr0(model.stats.leased);
  if (id === "waiting") return numberOr0(model.stats.waiting);
  return id === "latency" ? percentile(model.stats, "p99") ?? latencyTotals(model.stats) : null;
}

const HEADLINES = { critical: "Something is wrong", warning: "Worth a look", fine: "All is well" };

/** @typedef {{ severity: string, what?: string, host?: string, address?: string, message: string, advice?: string }} Finding */

/**
 * Says whether anything is wrong; returns what a listener is to hear.
 * @param {Model} model @param {readonly Finding[]} findings @param {boolean} closed @param {(problem: Problem) => void} onProblem
 */
function drawGlance(model, findings, closed, onProblem) {
  /** @type {Problem[]} */
  const problems = [...model.problems];
  if (closed) problems.unshift({ severity: "critical", text: "The pool is closed" });
  for (const { severity, host, message } of findings) {
    if (severity !== "critical" || problems.some((problem) => problem.severity === "critical" && problem.host === host)) continue;
    problems.push({ severity, text: message, ...(host ? { host } : {}) });
  }
  problems.sort((a, b) => a.severity.localeCompare(b.severity));
  const worst = /** @type {keyof typeof HEADLINES} */ (problems[0]?.severity ?? (findings.some(({ severity }) => severity === "warning") ? "warning" : "fine"));
  setAttr(byId("glance"), "data-worst", worst);
  setAttr(byId("glance-icon"), "href", worst === "critical" ? "#i-ejected" : worst === "warning" ? "#i-doubtful" : "#i-well");
  setText(byId("headline"), HEADLINES[worst]);
  const { stats } = model;
  setText(byId("subline"), plural(model.hosts.length, "host", "hosts") + ", " + plural(model.addresses.length, "address", "addresses") + ", "
    + plural(numberOr0(stats.connections), "connection", "connections"));
  const shown = problems.slice(0, 6);
  const chips = byId("chips");
  fillList(chips, shown, () => {
    const item = make("li");
    const chip = make("button", "chip");
    chip.append(makeIcon("doubtful"), make("span"));
    item.append(chip);
    return item;
  }, (item, problem) => {
    const chip = /** @type {HTMLButtonElement} */ (item.children[0]);
    setAttr(chip, "class", "chip " + problem.severity);
    setIcon(chip.children[0], problem.severity === "critical" ? "ejected" : "doubtful", "");
    setText(chip.children[1], problem.text);
    chip.onclick = () => onProblem(problem);
  });
  if (problems.length > shown.length) {
    chips.append(make("li", "chip", "and " + fmtCount(problems.length - shown.length) + " more"));
  }
  document.title = (worst === "fine" ? "" : worst === "critical" ? "\u2715 " : "\u25b3 ") + "hotconn";
  return { worst, words: HEADLINES[worst] + (worst === "fine" ? "" : ": " + shown.map(({ text }) => text).join("; ")) };
}

/** @param {readonly Finding[]} findings @param {(finding: Finding) => void} onOpen */
function drawFindings(findings, onOpen) {
  setText(byId("findings-count"), findings.length > 0 ? fmtCount(findings.length) : "");
  fillList(byId("findings"), findings.length > 0 ? findings.slice(0, 100) : [null], () => {
    const item = make("li");
    const body = make("div", "body");
    body.append(make("b"), make("p", "muted"));
    item.append(makeIcon("info"), body);
    return item;
  }, (item, finding) => {
    const [icon, body] = item.children;
    const isOpen = finding !== null && (finding.host || finding.address);
    setIcon(icon, finding === null ? "well" : finding.severity === "critical" ? "ejected" : finding.severity === "warning" ? "doubtful" : "info",
      finding ? "tone-" + finding.severity : "muted");
    setText(body.children[0], finding ? String(finding.message) : "Nothing found");
    setText(body.children[1], finding ? String(finding.advice ?? "") : "The diagnosis sees nothing to mend.");
    if (item.children.length > 2) item.children[2].remove();
    if (finding && isOpen) {
      const open = makeButton("small", "Show", () => onOpen(finding));
      open.setAttribute("aria-label", "Show " + (finding.host ?? finding.address));
      item.append(open);
    }
  });
}

/**
 * @param {Model} model @param {boolean} canAct
 * @param {{ onHost: (host: string) => void, onUnblock: (ip: string) => void }} hooks
 */
function drawWaits(model, canAct, hooks) {
  const waits = model.hosts.filter(({ stats }) => numberOr0(stats.waiting) > 0)
    .sort((a, b) => b.stats.waiting - a.stats.waiting).slice(0, 50)
    .map(({ key, stats }) => ({
      icon: "doubtful", title: key, more: plural(stats.waiting, "caller waits", "callers wait") + ", " + fmtCount(numberOr0(stats.dialing)) + " dialing",
      verb: "Show", run: () => hooks.onHost(key),
    }));
  const blocks = (model.stats.blocks || []).slice(0, 200).map((/** @type {Data} */ block) => ({
    icon: "blocked", title: String(block.ip),
    more: "Blocked " + (isNumber(block.until) ? "for another " + fmtSpan(block.until - model.at) : "until it is unblocked") + (block.reason ? ": " + block.reason : ""),
    verb: canAct ? "Unblock" : "", run: () => hooks.onUnblock(String(block.ip)),
  }));
  const items = [...waits, ...blocks];
  setText(byId("waits-count"), items.length > 0 ? fmtCount(items.length) : "");
  if (items.length === 0) items.push({ icon: "well", title: "Nobody waits", more: "No address is blocked.", verb: "", run: () => {} });
  fillList(byId("waits"), items, () => {
    const item = make("li");
    const body = make("div", "body");
    body.append(make("b"), make("p", "muted"));
    item.append(makeIcon("info"), body);
    return item;
  }, (item, { icon, title, more, verb, run }) => {
    const [sign, body] = item.children;
    setIcon(sign, icon, icon === "doubtful" ? "tone-warning" : "muted");
    setText(body.children[0], title);
    setText(body.children[1], more);
    let button = /** @type {HTMLButtonElement | undefined} */ (item.children[2]);
    if (!verb) return button?.remove();
    if (!button) item.append(button = makeButton("small", "", () => {}));
    setText(button, verb);
    setAttr(button, "aria-label", verb + " " + title);
    button.onclick = run;
  });
}

/** Nothing of it is shown where no connection goes over a proxy. @param {Model} model */
function drawProxies(model) {
  const proxies = /** @type {Data[]} */ (model.stats.proxies || []);
  show(byId("proxies"), proxies.length > 0);
  if (proxies.length === 0) return;
  setText(byId("proxies-count"), fmtCount(proxies.length));
  const avoided = (/** @type {Data} */ proxy) => proxy.failure ? 1 : 0;
  fillList(byId("proxies-list"), [...proxies].sort((a, b) => avoided(b) - avoided(a)).slice(0, 50), () => {
    const item = make("li");
    const body = make("div", "body");
    body.append(make("b"), make("p", "muted"));
    item.append(makeIcon("info"), body);
    return item;
  }, (item, { failed, failure, opened, proxy, retryAt }) => {
    const [sign, body] = item.children;
    setIcon(sign, failure ? "doubtful" : "good", failure ? "tone-warning" : "muted");
    setText(body.children[0], String(proxy));
    const until = isNumber(retryAt) && retryAt > model.at ? " for another " + fmtSpan(retryAt - model.at) : "";
    setText(body.children[1], plural(numberOr0(opened), "way", "ways") + " opened, " + fmtCount(numberOr0(failed)) + " failed"
      + (failure ? ". Avoided" + until + ": " + failure : ""));
  });
}
`;
