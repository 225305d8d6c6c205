/**
 * The dashboard's script: what follows from a pool's figures.
 *
 * @module
 */

/** Makes rows and columns of the figures, marks what is in trouble, and keeps the last five minutes. */
export const CLIENT_MODEL: string = String.raw`
/** @typedef {"good" | "starting" | "doubtful" | "ejected" | "blocked" | "denied" | "gone" | "untried" | "resting"} State */
/** @typedef {{ key: string, host: string, address: string, stats: Data, state: State, fails: number, latency: number | null }} Cell */
/** @typedef {{ key: string, stats: Data, cells: Cell[], byOther: Map<string, Cell>, state: State, worst: State, problem: Problem | undefined, sign: State, rank: number, block: Data, weight: Data, leased: number, idle: number, connections: number, multiplexed: number, leases: number, capacity: number, dialing: number, fails: number, trouble: number }} Line */
/** @typedef {{ severity: "critical" | "warning" | "info", what: string, text: string, message: string, advice: string, state?: string, host?: string, address?: string }} Problem */
/** @typedef {{ worst: "critical" | "warning" | "fine", problems: Problem[], recent: Data, closed: boolean }} Outlook */
/** @typedef {{ stats: Data, at: number, outlook: Outlook, hosts: Line[], addresses: Line[], hostOf: Map<string, Line>, addressOf: Map<string, Line>, cellCount: number }} Model */

/** How bad a state is, the worst last. */
const STATES = /** @type {readonly State[]} */ (["good", "untried", "starting", "gone", "denied", "blocked", "resting", "doubtful", "ejected"]);
const TROUBLE = new Set(["resting", "doubtful", "ejected"]);
const USABLE = new Set(["good", "untried", "starting", "resting", "doubtful"]);
const names = new Intl.Collator("en", { numeric: true });

/** @param {string} address The IP address alone. */
function ipOf(address) {
  if (address.startsWith("[")) return address.slice(1, address.indexOf("]"));
  const colon = address.indexOf(":");
  return colon >= 0 && colon === address.lastIndexOf(":") ? address.slice(0, colon) : address;
}

/** An address with its port, the usual one included. @param {string} address */
function withPort(address) {
  const ip = ipOf(address);
  return ip !== address ? address : ip.includes(":") ? "[" + ip + "]:443" : ip + ":443";
}

/** What is ordered for an address, or for all ports of its IP address. @param {string} address @param {Map<string, Data>} orders @returns {Data} */
function orderFor(address, orders) {
  return orders.size === 0 ? null : orders.get(address) ?? orders.get(withPort(address)) ?? orders.get(ipOf(address)) ?? null;
}

/** @param {string} address @param {Data} stats @param {Map<string, Data>} blocks @returns {State} */
function stateOf(address, stats, blocks) {
  if (orderFor(address, blocks)) return "blocked";
  if (stats.deniedBy) return "denied";
  if (stats.standing === "ejected" || stats.standing === "doubtful" || stats.standing === "gone") return stats.standing;
  // It has said so itself, by 503 and when to come back.
  if (isNumber(stats.toldLater?.restsUntil)) return "resting";
  if (isUntried(stats)) return "untried";
  return isNumber(stats.share) && stats.share < 1 ? "starting" : "good";
}

/** Whether nothing is known of it: no connection, and none before. @param {Data} stats */
function isUntried({ connections, dialing, failures, health, picks }) {
  return numberOr0(connections) + numberOr0(dialing) + numberOr0(failures) + numberOr0(picks) === 0 && !health?.verdict;
}

/** @param {string} key @param {Data} stats @returns {Line} */
function newLine(key, stats) {
  return { key, stats, cells: [], byOther: new Map(), state: "good", worst: "good", problem: undefined, sign: "good", rank: 0, block: null, weight: null, leased: 0, idle: 0, connections: 0, multiplexed: 0, leases: 0, capacity: 0, dialing: 0, fails: 0, trouble: 0 };
}

/** @param {Line} line @param {string} other @param {Cell} cell */
function addCell(line, other, cell) {
  const { stats, state } = cell;
  line.cells.push(cell);
  line.byOther.set(other, cell);
  line.leased += numberOr0(stats.leased);
  line.multiplexed += numberOr0(stats.multiplexed);
  line.leases += numberOr0(stats.leases);
  line.capacity += numberOr0(stats.capacity);
  line.idle += numberOr0(stats.idle);
  line.connections += numberOr0(stats.connections);
  line.dialing += numberOr0(stats.dialing);
  line.fails += cell.fails;
  if (TROUBLE.has(state)) line.trouble++;
  if (STATES.indexOf(state) > STATES.indexOf(line.worst)) line.worst = state;
}

/** How a line stands as a whole: as well as its best, and doubtful while another is in trouble. @param {Line} line */
function settle(line) {
  const { cells, trouble, worst } = line;
  if (!cells.some(({ state }) => USABLE.has(state))) line.state = worst;
  else if (trouble > 0) line.state = "doubtful";
  else line.state = (/** @type {const} */ (["good", "starting", "untried"])).find((wanted) => cells.some(({ state }) => state === wanted)) ?? "gone";
}

/** Marks a line by what is said of it: nothing that is in trouble looks well, or stands below what is. @param {Line} line @param {Problem | undefined} problem */
function mark(line, problem) {
  line.problem = problem;
  line.sign = !problem ? line.state : problem.severity === "critical" ? "ejected" : line.state === "ejected" ? "ejected" : "doubtful";
  line.rank = (problem?.severity === "critical" ? 200 : problem ? 100 : 0) + STATES.indexOf(line.state);
}

/** The worst problem of each host, or of each address. @param {readonly Problem[]} problems @param {"host" | "address"} about */
function problemsBy(problems, about) {
  /** @type {Map<string, Problem>} */
  const worst = new Map();
  for (const problem of problems) {
    const key = problem[about];
    // They come the worst first.
    if (key !== undefined && problem.severity !== "info" && !worst.has(key)) worst.set(key, problem);
  }
  return worst;
}

/** @param {Data} stats @returns {Model} */
function buildModel(stats) {
  const blocks = new Map();
  for (const block of stats.blocks || []) blocks.set(String(block.ip), block);
  const weights = new Map();
  for (const weight of stats.weights || []) weights.set(String(weight.ip), weight);
  /** @type {Map<string, Line>} */
  const hostOf = new Map();
  /** @type {Map<string, Line>} */
  const addressOf = new Map();
  let cellCount = 0;
  const hostNames = Object.keys(stats.hosts || {}).sort(names.compare);
  for (const host of hostNames) {
    const figures = stats.hosts[host] || {};
    const line = newLine(host, figures);
    hostOf.set(host, line);
    for (const address of Object.keys(figures.addresses || {})) {
      const own = figures.addresses[address] || {};
      const state = stateOf(address, own, blocks);
      const cell = { key: host + " " + address, host, address, stats: own, state, fails: numberOr0(own.health?.consecutiveFailures), latency: own.latencyMs ?? null };
      cellCount++;
      addCell(line, address, cell);
      let other = addressOf.get(address);
      if (!other) {
        addressOf.set(address, other = newLine(address, {}));
        other.block = orderFor(address, blocks);
        other.weight = orderFor(address, weights);
      }
      addCell(other, host, cell);
    }
  }
  const addresses = [...addressOf.values()].sort((a, b) => names.compare(a.key, b.key));
  const hosts = [...hostOf.values()];
  // In the addresses' order, without sorting each host's own.
  for (const line of hosts) line.cells = [];
  for (const { cells } of addresses) for (const cell of cells) hostOf.get(cell.host)?.cells.push(cell);
  /** @type {Outlook} */
  const outlook = stats.outlook;
  const ofHost = problemsBy(outlook.problems, "host");
  const ofAddress = problemsBy(outlook.problems, "address");
  for (const line of hosts) {
    settle(line);
    mark(line, ofHost.get(line.key));
  }
  for (const line of addresses) {
    settle(line);
    mark(line, ofAddress.get(line.key));
  }
  const at = isNumber(stats.at) ? stats.at : Date.now();
  return { stats, at, outlook, hosts, addresses, hostOf, addressOf, cellCount };
}

/** Why a cell is not good, in a few words; its state's name where there is nothing to add. @param {Cell} cell @param {number} now */
function wordOf(cell, now) {
  const { state, stats } = cell;
  if (state === "ejected" || state === "doubtful") {
    const since = isNumber(stats.standingSince) ? state + " for " + fmtSpan(now - stats.standingSince) : state;
    return isNumber(stats.retryAt) && stats.retryAt > now ? since + ", again in " + fmtSpan(stats.retryAt - now) : since;
  }
  if (state === "resting") return stats.toldLater.restsUntil > now ? "resting, again in " + fmtSpan(stats.toldLater.restsUntil - now) : state;
  return state === "starting" ? "starting, " + fmtShare(stats.share) : wordOfState(state);
}

/** @param {State} state @returns {string} */
function wordOfState(state) {
  return state === "untried" ? "not tried" : state;
}

/** How many points a line has, and how far apart they are, in milliseconds: it is of five minutes. */
const POINTS = 150;
const POINT_MS = 2000;

/** The last five minutes of the figures that the tiles show. */
class Trail {
  constructor() {
    /** @type {Data} */
    this.last = null;
    /** @type {Record<string, (number | null)[]>} */
    this.lines = { requests: [], bad: [], latency: [], again: [], waiting: [], handshakes: [], busy: [], ended: [] };
  }

  /** @param {Data} stats @param {number} at */
  add(stats, at) {
    const before = this.last;
    this.last = { ...stats, hosts: undefined, at };
    const seconds = before ? (at - before.at) / 1000 : 0;
    // Counts that go back are another pool's: it was made again.
    if (!before || seconds <= 0.2 || numberOr0(stats.acquired) < numberOr0(before.acquired)) return;
    const more = (/** @type {string} */ name) => Math.max(0, numberOr0(stats[name]) - numberOr0(before[name]));
    const { requests } = stats;
    const since = (/** @type {string} */ name) => Math.max(0, requests[name] - before.requests[name]);
    this.push("requests", (requests.count === 0 ? more("acquired") : since("count")) / seconds);
    const fives = Math.max(0, fivesOf(requests) - fivesOf(before.requests));
    this.push("bad", badShareOf({ successes: since("successes"), failures: since("failures"), statuses: { "5xx": fives } }));
    this.push("latency", latencyOf(stats.outlook.recent).p99);
    this.push("again", since("retries") + since("hedges"));
    this.push("waiting", numberOr0(stats.waiting));
    this.push("handshakes", more("dials") / seconds);
    this.push("busy", numberOr0(stats.leased));
    this.push("ended", Math.max(0, sumOf(stats.evicted) - sumOf(before.evicted)));
  }

  /** Begins with what is known of the time before the page was opened. @param {readonly Data[]} samples */
  fill(samples) {
    const from = numberOr0(samples[samples.length - 1]?.at) - POINTS * POINT_MS;
    const live = this.lines;
    this.lines = Object.fromEntries(Object.keys(live).map((name) => [name, []]));
    for (const sample of samples.filter(({ at }) => at > from)) {
      const { acquired, cancelled, failures, ms, successes } = sample;
      const ended = successes + failures;
      /** @type {Record<string, number | null>} */
      const values = {
        requests: ((ended + cancelled || acquired) * 1000) / ms,
        bad: badShareOf(sample),
        latency: sample.p99Ms,
        again: ((sample.retries + sample.hedges) * POINT_MS) / ms,
        waiting: sample.waiting,
        handshakes: (sample.dials * 1000) / ms,
        busy: sample.leased,
        ended: (sample.evicted * POINT_MS) / ms,
      };
      for (let point = Math.min(POINTS, Math.round(ms / POINT_MS)); point > 0; point--) {
        for (const name in values) this.push(name, values[name]);
      }
    }
    for (const name in live) for (const value of live[name]) this.push(name, value);
  }

  /** The last value that is known, of the last half minute. @param {string} name @returns {number | null} */
  latest(name) {
    return this.lines[name].slice(-15).findLast((value) => value !== null) ?? null;
  }

  /** @param {string} name @param {number | null} value */
  push(name, value) {
    const line = this.lines[name];
    line.push(value);
    if (line.length > POINTS) line.shift();
  }
}

/** Those who got no good answer, as a share of all who got one or none; null where nobody asked. @param {Data} requests @returns {number | null} */
function badShareOf(requests) {
  const all = requests.successes + requests.failures;
  return all > 0 ? Math.min(all, fivesOf(requests) + requests.failures) / all : null;
}

/** @param {Data} recent */
function latencyOf({ firstByte, total }) {
  return total.count > 0 ? total : firstByte;
}

/** @param {Data} requests */
function fivesOf({ statuses }) {
  return numberOr0(statuses["5xx"]);
}

/** @param {Data} counts Counts by name */
function sumOf(counts) {
  let sum = 0;
  for (const name in counts) sum += numberOr0(counts[name]);
  return sum;
}
`;
