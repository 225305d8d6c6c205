/**
 * The dashboard's script: the list of events, filtered and paused.
 *
 * @module
 */

/** The last thousand events. Only those that are shown are read out of their JSON. */
export const CLIENT_EVENTS: string = String.raw`
const KEPT_EVENTS = 1000;
const SHOWN_EVENTS = 150;

/** What happens with every lease: it tells little by itself, and there is much of it. */
const TRAFFIC = new Set(["waiting", "lease", "release", "check", "dial", "ready", "stats"]);
/** What the diagnosis finds is sent as events too. */
const FOUND = ["leaseHeld", "lockHeld", "starving", "full", "streamsTaken", "dialStorm", "flapping", "allToldLater", "panic", "resolverFailing", "allDenied", "addressesLeftOut", "fleetAlone", "fleetForeign", "otherPort", "proxyUnused"];
const FAILURES = new Set(["dialError", "eject", "leak", "closed", ...FOUND]);
const USUAL = ["dial", "ready", "dialError", "warm", "evict", "addresses", "eject", "readmit", "toldLater", "rested", "ceiling", "block", "unblock", "weight", "fleet", "leak", ...FOUND, "closed", "audit"];
/** Told only to who asks for them, and not kept. */
const FREQUENT = ["waiting", "lease", "release"];
const KINDS = [...USUAL, ...FREQUENT, "check"];

/** What comes again and again while something is wrong: one line for each host, machine and error. */
const GROUPED = new Set(["dialError", "toldLater"]);

/** @typedef {StreamEvent & { key: number, at: number, group: string }} KeptEvent */
/** The latest of some that are alike, when the first of them came, and how many there are. @typedef {{ event: KeptEvent, since: number, count: number }} EventGroup */

/** What makes events alike; nothing where each stands for itself. @param {StreamEvent} event @param {Data} data */
function groupOf({ name }, data) {
  return GROUPED.has(name) ? [name, data.host, data.address, data.reason, data.status, errorText(data.error)].join(" ") : "";
}

/**
 * Puts those that are alike together, where the latest of them stands.
 * @param {Iterable<KeptEvent>} latestFirst @param {number} most How many groups at the most
 * @param {string} apart The kind of which each is wanted by itself
 */
function groupEvents(latestFirst, most, apart) {
  /** @type {Map<string, EventGroup>} */
  const groups = new Map();
  for (const event of latestFirst) {
    const key = event.name === apart ? "#" + event.key : event.group || "#" + event.key;
    const group = groups.get(key);
    if (group) {
      group.count++;
      group.since = event.at;
    } else if (groups.size < most) groups.set(key, { event, since: event.at, count: 1 });
  }
  return groups;
}

class EventLog {
  /** @param {() => void} onWanted Other events are wanted than before */
  constructor(onWanted) {
    this.wanted = "";
    /** @type {KeptEvent[]} */
    this.kept = [];
    this.count = 0;
    this.paused = false;
    this.pausedAt = 0;
    this.missed = 0;
    /** @type {Map<string, HTMLElement>} */
    this.nodes = new Map();
    const kind = selectOf("events-kind");
    for (const [value, text] of [["notable", "Notable"], ["failures", "Failures"], ["all", "All"], ...KINDS.map((name) => [name, name])]) {
      kind.append(new Option(text, value));
    }
    const again = () => this.draw();
    kind.addEventListener("change", () => {
      const more = kind.value === "all" ? FREQUENT : [...FREQUENT, "check"].filter((name) => name === kind.value);
      const wanted = more.length > 0 ? [...USUAL, "stats", "sample", ...more].join(",") : "";
      if (wanted !== this.wanted) {
        this.wanted = wanted;
        onWanted();
      }
      again();
    });
    inputOf("events-filter").addEventListener("input", again);
    byId("events-pause").addEventListener("click", () => this.pause(!this.paused));
    byId("events-clear").addEventListener("click", () => {
      this.clear();
      this.draw();
    });
    this.draw();
  }

  clear() {
    this.kept = [];
    this.missed = 0;
    this.pausedAt = this.count;
  }

  /** @param {StreamEvent} event */
  add(event) {
    const data = parseJson(event.data) ?? {};
    this.kept.push({ ...event, key: ++this.count, at: isNumber(data.at) ? data.at : Date.now(), group: groupOf(event, data) });
    if (this.paused) this.missed++;
    // Dropped by the hundred: shifting a long list for each event costs.
    if (this.kept.length > KEPT_EVENTS + 200 && !this.paused) this.kept.splice(0, 200);
    else if (this.kept.length > KEPT_EVENTS * 5) this.kept.splice(0, KEPT_EVENTS);
  }

  /** @param {boolean} paused */
  pause(paused) {
    this.paused = paused;
    this.pausedAt = this.count;
    this.missed = 0;
    byId("events-pause").setAttribute("aria-pressed", String(paused));
    this.draw();
  }

  draw() {
    const kind = selectOf("events-kind").value;
    const words = inputOf("events-filter").value.trim().toLowerCase();
    const groups = groupEvents(this.wantedOf(kind, words), SHOWN_EVENTS, kind);
    setText(byId("events-count"), this.paused && this.missed > 0 ? fmtCount(this.missed) + " new" : "");
    const log = byId("log");
    for (const [key, node] of this.nodes) {
      if (groups.has(key)) continue;
      node.remove();
      this.nodes.delete(key);
    }
    log.querySelector(".none")?.remove();
    let index = 0;
    for (const [key, group] of groups) {
      let node = this.nodes.get(key);
      if (!node) this.nodes.set(key, node = makeEvent(group.event));
      fillEvent(node, group);
      place(log, node, index++);
    }
    if (groups.size === 0) {
      const none = make("li", "none muted");
      none.append(make("span", "what", kind === "notable" && !words ? "Nothing notable so far." : "No event of this kind so far."));
      log.append(none);
    }
  }

  /** What is to be seen, the latest first. @param {string} kind @param {string} words */
  *wantedOf(kind, words) {
    for (let index = this.kept.length - 1; index >= 0; index--) {
      const event = this.kept[index];
      if (this.paused && event.key > this.pausedAt) continue;
      if (kind === "notable" ? TRAFFIC.has(event.name) : kind === "failures" ? !isFailure(event) : kind !== "all" && event.name !== kind) continue;
      if (words && !event.name.toLowerCase().includes(words) && !event.data.toLowerCase().includes(words)) continue;
      yield event;
    }
  }
}

/** @param {StreamEvent} event */
function isFailure({ name, data }) {
  return FAILURES.has(name) || (name === "evict" && data.includes('"error"'));
}

/** @param {KeptEvent} event */
function makeEvent(event) {
  const data = parseJson(event.data) ?? {};
  const item = make("li", event.name === "eject" || event.name === "closed" ? "critical" : isFailure(event) || event.name === "waiting" ? "warning" : "");
  const kind = make("span", "kind");
  if (item.className) kind.append(makeIcon(item.className === "critical" ? "ejected" : "doubtful"));
  kind.append(make("span", "", event.name), make("span", "times"));
  const what = make("span", "what");
  what.append(make("span", "", describeEvent(event.name, data)), make("span", "muted"));
  item.append(make("time"), kind, what);
  return item;
}

/** @param {HTMLElement} item @param {EventGroup} group */
function fillEvent(item, { count, event, since }) {
  const [time, kind, what] = item.children;
  setText(time, fmtClock(event.at));
  setAttr(time, "datetime", new Date(event.at).toISOString());
  setText(/** @type {Element} */ (kind.lastElementChild), count > 1 ? "\u00d7" + fmtCount(count) : "");
  setText(what.children[1], count > 1 ? " \u00b7 last " + fmtSpan(Date.now() - event.at) + " ago, first at " + fmtClock(since) : "");
}

/** @param {Data} error */
function errorText(error) {
  return typeof error === "string" ? error : error && typeof error.message === "string" ? error.message : "";
}

/** An event in words. @param {string} name @param {Data} data */
function describeEvent(name, data) {
  const where = [data.host, data.address ? "at " + data.address : ""].filter(Boolean).join(" ");
  const error = errorText(data.error);
  const list = (/** @type {unknown} */ value) => (Array.isArray(value) && value.length > 0 ? value.slice(0, 6).join(", ") + (value.length > 6 ? ", \u2026" : "") : "none");
  switch (name) {
    case "ready": return where + ": connection " + data.connectionId + ", TCP " + fmtMs(data.tcpMs) + ", TLS " + fmtMs(data.tlsMs);
    case "dialError": return where + ": " + (error || "the dial failed");
    case "waiting": return where + ": " + plural(numberOr0(data.waiters), "caller waits", "callers wait");
    case "warm": return where + ": " + fmtCount(data.done) + " of " + fmtCount(data.total);
    case "lease": return where + ": connection " + data.connectionId + (data.reused ? ", reused" : ", new") + ", waited " + fmtMs(data.waitedMs);
    case "release": return where + ": connection " + data.connectionId + ", held " + fmtMs(data.heldMs) + (data.kept ? "" : ", not kept");
    case "evict": return where + ": connection " + data.connectionId + ", " + data.reason + (error ? ": " + error : "");
    case "addresses": return where + ": added " + list(data.added) + "; removed " + list(data.removed);
    case "eject": return where + " for " + fmtSpan(numberOr0(data.forMs)) + ": " + data.reason;
    case "readmit": return where;
    case "block": return data.ip + (isNumber(data.until) ? " until " + fmtClock(data.until) : "") + (data.reason ? ": " + data.reason : "");
    case "unblock": return String(data.ip ?? "");
    case "weight": return data.ip + (data.weight === null ? ": taken off" : ": " + data.weight);
    case "leak": return where + ": " + (data.url ?? "");
    case "closed": return "with a grace of " + fmtMs(data.graceMs);
    case "audit": return [data.who, data.action, data.target, data.outcome, data.message].filter((part) => typeof part === "string" && part !== "").join(" \u00b7 ");
    default: return where || JSON.stringify(data).slice(0, 200);
  }
}
`;
