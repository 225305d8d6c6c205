/**
 * The dashboard's script: the limits of a pool, and how much of them is used.
 *
 * @module
 */

/** What is used of a limit stands beside it: in all, and where it is used most. */
export const CLIENT_LIMITS: string = String.raw`
/** @typedef {{ label: string, where: string, used: number, most: number | null }} Use */

/** The line of which most of its limit is used. @param {readonly Line[]} lines @param {(line: Line) => number | null} limitOf */
function fullest(lines, limitOf) {
  /** @type {{ line: Line, most: number | null } | undefined} */
  let found;
  let share = -1;
  for (const line of lines) {
    const most = limitOf(line);
    const own = most === null ? line.connections / 1e9 : line.connections / most;
    if (own > share) [found, share] = [{ line, most }, own];
  }
  return found;
}

/** @param {Model} model @returns {Use[]} */
function usesOf({ addresses, hosts, stats }) {
  const { limits } = stats;
  const uses = [{ label: "Connections", where: "", used: numberOr0(stats.connections) + numberOr0(stats.dialing), most: limits.maxConnections }];
  const host = fullest(hosts, ({ stats }) => stats.maxConnections ?? limits.maxConnectionsPerHost);
  if (host) uses.push({ label: "To one host", where: host.line.key, used: host.line.connections, most: host.most });
  const address = fullest(addresses, () => limits.maxConnectionsPerIp);
  if (address) uses.push({ label: "To one address", where: address.line.key, used: address.line.connections, most: address.most });
  if (limits.maxIdleConnections !== null) uses.push({ label: "Idle", where: "", used: numberOr0(stats.idle), most: limits.maxIdleConnections });
  uses.push({ label: "Callers who wait", where: "", used: numberOr0(stats.waiting), most: limits.maxWaiters });
  return uses;
}

/** @param {Model} model */
function drawLimits(model) {
  fillList(byId("limits-list"), usesOf(model), () => {
    const item = make("div", "use");
    const label = make("dt");
    label.append(make("span"), make("span", "muted clip"));
    const bar = make("dd");
    bar.append(makeMeter(""));
    item.append(label, make("dd"), bar);
    return item;
  }, (item, { label, most, used, where }) => {
    const [title, figure, bar] = item.children;
    setText(title.children[0], label);
    setText(title.children[1], where);
    setAttr(title, "title", where);
    setText(figure, ofMost(used, most));
    setAttr(item, "class", most !== null && used >= most ? "use full" : most !== null && used >= 0.9 * most ? "use near" : "use");
    fillMeter(bar.children[0], Math.min(used, most ?? 0), most === null ? 0 : Math.max(0, most - used));
  });
}

/** What the dialog that changes limits begins with. @param {Model | undefined} model @returns {Record<string, string>} */
function limitsPreset(model) {
  /** @type {Record<string, string>} */
  const preset = {};
  for (const name of ["maxConnections", "maxConnectionsPerHost", "maxConnectionsPerIp"]) {
    const limit = model?.stats.limits[name];
    preset[name] = isNumber(limit) ? String(limit) : "";
  }
  return preset;
}

/** What would change, in words. @param {readonly Field[]} fields @param {Record<string, string>} preset @param {Data} body */
function limitsChange(fields, preset, body) {
  const changes = fields.filter(({ name }) => name in body)
    .map(({ label, name }) => label + ": " + (preset[name] || "no limit") + " \u2192 " + fmtCount(body[name]));
  return changes.length > 0 ? changes.join("; ") : "Nothing changes so far.";
}
`;
