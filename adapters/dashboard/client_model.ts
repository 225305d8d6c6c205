/**
 * The dashboard's script: what follows from a pool's figures.
 *
 * @module
 */

/** Makes rows and columns of the figures, says what is wrong, and keeps the last five minutes. */
export const CLIENT_MODEL: string = String.raw`
/** @typedef {"good" | "starting" | "doubtful" | "ejected" | "blocked" | "denied" | "gone"} State */
/** @typedef {{ key: string, host: string, address: string, stats: Data, state: State, fails: number, latency: number | null }} Cell */
/** @typedef {{ key: string, stats: Data, cells: Cell[], byOther: Map<string, Cell>, state: State, worst: State, block: Data, leased: number, idle: number, connections: number, multiplexed: number, leases: number, capacity: number, dialing: number, fails: number, trouble: number }} Line */
/** @typedef {{ severity: "critical" | "warning", text: string, state?: string, host?: string }} Problem */
/** @typedef {{ stats: Data, at: number, hosts: Line[], addresses: Line[], hostOf: Map<string, Line>, addressOf: Map<string, Line>, cellCount: number, problems: Problem[] }} Model */

/** How bad a state is, the worst last. */
const STATES = /** @type {readonly State[]} */ (["good", "starting", "gone", "denied", "blocked", "doubtful", "ejected"]);
const TROUBLE = new Set(["doubtful", "ejected"]);
const USABLE = new Set(["good", "starting", "doubtful"]);
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

/** @param {string} address @param {Map<string, Data>} blocks @returns {Data} */
function blockOf(address, blocks) {
  return blocks.size === 0 ? null : blocks.get(ipOf(address)) ?? blocks.get(address) ?? blocks.get(withPort(address)) ?? null;
}

/** @param {string} address @param {Data} stats @param {Map<string, Data>} blocks @returns {State} */
function stateOf(address, stats, blocks) {
  if (blockOf(address, blocks)) return "blocked";
  if (stats.deniedBy) return "denied";
  if (stats.standing === "ejected" || stats.standing === "doubtful" || stats.standing === "gone") return stats.standing;
  return isNumber(stats.share) && stats.share < 1 ? "starting" : "good";
}

/**
 * A percentile of how long requests take; of how long answers take, before the first one is done;
 * null before the first one.
 * @param {Data} pool Its figures @param {"p50" | "p90" | "p99"} name @returns {number | null}
 */
function percentile({ times }, name) {
  return times.total[name] ?? times.firstByte[name];
}

/** @param {string} key @param {Data} stats @returns {Line} */
function newLine(key, stats) {
  return { key, stats, cells: [], byOther: new Map(), state: "good", worst: "good", block: null, leased: 0, idle: 0, connections: 0, multiplexed: 0, leases: 0, capacity: 0, dialing: 0, fails: 0, trouble: 0 };
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
  else line.state = cells.some(({ state }) => state === "good") ? "good" : "starting";
}

/** @param {Data} stats @returns {Model} */
function buildModel(stats) {
  const blocks = new Map();
  for (const block of stats.blocks || []) blocks.set(String(block.ip), block);
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
      const latency = own.p99Ms ?? own.latencyMs;
      const cell = { key: host + " " + address, host, address, stats: own, state, fails: numberOr0(own.failures), latency };
      cellCount++;
      addCell(line, address, cell);
      let other = addressOf.get(address);
      if (!other) {
        addressOf.set(address, other = newLine(address, {}));
        other.block = blockOf(address, blocks);
      }
      addCell(other, host, cell);
    }
  }
  const addresses = [...addressOf.values()].sort((a, b) => names.compare(a.key, b.key));
  const hosts = [...hostOf.values()];
  // In the addresses' order, without sorting each host's own.
  for (const line of hosts) line.cells = [];
  for (const { cells } of addresses) for (const cell of cells) hostOf.get(cell.host)?.cells.push(cell);
  for (const line of hosts) settle(line);
  for (const line of addresses) settle(line);
  const at = isNumber(stats.at) ? stats.at : Date.now();
  return { stats, at, hosts, addresses, hostOf, addressOf, cellCount, problems: problemsOf(stats, hosts, addresses) };
}

/** @param {Data} stats @param {Line[]} hosts @param {Line[]} addresses @returns {Problem[]} */
function problemsOf(stats, hosts, addresses) {
  /** @type {Problem[]} */
  const problems = [];
  for (const { key, stats: figures, cells } of hosts) {
    const resolution = figures.resolution || {};
    if (cells.length > 0 && !cells.some(({ state }) => USABLE.has(state))) {
      problems.push({ severity: "critical", host: key, text: key + " has no usable address" });
    } else if (cells.length === 0 && resolution.error) {
      problems.push({ severity: "critical", host: key, text: key + " is not resolved" });
    } else if (figures.panic) {
      // As the diagnosis has it: callers fail where none is good.
      const severity = cells.some(({ state }) => state === "good" || state === "starting") ? "warning" : "critical";
      problems.push({ severity, host: key, text: "Fewer than half of " + key + "\u2019s addresses are good" });
    } else if (resolution.stale) {
      problems.push({ severity: "warning", host: key, text: "Addresses of " + key + " are out of date" });
    }
  }
  const count = (/** @type {State} */ state) => addresses.filter(({ cells }) => cells.some((cell) => cell.state === state)).length;
  const ejected = count("ejected");
  const doubtful = count("doubtful");
  const waiting = numberOr0(stats.waiting);
  if (ejected > 0) problems.push({ severity: "warning", state: "ejected", text: plural(ejected, "address", "addresses") + " ejected" });
  if (doubtful > 0) problems.push({ severity: "warning", state: "doubtful", text: plural(doubtful, "address", "addresses") + " doubtful" });
  if (waiting > 0) problems.push({ severity: "warning", text: plural(waiting, "caller waits", "callers wait") });
  return problems;
}

/** Why a cell is not good, in a few words; its state's name where there is nothing to add. @param {Cell} cell @param {number} now */
function wordOf(cell, now) {
  const { state, stats } = cell;
  if ((state === "ejected" || state === "doubtful") && isNumber(stats.retryAt) && stats.retryAt > now) {
    return state + ", again in " + fmtSpan(stats.retryAt - now);
  }
  return state === "starting" ? "starting, " + fmtShare(stats.share) : state;
}

/** How many points a line has: five minutes at one in two seconds. */
const POINTS = 150;

/** The last five minutes of the figures that the tiles show. */
class Trail {
  constructor() {
    /** @type {Data} */
    this.last = null;
    /** @type {Record<string, (number | null)[]>} */
    this.lines = { leases: [], latency: [], handshakes: [], reuse: [], busy: [], waiting: [] };
  }

  /** @param {Data} stats @param {number} at */
  add(stats, at) {
    const before = this.last;
    this.last = { ...stats, hosts: undefined, at };
    const seconds = before ? (at - before.at) / 1000 : 0;
    // Counts that go back are another pool's: it was made anew.
    if (!before || seconds <= 0.2 || numberOr0(stats.acquired) < numberOr0(before.acquired)) return;
    const more = (/** @type {string} */ name) => Math.max(0, numberOr0(stats[name]) - numberOr0(before[name]));
    const leases = more("acquired");
    const requests = stats.requests.count;
    this.push("leases", (requests === 0 ? leases : Math.max(0, requests - before.requests.count)) / seconds);
    this.push("handshakes", more("dials") / seconds);
    this.push("reuse", leases > 0 ? Math.min(1, more("reused") / leases) : null);
    this.push("latency", percentile(stats, "p99") ?? latencyTotals(stats));
    this.push("busy", numberOr0(stats.leased));
    this.push("waiting", numberOr0(stats.waiting));
  }

  /** @param {string} name @param {number | null} value */
  push(name, value) {
    const line = this.lines[name];
    line.push(value);
    if (line.length > POINTS) line.shift();
  }
}

/** What an answer is expected to take, over all addresses by their leases; null where nobody knows. @param {Data} stats */
function latencyTotals(stats) {
  let sum = 0;
  let weight = 0;
  for (const host in stats.hosts) {
    const { addresses } = stats.hosts[host];
    for (const address in addresses) {
      const { latencyMs, picks } = addresses[address];
      if (!isNumber(latencyMs)) continue;
      sum += latencyMs * (numberOr0(picks) + 1);
      weight += numberOr0(picks) + 1;
    }
  }
  return weight > 0 ? sum / weight : null;
}
`;
