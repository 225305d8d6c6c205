/**
 * The dashboard's script: the gate, the session behind it, and when what is drawn.
 *
 * @module
 */

/** The token is kept for the browser's session alone; signing out leaves nothing behind it. */
export const CLIENT_MAIN: string = String.raw`
/** How often the page is drawn at the most, in milliseconds. */
const PAINT_MS = 250;
/** After how long without figures they are asked for, in milliseconds. */
const STALE_MS = 5000;
/** The same while nobody sees the page: its title tells what they say. */
const STALE_HIDDEN_MS = 30000;
const STREAM_WORDS = { live: "Live", lost: "Connection lost", closed: "Closed" };
/** How long the diagnosis is put off, so that many events ask for it once, in milliseconds. */
const DIAGNOSE_MS = 1000;
/** What the diagnosis may see otherwise after. */
const TELLING = new Set([...FOUND, "addresses", "eject", "readmit", "block", "unblock"]);
const THEMES = ["", "light", "dark"];

/** @param {string} id */
function fromTemplate(id) {
  return /** @type {HTMLTemplateElement} */ (byId(id)).content.cloneNode(true);
}

/** @param {string} theme */
function setTheme(theme) {
  if (theme) document.documentElement.dataset.theme = theme;
  else delete document.documentElement.dataset.theme;
}

/** @param {string} [message] What went wrong, if anything */
function showGate(message) {
  byId("root").replaceChildren(fromTemplate("gate-template"));
  document.title = "hotconn";
  const error = byId("gate-error");
  const input = inputOf("token");
  const go = /** @type {HTMLButtonElement} */ (byId("gate-go"));
  const fail = (/** @type {string} */ words) => {
    setText(error, words);
    show(error, true);
    input.setAttribute("aria-invalid", "true");
    input.setAttribute("aria-describedby", "gate-error token-hint");
    go.disabled = false;
    input.select();
  };
  if (message) fail(message);
  byId("gate").addEventListener("submit", async (event) => {
    event.preventDefault();
    const token = input.value.trim();
    if (go.disabled) return;
    go.disabled = true;
    show(error, false);
    const failure = await enter(token);
    if (failure) fail(failure);
  });
  input.focus();
}

/** Opens the page with a token; resolves to why not where it does not. @param {string} token @returns {Promise<string | undefined>} */
async function enter(token) {
  const ended = new AbortController();
  const api = new Api(token, ended.signal);
  try {
    const { pools, rights } = await api.get("api/pools");
    keep.write("session", "token", token);
    keep.write("session", "signed", "in");
    const session = new Session(api, ended, pools || [], rights || []);
    api.onRefused = () => session.leave("The token is not accepted any more");
    return undefined;
  } catch (error) {
    const status = error instanceof ApiError ? error.status : 0;
    if (status === 401 || status === 403) return "The token is not accepted";
    return "The server does not answer as it should: " + errorText(error);
  }
}

class Session {
  /** @param {Api} api @param {AbortController} ended @param {Data[]} pools @param {string[]} rights */
  constructor(api, ended, pools, rights) {
    this.api = api;
    this.ended = ended;
    this.canAct = rights.includes("act");
    byId("root").replaceChildren(fromTemplate("app-template"));
    /** @type {Model | undefined} */
    this.model = undefined;
    /** @type {Finding[]} */
    this.findings = [];
    /** What the pool knows of its fleet; null where it is in none. @type {Data} */
    this.fleet = undefined;
    this.history = new Trail();
    this.closed = false;
    this.statsSeen = 0;
    this.diagnosisDue = false;
    this.paintDue = false;
    this.paintedAt = 0;
    this.statsChanged = false;
    this.said = { words: "", worst: "fine", at: 0 };
    /** @type {Choice} */
    this.choice = { view: keep.read("session", "view"), filter: "", state: "", order: "trouble", unfolded: new Set() };
    this.narrow = matchMedia("(max-width: 640px)");
    this.reopen = () => {};
    this.events = new EventLog(() => this.reopen());
    this.ticks = 0;
    this.grid = new Grid(byId("grid-slot"), {
      onOpen: (row, column) => this.openPlace(row, column),
      onSort: (order) => this.choose({ order }),
      onFold: (key) => this.fold(key),
    });
    this.drawer = new Drawer({
      api, path: () => this.path, canAct: () => this.canAct, model: () => this.model,
      act: (name, preset) => this.act(name, preset),
    });
    this.poolEnded = new AbortController();
    this.listen();
    const select = selectOf("pool");
    for (const { name } of pools) select.append(new Option(name, name));
    this.route = new Route(ended.signal, ({ pool }) => this.onMove(pool));
    const wanted = [this.route.place.pool, keep.read("session", "pool")].find((wanted) => pools.some(({ name }) => name === wanted));
    if (wanted) select.value = wanted;
    select.disabled = pools.length < 2;
    select.addEventListener("change", () => {
      this.route.set({ ...START, pool: select.value }, true);
      this.switchTo(select.value);
    });
    show(byId("acts"), this.canAct && pools.length > 0);
    this.pool = "";
    this.path = "";
    if (pools.length > 0) this.switchTo(select.value);
    else setText(byId("headline"), "There is no pool");
    const ticks = setInterval(() => this.onTick(), 1000);
    ended.signal.addEventListener("abort", () => clearInterval(ticks));
  }

  listen() {
    const { signal } = this.ended;
    byId("out").addEventListener("click", () => this.leave());
    const theme = () => keep.read("local", "theme");
    const tellTheme = () => setText(byId("theme-text"), "Theme: " + (theme() || "as the system"));
    tellTheme();
    byId("theme").addEventListener("click", () => {
      const next = THEMES[(THEMES.indexOf(theme()) + 1) % THEMES.length];
      keep.write("local", "theme", next);
      setTheme(next);
      tellTheme();
      toast("Theme: " + (next || "as the system"));
    });
    for (const button of document.querySelectorAll("[data-view]")) {
      button.addEventListener("click", () => this.choose({ view: button.getAttribute("data-view") ?? "hosts" }));
    }
    inputOf("filter").addEventListener("input", () => this.choose({ filter: inputOf("filter").value }));
    selectOf("state").addEventListener("change", () => this.choose({ state: selectOf("state").value }));
    selectOf("order").addEventListener("change", () => this.choose({ order: selectOf("order").value }));
    for (const button of document.querySelectorAll("[data-act]")) {
      button.addEventListener("click", () => {
        byId("acts-menu").hidePopover();
        this.act(button.getAttribute("data-act") ?? "", {});
      });
    }
    document.addEventListener("keydown", (event) => {
      const dialog = /** @type {HTMLDialogElement} */ (byId("ask"));
      if (event.key === "Escape" && !event.defaultPrevented && !dialog.open) this.drawer.close();
    }, { signal });
    this.narrow.addEventListener("change", () => this.drawMap(), { signal });
    window.addEventListener("resize", () => this.drawMap(), { signal, passive: true });
    document.addEventListener("visibilitychange", () => this.paintSoon(true), { signal });
  }

  /** @param {string} [message] */
  leave(message) {
    if (this.ended.signal.aborted) return;
    keep.write("session", "token", "");
    keep.write("session", "signed", "");
    this.poolEnded.abort();
    this.ended.abort();
    showGate(message);
  }

  /** The reader went elsewhere by a link, or back. @param {string} pool */
  onMove(pool) {
    const select = selectOf("pool");
    if (pool === this.pool || ![...select.options].some(({ value }) => value === pool)) return;
    select.value = pool;
    this.switchTo(pool);
  }

  /** @param {string} pool */
  switchTo(pool) {
    if (this.route.place.pool !== pool) this.route.set({ ...START, pool });
    this.poolEnded.abort();
    this.poolEnded = new AbortController();
    this.pool = pool;
    this.path = "api/pools/" + encodeURIComponent(pool);
    keep.write("session", "pool", pool);
    this.model = undefined;
    this.findings = [];
    this.history = new Trail();
    this.closed = false;
    this.statsSeen = 0;
    this.drawer.close();
    this.events.clear();
    this.events.pause(false);
    this.fleet = undefined;
    drawFleet(null, false, () => {});
    this.readStats();
    this.diagnose();
    this.readFleet();
    this.follow(this.poolEnded.signal);
  }

  /** Hears events for as long as the pool is looked at. @param {AbortSignal} signal @param {SharedStream} [before] */
  follow(signal, before) {
    const opened = new AbortController();
    const { wanted } = this.events;
    const stream = new SharedStream({
      api: this.api, before, signal: AbortSignal.any([signal, opened.signal]),
      path: this.path + "/events" + (wanted ? "?events=" + wanted : ""),
      onEvent: (event) => this.onEvent(event),
      onState: (state) => this.tellLive(state === "live" ? "live" : "lost", STREAM_WORDS[state]),
      onUnknown: () => {
        this.events.wanted = "";
        if (wanted) this.reopen();
      },
    });
    this.reopen = () => {
      opened.abort();
      if (!signal.aborted) this.follow(signal, stream);
    };
  }

  /** @param {string} state @param {string} words */
  tellLive(state, words) {
    setAttr(byId("live"), "data-state", state);
    setText(byId("live-text"), words);
  }

  /** @param {StreamEvent} event */
  onEvent(event) {
    if (event.name === "stats") {
      const data = parseJson(event.data);
      if (data) this.takeStats(data);
      return;
    }
    if (event.name === "sample") return;
    if (event.name === "closed") this.closed = true;
    if (TELLING.has(event.name)) this.diagnoseSoon();
    this.events.add(event);
    this.paintSoon(false);
  }

  /** @param {Data} stats */
  takeStats(stats) {
    this.statsSeen = performance.now();
    this.model = buildModel(stats);
    this.history.add(stats, this.model.at);
    this.paintSoon(true);
  }

  async readStats() {
    const { path, poolEnded } = this;
    this.statsSeen = performance.now();
    try {
      const stats = await this.api.get(path + "/stats");
      if (!poolEnded.signal.aborted) this.takeStats(stats);
    } catch {
      if (!poolEnded.signal.aborted) this.tellLive("lost", "No figures");
    }
  }

  async diagnose() {
    const { path, poolEnded } = this;
    try {
      const { findings } = await this.api.get(path + "/diagnose");
      if (poolEnded.signal.aborted) return;
      this.findings = Array.isArray(findings) ? findings : [];
      this.paintSoon(true);
    } catch {
      // The figures tell enough without it.
    }
  }

  async readFleet() {
    const { path, poolEnded } = this;
    try {
      const { fleet } = await this.api.get(path + "/fleet");
      if (poolEnded.signal.aborted) return;
      this.fleet = fleet;
      drawFleet(fleet, this.canAct, (name, preset) => this.act(name, preset));
    } catch {
      // It is asked for again.
    }
  }

  diagnoseSoon() {
    if (this.diagnosisDue) return;
    this.diagnosisDue = true;
    setTimeout(() => {
      this.diagnosisDue = false;
      if (!this.ended.signal.aborted) this.diagnose();
    }, DIAGNOSE_MS);
  }

  onTick() {
    this.ticks++;
    if (!this.path) return;
    if (performance.now() - this.statsSeen > (document.hidden ? STALE_HIDDEN_MS : STALE_MS)) this.readStats();
    if (document.hidden) return;
    if (this.ticks % 15 === 0) this.diagnose();
    if (this.ticks % 2 === 0 && this.fleet !== null) this.readFleet();
  }

  /** Draws at the next frame, and not before the last drawing is a while ago. @param {boolean} stats Whether the figures are new */
  paintSoon(stats) {
    this.statsChanged ||= stats;
    if (this.paintDue || this.ended.signal.aborted) return;
    this.paintDue = true;
    setTimeout(() => requestAnimationFrame(() => {
      this.paintDue = false;
      if (!this.ended.signal.aborted) this.paint();
    }), Math.max(0, this.paintedAt + PAINT_MS - performance.now()));
  }

  paint() {
    this.paintedAt = performance.now();
    const { model, statsChanged } = this;
    this.statsChanged = false;
    this.events.draw();
    if (!model || !statsChanged) return;
    const said = drawGlance(model, this.findings, this.closed, (problem) => this.onProblem(problem));
    this.sayAlarm(said);
    drawTiles(model, this.history);
    this.drawMap();
    drawFindings(this.findings, ({ host, address }) => this.drawer.open({ host, address }));
    drawWaits(model, this.canAct, {
      onHost: (host) => this.drawer.open({ host }),
      onUnblock: (ip) => this.act("unblock", { ip }),
    });
    drawProxies(model);
    this.drawer.tick();
  }

  /** Tells who hears the page of what changed for the worse, or is well again. @param {{ worst: string, words: string }} said */
  sayAlarm({ worst, words }) {
    const before = this.said;
    const isDue = worst !== before.worst || (words !== before.words && performance.now() - before.at > 15000);
    if (!isDue) return;
    this.said = { words, worst, at: performance.now() };
    setText(byId("alarm"), words);
  }

  drawMap() {
    const { model, choice, narrow } = this;
    if (!model) return;
    if (!choice.view) {
      const places = model.hosts.length * model.addresses.length;
      const isDense = model.addresses.length <= MOST_COLUMNS && (places <= 60 || model.cellCount / places > 0.25);
      choice.view = narrow.matches || !isDense ? "hosts" : "matrix";
    }
    for (const button of document.querySelectorAll("[data-view]")) {
      setAttr(button, "aria-pressed", String(button.getAttribute("data-view") === choice.view));
    }
    const view = makeView(model, choice, narrow.matches, byId("map").clientWidth);
    const isEmpty = view.rows.length === 0;
    setText(byId("map-empty"), model.hosts.length === 0 ? "The pool has no host so far." : "No host and no address is as the filter wants it.");
    show(byId("map-empty"), isEmpty);
    show(byId("grid-slot"), !isEmpty);
    const order = selectOf("order");
    order.value = choice.order;
    if (order.selectedIndex < 0) order.value = "column";
    setText(byId("map-count"), fmtCount(model.hosts.length) + " \u00d7 " + fmtCount(model.addresses.length));
    this.grid.show(view);
  }

  /** @param {Partial<Choice>} change */
  choose(change) {
    Object.assign(this.choice, change);
    if (change.view) keep.write("session", "view", change.view);
    this.drawMap();
  }

  /** Shows all of what was left out, or only the first again. @param {string} key */
  fold(key) {
    const { unfolded } = this.choice;
    if (!unfolded.delete(key)) unfolded.add(key);
    this.drawMap();
  }

  /** @param {Row | undefined} row @param {Line | undefined} column */
  openPlace(row, column) {
    const byAddress = this.choice.view === "addresses";
    if (row?.cell) this.drawer.open({ host: row.cell.host, address: row.cell.address });
    else if (row && column && !row.line.byOther.has(column.key)) return;
    else if (row && column) this.drawer.open({ host: row.line.key, address: column.key });
    else if (row && byAddress) this.drawer.open({ address: row.line.key, ...(row.line.cells.length === 1 && { host: row.line.cells[0].host }) });
    else if (row) this.drawer.open({ host: row.line.key });
    else if (column) this.drawer.open({ address: column.key });
  }

  /** @param {Problem} problem */
  onProblem({ host, state }) {
    if (host) return this.drawer.open({ host });
    if (!state) return byId("waits").focus();
    selectOf("state").value = state;
    this.choose({ state });
    byId("map").scrollIntoView({ block: "start" });
    selectOf("state").focus({ preventScroll: true });
  }

  /** @param {string} name @param {Record<string, string>} preset */
  act(name, preset) {
    const { path, pool } = this;
    ask({
      name, preset, pool, hasFleet: Boolean(this.fleet),
      post: (action, body) => this.api.post(path + "/actions/" + action, body),
      onDone: () => {
        this.readStats();
        this.diagnose();
        this.readFleet();
        this.drawer.read();
      },
    });
  }
}

setTheme(keep.read("local", "theme"));
if (keep.read("session", "signed")) enter(keep.read("session", "token")).then((failure) => failure && showGate(failure));
else showGate();
`;
