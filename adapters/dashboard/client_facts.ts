/**
 * The dashboard's script: what the drawer says of a host, an address, or both.
 *
 * @module
 */

/** Each fact is a name and a value; a long one has a line for itself. */
export const CLIENT_FACTS: string = String.raw`
/** @typedef {[label: string, value: string, full?: boolean]} Fact */

/** So many, of as many as there may be. @param {number} count @param {number | null | undefined} most */
function ofMost(count, most) {
  return fmtCount(count) + (isNumber(most) ? " of " + fmtCount(most) : ", without a limit");
}

/** @param {number} until @param {number} now */
function fmtUntil(until, now) {
  return until < now ? fmtSpan(now - until) + " ago" : "in " + fmtSpan(until - now);
}

/** @param {Line} line @param {Model} model @param {boolean} isHost @returns {Fact[]} */
function factsOfLine(line, model, isHost) {
  const { stats } = line;
  /** @type {Fact[]} */
  const facts = [
    ["State", lineWord(line)], ["In use", fmtCount(line.leased)], ["Idle", fmtCount(line.idle)],
    ["Dialing", fmtCount(isHost ? numberOr0(stats.dialing) : line.dialing)], ["Failures in a row", fmtCount(line.fails)],
    ...factsOfStreams(line, line.connections),
  ];
  const { limits } = model.stats;
  const most = isHost ? stats.maxConnections ?? limits.maxConnectionsPerHost : limits.maxConnectionsPerIp;
  facts.push(["Connections", ofMost(line.connections, most)]);
  if (!isHost) {
    if (line.weight) facts.push(["Weight", line.weight.weight + ", set by hand for " + fmtSpan(model.at - line.weight.since), true]);
    if (line.block) facts.push(["Blocked", (isNumber(line.block.until) ? "for another " + fmtSpan(line.block.until - model.at) : "until it is unblocked") + (line.block.reason ? ": " + line.block.reason : ""), true]);
    return facts;
  }
  facts.push(["Waiting", fmtCount(numberOr0(stats.waiting))], ["Kept open", fmtCount(numberOr0(stats.warmTarget))]);
  const { recent } = model.outlook;
  const now = ownOf(recent.hosts, line.key);
  if (now) {
    const span = ", " + spanOf(recent);
    facts.push(["Requests" + span, fmtCount(now.count)], ["5xx or failed" + span, fmtBad(badShareOf(now))]);
    facts.push(["p50" + span, fmtMs(now.latency.p50)], ["p99" + span, fmtMs(now.latency.p99)], ["Answers" + span, answersOf(now), true]);
  }
  const { count, hedges, hedgesWon } = stats.requests;
  if (count > 0) facts.push(["Requests so far", fmtCount(count)]);
  if (hedges > 0) facts.push(["Hedged", fmtCount(hedges) + ", the second machine faster in " + fmtCount(hedgesWon)]);
  if (stats.toldLater) facts.push(["All say to come back later", saidLater(stats.toldLater, model.at), true]);
  if (stats.panic) facts.push(["Panic", "Fewer than half of its addresses are good, so that none is left alone", true]);
  const { resolution } = stats;
  if (!resolution) return facts;
  const ends = isNumber(resolution.expiresAt) ? (resolution.stale ? ", out of date for " + fmtSpan(model.at - resolution.expiresAt) : ", for another " + fmtSpan(resolution.expiresAt - model.at)) : "";
  facts.push(["Told by", String(resolution.source) + ends, true]);
  if (resolution.error) facts.push(["Last query failed", String(resolution.error), true]);
  return facts;
}

/** Nothing where HTTP/2 is not spoken. @param {Data} figures @param {number} connections @returns {Fact[]} */
function factsOfStreams(figures, connections) {
  const shared = numberOr0(figures.multiplexed);
  if (shared === 0) return [];
  const streams = fmtCount(numberOr0(figures.leases)) + " of " + fmtCount(numberOr0(figures.capacity));
  return [["HTTP/2", fmtCount(shared) + " of " + fmtCount(connections) + " connections"], [shared < connections ? "Streams and leases" : "Streams", streams]];
}

/** Since when, and until when. @param {Data} told @param {number} at */
function saidLater(told, at) {
  return "for " + fmtSpan(at - told.since) + ", for another " + fmtSpan(told.until - at);
}

/** @param {Cell} cell @param {Model} model @returns {Fact[]} */
function factsOfCell(cell, model) {
  const { stats } = cell;
  const health = stats.health || {};
  /** @type {Fact[]} */
  const facts = [
    ["State", wordOf(cell, model.at)], ["In use", fmtCount(numberOr0(stats.leased))], ["Idle", fmtCount(numberOr0(stats.idle))],
    ["Dialing", fmtCount(numberOr0(stats.dialing))], ["Latency expected", fmtMs(stats.latencyMs)], ["Leases so far", fmtCount(stats.picks)],
    ["Weight", stats.weight + (model.addressOf.get(cell.address)?.weight ? ", set by hand" : "")], ["Share of its weight", fmtShare(stats.share)],
    ["Failures in a row", fmtCount(numberOr0(health.consecutiveFailures))], ["Ejections lately", fmtCount(numberOr0(health.ejections))],
  ];
  if (isNumber(stats.standingSince) && cell.state !== "ejected" && cell.state !== "doubtful") facts.splice(1, 0, ["Standing", stats.standing + " for " + fmtSpan(model.at - stats.standingSince)]);
  facts.push(...factsOfStreams(stats, numberOr0(stats.connections)));
  if (stats.toldLater) facts.push([stats.toldLater.restsUntil === null ? "Says to come back later" : "Left alone, as it says", saidLater(stats.toldLater, model.at) + " (" + stats.toldLater.status + ")", true]);
  if (isNumber(stats.ceiling)) facts.push(["Takes no more than", fmtCount(stats.ceiling)]);
  facts.push(["Bytes in and out", fmtTraffic(stats.bytesIn) + " / " + fmtTraffic(stats.bytesOut)]);
  if (isNumber(stats.certificateEndsAt)) facts.push(["Certificate runs out", fmtUntil(stats.certificateEndsAt, model.at)]);
  if (stats.p50Ms !== null) facts.push(["p50 of its last answers", fmtMs(stats.p50Ms)], ["p99 of its last answers", fmtMs(stats.p99Ms)]);
  const { recent } = model.outlook;
  const failing = ownOf(recent.failing, cell.host)?.[cell.address];
  if (failing) facts.push(["5xx, " + spanOf(recent), fmtCount(failing.serverErrors) + " of " + fmtCount(failing.all)]);
  const answers = Object.entries(stats.statuses).map(([name, count]) => fmtCount(count) + " " + name);
  if (answers.length > 0) facts.push(["Answers so far", answers.join(" \u00b7 "), true]);
  const kinds = Object.entries(health.failures || {}).filter(([, count]) => isNumber(count));
  if (kinds.length > 0) facts.push(["Failures by what failed", kinds.map(([kind, count]) => kind + " " + fmtCount(count)).join(", "), true]);
  if (stats.deniedBy) facts.push(["Kept from use by", String(stats.deniedBy), true]);
  if (health.ejectedFor) facts.push(["Why it was ejected", String(health.ejectedFor), true]);
  if (health.verdict) facts.push(["Last verdict", (health.verdict.ok ? "well: " : "not well: ") + health.verdict.reason + " (" + fmtSpan(model.at - numberOr0(health.verdict.at)) + " ago)", true]);
  return facts;
}
`;
