/**
 * The dashboard's script: all pools at a glance, those in trouble first.
 *
 * @module
 */

/** What one sees first where there are several pools. */
export const CLIENT_OVERVIEW: string = String.raw`
/** @typedef {{ name: string, at: number, worst: "critical" | "warning" | "fine", problems: Problem[], problemCount: number, hosts: number, addresses: number, connections: number, leased: number, idle: number, waiting: number, recent: Data }} PoolAtGlance */

const WORST = /** @type {const} */ (["critical", "warning", "fine"]);
const POOL_FIGURES = ["Requests", "5xx or failed", "p99", "Waiting", "In use"];

/** The worst first; what is equally bad by name. @param {readonly PoolAtGlance[]} pools */
function sortPools(pools) {
  return [...pools].sort((a, b) => WORST.indexOf(a.worst) - WORST.indexOf(b.worst) || names.compare(a.name, b.name));
}

/** What the pools come to together. @param {readonly PoolAtGlance[]} pools */
function glanceOf(pools) {
  const ill = pools.filter(({ worst }) => worst !== "fine").length;
  const worst = WORST.find((state) => pools.some((pool) => pool.worst === state)) ?? "fine";
  const headline = worst === "fine" ? HEADLINES.fine : ill === pools.length ? HEADLINES[worst] + " in every pool" : HEADLINES[worst] + " in " + fmtCount(ill) + " of " + plural(pools.length, "pool", "pools");
  // One of each pool: the pool's own page tells the others.
  const problems = sortPools(pools).flatMap(({ name, problems: [problem], worst }) => (problem && worst !== "fine" ? [{ ...problem, text: name + ": " + problem.text }] : []));
  return { worst, headline, problems };
}

function makePool() {
  const item = make("li");
  const link = make("a", "pool");
  const name = make("span", "name");
  name.append(makeIcon("well"), make("b", "clip"));
  const figures = make("span", "figures");
  for (const label of POOL_FIGURES) {
    const figure = make("span", "figure");
    figure.append(make("b"), " ", make("small", "muted", label));
    figures.append(figure);
  }
  link.append(name, make("span", "what"), figures, make("span", "sub muted"));
  item.append(link);
  return item;
}

/** @param {HTMLElement} item @param {PoolAtGlance} pool */
function fillPool(item, { addresses, connections, hosts, leased, name, problemCount, problems, recent, waiting, worst }) {
  const link = item.children[0];
  const [title, what, figures, sub] = link.children;
  setAttr(link, "href", writePlace({ ...START, pool: name }));
  setAttr(link, "data-worst", worst);
  setIcon(title.children[0], worst === "critical" ? "ejected" : worst === "warning" ? "doubtful" : "well", "tone-" + worst);
  setText(title.children[1], name);
  const grave = problems.filter(({ severity }) => severity !== "info");
  setText(what, grave.length === 0 ? HEADLINES.fine : grave.slice(0, 2).map(({ text }) => text).join("; ") + (problemCount > 2 ? "; and " + fmtCount(problemCount - 2) + " more" : ""));
  const values = [
    fmtRate(rateOf(recent)) + "/s", fmtBad(badShareOf(recent.requests)), fmtMs(latencyOf(recent).p99),
    fmtCount(waiting), fmtCount(leased) + " of " + fmtCount(connections),
  ];
  values.forEach((value, index) => setText(figures.children[index].children[0], value));
  setText(sub, plural(hosts, "host", "hosts") + ", " + plural(addresses, "address", "addresses"));
}

/** @param {readonly PoolAtGlance[]} pools */
function drawOverview(pools) {
  const { headline, problems, worst } = glanceOf(pools);
  const sum = (/** @type {"hosts" | "connections"} */ name) => pools.reduce((sum, pool) => sum + numberOr0(pool[name]), 0);
  showGlance(worst, headline, plural(pools.length, "pool", "pools") + ", " + plural(sum("hosts"), "host", "hosts") + ", " + plural(sum("connections"), "connection", "connections"));
  // What is wrong stands with the pools, right below.
  drawChips([], () => {});
  const longest = Math.max(...pools.map(({ recent }) => numberOr0(recent.ms)));
  setText(byId("pools-count"), "Trouble first \u00b7 figures of the " + spanOf({ ms: longest }));
  fillList(byId("pools"), sortPools(pools), makePool, fillPool);
  return spoken(worst, headline, problems.slice(0, SHOWN_PROBLEMS));
}

/** What of the other pools one should know while one looks at one. @param {readonly PoolAtGlance[]} pools @param {string} own */
function drawOthers(pools, own) {
  const ill = pools.filter(({ name, worst }) => name !== own && worst !== "fine");
  const badge = byId("others");
  show(badge, ill.length > 0);
  if (ill.length === 0) return;
  setText(badge.children[0], fmtCount(ill.length));
  setAttr(badge, "class", "badge " + (ill.some(({ worst }) => worst === "critical") ? "critical" : "warning"));
}
`;
