/**
 * The dashboard's script: the history of a pool or a host, drawn.
 *
 * @module
 */

/** Charts over one time: whatever one of them is asked for at a moment, all of them tell of it. */
export const CLIENT_HISTORY: string = String.raw`
/** @typedef {{ label: string, tone: string, of: (sample: Data) => number | null }} Series */
/** @typedef {{ title: string, format: (value: number | null) => string, series: readonly Series[] }} Chart */

/** How wide and high a chart is, in its own units. */
const CHART = { width: 300, height: 100 };

/** @param {Data} sample @param {number} count */
function aSecond({ ms }, count) {
  return ms > 0 ? (count * 1000) / ms : null;
}

/** @param {Data} sample @param {readonly string[]} names */
function classesOf({ statuses }, names) {
  return names.reduce((sum, name) => sum + numberOr0(statuses[name]), 0);
}

/** @type {Chart} */
const ANSWERS = {
  title: "Answers a second", format: fmtRate,
  series: [
    { label: "2xx and 3xx", tone: "main", of: (sample) => aSecond(sample, classesOf(sample, ["1xx", "2xx", "3xx"])) },
    { label: "4xx", tone: "warn", of: (sample) => aSecond(sample, classesOf(sample, ["4xx"])) },
    { label: "5xx or none", tone: "bad", of: (sample) => aSecond(sample, classesOf(sample, ["5xx"]) + sample.failures) },
  ],
};
/** @type {Chart} */
const LATENCY = {
  title: "Latency", format: fmtMs,
  series: [{ label: "p99", tone: "main", of: ({ p99Ms }) => p99Ms }, { label: "p50", tone: "soft", of: ({ p50Ms }) => p50Ms }],
};
/** @type {Chart} */
const CONNECTIONS = {
  title: "Connections", format: fmtCount,
  series: [{ label: "open", tone: "soft", of: ({ connections }) => connections }, { label: "in use", tone: "main", of: ({ leased }) => leased }],
};
/** @type {Chart} */
const TROUBLES = {
  title: "Waiting, and failed dials", format: fmtCount,
  series: [{ label: "callers who wait", tone: "main", of: ({ waiting }) => waiting }, { label: "failed dials", tone: "bad", of: ({ dialErrors }) => dialErrors }],
};
const POOL_CHARTS = [ANSWERS, LATENCY, CONNECTIONS, TROUBLES];
const HOST_CHARTS = [ANSWERS, LATENCY, CONNECTIONS];

/** The next number above that is easy to read. @param {number} most */
function niceTop(most) {
  if (!(most > 0)) return 1;
  const power = 10 ** Math.floor(Math.log10(most));
  return ([1, 2, 5].find((step) => step * power >= most) ?? 10) * power;
}

/**
 * The path of a line; it breaks where there is no value, and where samples are missing.
 * @param {readonly Data[]} samples @param {(sample: Data) => number | null} of @param {number} from @param {number} spanMs @param {number} top
 */
function chartPath(samples, of, from, spanMs, top) {
  let path = "";
  let isOpen = false;
  samples.forEach((sample, index) => {
    const value = of(sample);
    if (value === null || sample.at < from) return void (isOpen = false);
    const before = samples[index - 1];
    if (before && sample.at - before.at > 2.5 * sample.ms) isOpen = false;
    const x = (((sample.at - from) / spanMs) * CHART.width).toFixed(1);
    const y = (CHART.height * (1 - Math.min(1, value / top))).toFixed(1);
    // A single one is a dot.
    path += (isOpen ? "L" : "M" + x + " " + y + "L") + x + " " + y;
    isOpen = true;
  });
  return path;
}

/** How much time a chart shows: no more than there is to see, in whole steps. */
const SPANS_MS = [120000, 300000, 600000, 1800000];

/** @param {readonly Data[]} samples @param {number} keptMs */
function spanFor(samples, keptMs) {
  const there = samples.length > 0 ? samples[samples.length - 1].at - samples[0].at + samples[0].ms : 0;
  return Math.min(keptMs, SPANS_MS.find((ms) => ms >= there) ?? keptMs);
}

class Charts {
  /** @param {HTMLElement} slot @param {readonly Chart[]} charts */
  constructor(slot, charts) {
    this.charts = charts;
    /** @type {Data[]} */
    this.samples = [];
    this.spanMs = SPANS_MS[0];
    /** Which sample is asked for; none is the latest. @type {number | undefined} */
    this.asked = undefined;
    this.nodes = charts.map((chart) => this.makeChart(chart));
    slot.replaceChildren(...this.nodes);
  }

  /** @param {Chart} chart */
  makeChart({ series, title }) {
    const node = make("figure", "chart");
    const head = make("figcaption");
    head.append(make("b", "", title), make("span", "muted when"));
    const keys = make("ul", "keys");
    for (const { label, tone } of series) {
      const key = make("li");
      key.append(make("span", "key tone-" + tone), make("span", "muted", label), " ", make("b"));
      keys.append(key);
    }
    const plot = make("div", "plot");
    plot.tabIndex = 0;
    plot.setAttribute("role", "slider");
    plot.setAttribute("aria-label", title + " over time");
    const drawing = document.createElementNS(SVG, "svg");
    drawing.setAttribute("viewBox", "0 0 " + CHART.width + " " + CHART.height);
    drawing.setAttribute("preserveAspectRatio", "none");
    drawing.setAttribute("aria-hidden", "true");
    for (const { tone } of series) {
      const path = document.createElementNS(SVG, "path");
      path.setAttribute("class", "curve tone-" + tone);
      drawing.append(path);
    }
    const cursor = make("span", "cursor");
    plot.append(drawing, cursor, make("span", "top"), make("span", "mid"));
    const times = make("div", "times");
    times.setAttribute("aria-hidden", "true");
    for (let part = 0; part < 4; part++) times.append(make("span"));
    node.append(head, keys, plot, times);
    plot.addEventListener("pointermove", (event) => this.ask(this.nearest(plot, event.clientX)));
    plot.addEventListener("pointerleave", () => this.ask(undefined));
    plot.addEventListener("blur", () => this.ask(undefined));
    plot.addEventListener("keydown", (event) => this.onKey(event));
    return node;
  }

  /** @param {readonly Data[]} samples @param {number} keptMs */
  show(samples, keptMs) {
    const asked = this.asked === undefined ? undefined : this.samples[this.asked]?.at;
    this.samples = [...samples];
    this.spanMs = spanFor(samples, keptMs);
    const index = asked === undefined ? -1 : this.samples.findIndex(({ at }) => at === asked);
    this.asked = index < 0 ? undefined : index;
    this.draw();
  }

  /** @param {HTMLElement} plot @param {number} x */
  nearest(plot, x) {
    const { left, width } = plot.getBoundingClientRect();
    const at = this.from() + ((x - left) / Math.max(1, width)) * this.spanMs;
    let nearest = 0;
    this.samples.forEach((sample, index) => {
      if (Math.abs(sample.at - at) < Math.abs(this.samples[nearest].at - at)) nearest = index;
    });
    return this.samples.length > 0 ? nearest : undefined;
  }

  from() {
    return (this.samples[this.samples.length - 1]?.at ?? 0) - this.spanMs;
  }

  /** @param {number | undefined} index */
  ask(index) {
    this.asked = index;
    this.draw();
  }

  /** @param {KeyboardEvent} event */
  onKey(event) {
    const last = this.samples.length - 1;
    const now = this.asked ?? last;
    const to = { ArrowLeft: now - 1, ArrowDown: now - 1, ArrowRight: now + 1, ArrowUp: now + 1, PageUp: now + 6, PageDown: now - 6, Home: 0, End: last }[event.key];
    if (to === undefined || last < 0) return;
    event.preventDefault();
    this.ask(Math.max(0, Math.min(to, last)));
  }

  draw() {
    const { asked, samples, spanMs } = this;
    const last = samples.length - 1;
    const sample = samples[asked ?? last];
    const from = this.from();
    this.charts.forEach(({ format, series }, index) => {
      const [head, keys, plot, times] = /** @type {HTMLElement[]} */ ([...this.nodes[index].children]);
      const top = niceTop(Math.max(0, ...samples.flatMap((sample) => series.map(({ of }) => of(sample) ?? 0))));
      const when = sample ? fmtClock(sample.at) : "no sample so far";
      setText(head.children[1], when);
      const told = series.map(({ label, of }, number) => {
        const text = sample ? format(of(sample)) : "\u2013";
        setText(keys.children[number].children[2], text);
        setAttr(plot.children[0].children[number], "d", chartPath(samples, of, from, spanMs, top));
        return label + " " + text;
      });
      setAttr(plot, "aria-valuemin", "0");
      setAttr(plot, "aria-valuemax", String(Math.max(0, last)));
      setAttr(plot, "aria-valuenow", String(Math.max(0, asked ?? last)));
      setAttr(plot, "aria-valuetext", when + ": " + told.join(", "));
      const cursor = /** @type {HTMLElement} */ (plot.children[1]);
      show(cursor, asked !== undefined && sample !== undefined);
      if (sample) cursor.style.left = Math.max(0, ((sample.at - from) / spanMs) * 100) + "%";
      // Without a sample there is no scale; half of one is none of a whole number.
      setText(plot.children[2], sample ? format(top) : "");
      setText(plot.children[3], !sample || format(top / 2) === format(top) ? "" : format(top / 2));
      [...times.children].forEach((time, part) => setText(time, last < 0 ? "" : fmtClock(from + (spanMs * part) / 3).slice(0, spanMs < 600000 ? 8 : 5)));
    });
  }
}

/** The history of a pool as it grows, or of one host. */
class Past {
  /** @param {HTMLElement} slot @param {readonly Chart[]} charts @param {(words: string) => void} onNote */
  constructor(slot, charts, onNote) {
    this.drawing = new Charts(slot, charts);
    this.onNote = onNote;
    /** @type {Data[]} */
    this.samples = [];
    this.keptMs = 1800000;
  }

  clear() {
    this.samples = [];
    this.drawing.show([], this.keptMs);
    this.onNote("");
  }

  /** @param {Api} api @param {string} path @param {AbortSignal} signal */
  async read(api, path, signal) {
    try {
      const { hosts, hostsLeftOut, kept, keptMs, samples } = await api.get(path);
      if (signal.aborted) return;
      this.keptMs = keptMs;
      // What came meanwhile stays, and what was told before the server was started again.
      const from = samples[0]?.at ?? Infinity;
      const to = samples[samples.length - 1]?.at ?? Infinity;
      this.samples = [...this.samples.filter(({ at }) => at < from), ...samples, ...this.samples.filter(({ at }) => at > to)];
      this.show();
      this.onNote(!kept ? "No history is kept of this host: " + fmtCount(hosts) + " others came first."
        : hostsLeftOut > 0 ? "Kept of " + fmtCount(hosts) + " hosts, and not of " + fmtCount(hostsLeftOut) + " more" : "");
    } catch {
      if (!signal.aborted) this.onNote("The history cannot be read");
    }
  }

  /** @param {Data} sample @returns {boolean} Whether samples before it were missed, as by a tab out of sight */
  add(sample) {
    const last = numberOr0(this.samples[this.samples.length - 1]?.at);
    if (last >= sample.at) return false;
    this.samples.push(sample);
    this.show();
    return last > 0 && sample.at - last > 1.5 * sample.ms;
  }

  show() {
    const from = numberOr0(this.samples[this.samples.length - 1]?.at) - this.keptMs;
    while (this.samples.length > 0 && this.samples[0].at < from) this.samples.shift();
    this.drawing.show(this.samples, this.keptMs);
  }
}
`;
