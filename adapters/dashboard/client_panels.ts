/**
 * The dashboard's script: the summary, what is wrong, who waits.
 *
 * @module
 */

/** What an operator sees at a glance, and what stands beside the map. */
export const CLIENT_PANELS: string = String.raw`
const HEADLINES = { critical: "Something is wrong", warning: "Worth a look", fine: "All is well" };

/** How it stands, as it is drawn: also where nobody knows. */
const GLANCE_ICONS = { critical: "#i-ejected", warning: "#i-doubtful", fine: "#i-well", stale: "#i-stale", wait: "#i-info" };

/** @param {keyof typeof GLANCE_ICONS} state @param {string} headline @param {string} subline */
function showGlance(state, headline, subline) {
  setAttr(byId("glance"), "data-worst", state);
  setAttr(byId("glance-icon"), "href", GLANCE_ICONS[state]);
  setText(byId("headline"), headline);
  setText(byId("subline"), subline);
}

/** How many problems are named at the top. */
const SHOWN_PROBLEMS = 6;

/** @template {{ severity: string, text: string }} P @param {readonly P[]} problems @param {(problem: P) => void} onProblem */
function drawChips(problems, onProblem) {
  const grave = problems.filter(({ severity }) => severity !== "info");
  const shown = grave.slice(0, SHOWN_PROBLEMS);
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
  if (grave.length > shown.length) {
    chips.append(make("li", "chip more", "and " + fmtCount(grave.length - shown.length) + " more"));
  }
  return shown;
}

/**
 * Says whether anything is wrong; returns what a screen reader should say.
 * @param {Model} model @param {(problem: Problem) => void} onProblem
 */
function drawGlance(model, onProblem) {
  const { outlook: { problems, worst }, stats } = model;
  showGlance(worst, HEADLINES[worst], plural(model.hosts.length, "host", "hosts") + ", " + plural(model.addresses.length, "address", "addresses") + ", "
    + plural(numberOr0(stats.connections), "connection", "connections"));
  return spoken(worst, HEADLINES[worst], drawChips(problems, onProblem));
}

/** What is said aloud, and by what it is told from what was said before: shares change all the time. @param {string} worst @param {string} headline @param {readonly Problem[]} problems */
function spoken(worst, headline, problems) {
  const key = worst + problems.map(({ address, host, severity, what }) => [severity, what, host, address].join(" ")).join();
  return { key, words: headline + (worst === "fine" ? "" : ": " + problems.map(({ text }) => text).join("; ")) };
}

/** All that is wrong, from every source. @param {readonly Problem[]} problems @param {(problem: Problem) => void} onOpen */
function drawFindings(problems, onOpen) {
  setText(byId("findings-count"), problems.length > 0 ? fmtCount(problems.length) : "");
  fillList(byId("findings"), problems.length > 0 ? problems.slice(0, 100) : [null], () => {
    const item = make("li");
    const body = make("div", "body");
    body.append(make("b"), make("p"), make("p", "muted"));
    item.append(makeIcon("info"), body);
    return item;
  }, (item, problem) => {
    const [icon, body] = item.children;
    setIcon(icon, problem === null ? "well" : problem.severity === "critical" ? "ejected" : problem.severity === "warning" ? "doubtful" : "info",
      problem ? "tone-" + problem.severity : "muted");
    setText(body.children[0], problem ? problem.text : "Nothing found");
    setText(body.children[1], problem && problem.message.replace(/\.$/, "") !== problem.text ? problem.message : "");
    setText(body.children[2], problem ? problem.advice : "Neither the figures nor the diagnosis see anything to mend.");
    let button = /** @type {HTMLButtonElement | undefined} */ (item.children[2]);
    if (!problem || !(problem.host || problem.address || problem.state)) return button?.remove();
    // It stays as it is: it may have the focus.
    if (!button) item.append(button = makeButton("small", "Show", () => {}));
    setAttr(button, "aria-label", "Show " + (problem.host ?? problem.address ?? problem.text));
    button.onclick = () => onOpen(problem);
  });
}

/**
 * @param {Model} model @param {boolean} canAct
 * @param {{ onHost: (host: string) => void, onUnblock: (ip: string) => void, onWeight: (ip: string, weight: string) => void }} hooks
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
  const weights = (model.stats.weights || []).slice(0, 200).map((/** @type {Data} */ { ip, since, weight }) => ({
    icon: "info", title: String(ip), more: "Weight " + weight + ", set by hand for " + fmtSpan(model.at - since),
    verb: canAct ? "Change" : "", run: () => hooks.onWeight(String(ip), String(weight)),
  }));
  const items = [...waits, ...blocks, ...weights];
  setText(byId("waits-count"), items.length > 0 ? fmtCount(items.length) : "");
  if (items.length === 0) items.push({ icon: "well", title: "Nobody waits", more: "No address is blocked, and no weight is set by hand.", verb: "", run: () => {} });
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
    setText(body.children[1], plural(numberOr0(opened), "tunnel", "tunnels") + " opened, " + fmtCount(numberOr0(failed)) + " failed"
      + (failure ? ". Avoided" + until + ": " + failure : ""));
  });
}
`;
