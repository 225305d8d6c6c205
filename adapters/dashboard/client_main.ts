/**
 * The dashboard's script: the session behind the gate, and when what is drawn.
 *
 * @module
 */

/** What is looked at, and asked for again meanwhile. */
export const CLIENT_MAIN: string = String.raw`
/** How often the page is drawn at the most, in milliseconds. */
const PAINT_MS = 250;
/** How often figures are asked for at the most, and how long an answer may take, in milliseconds. */
const ASK_MS = { apart: 1900, hidden: 30000, others: 10000, longest: 8000 };
const STREAM_WORDS = { live: "Live", lost: "Connection lost", closed: "Closed" };
/** How long asking for figures is put off, so that many events ask for them once, in milliseconds. */
const EVENT_MS = 1000;
/** What tells that the figures may say something else now. */
const TELLING = new Set([...FOUND, "addresses", "eject", "readmit", "block", "unblock", "weight", "closed"]);
const THEMES = ["", "light", "dark"];
/** @type {{ worst: "stale", problems: Problem[] }} */
const NOTHING_KNOWN = { worst: "stale", problems: [] };

class Session {
  /** @param {Api} api @param {AbortController} ended @param {Data[]} pools @param {string[]} rights */
  constructor(api, ended, pools, rights) {
    this.api = api;
    this.ended = ended;
    this.canAct = rights.includes("act");
    byId("root").replaceChildren(fromTemplate("app-template"));
    /** @type {Model | undefined} */
    this.model = undefined;
    /** All pools, as they were last told of. @type {PoolAtGlance[]} */
    this.pools = [];
    this.poolNames = pools.map(({ name }) => String(name));
    /** What the pool knows of its fleet; null where it is in none. @type {Data} */
    this.fleet = undefined;
    this.past = new Past(byId("past-charts"), POOL_CHARTS, (words) => setText(byId("past-note"), words));
    this.trail = new Trail();
    this.fresh = new Freshness();
    this.askedAt = -Infinity;
    this.othersAskedAt = -Infinity;
    /** How many answers are waited for: a server that is silent is not asked again and again. */
    this.asking = { figures: 0, fleet: 0 };
    this.isStale = false;
    this.live = { state: "wait", words: "Connecting" };
    this.statsDue = false;
    this.paintDue = false;
    this.paintedAt = 0;
    this.statsChanged = false;
    /** What was said aloud last. */
    this.said = "fine";
    this.reopen = () => {};
    this.events = new EventLog(() => this.reopen());
    this.ticks = 0;
    this.drawer = new Drawer({
      api, path: () => this.path, canAct: () => this.canAct, model: () => this.model,
      act: (name, preset) => this.act(name, preset),
      onTarget: ({ address = "", connection = "", host = "" }, isStep) => this.route.set({ address, connection, host, panel: "" }, isStep),
      linkTo: ({ address = "", connection = "", host = "" }) => writePlace({ ...this.route.place, address, connection, host, panel: "" }),
    });
    this.places = new Places(ended.signal, {
      onOpen: (place) => this.drawer.open(place),
      onChoice: (change) => this.route.set({ ...change, panel: "" }),
    });
    this.isOpen = false;
    this.poolEnded = new AbortController();
    this.listen();
    const select = selectOf("pool");
    if (pools.length > 1) select.append(new Option("All pools", ""));
    for (const name of this.poolNames) select.append(new Option(name, name));
    this.route = new Route(ended.signal, (place) => {
      this.onMove(place.pool);
      this.apply(place);
    });
    /** The panel that a link leads to, until it is shown. */
    this.wantedPanel = "";
    linkPanels(() => this.route.place);
    select.disabled = pools.length < 2;
    select.addEventListener("change", () => this.goTo(select.value));
    this.pool = "";
    this.path = "";
    const { place } = this.route;
    this.onMove(place.pool);
    if (place.pool === this.pool) this.apply(place);
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
    for (const [target, name] of /** @type {const} */ ([[document, "visibilitychange"], [document, "resume"], [window, "pageshow"], [window, "online"]])) {
      target.addEventListener(name, () => {
        // First what is known looks as old as it is; then it is asked for.
        this.showFreshness();
        this.paintSoon(true);
        if (!document.hidden && this.fresh.isLate(momentNow())) this.readFigures();
      }, { signal });
    }
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

  /** Opens a pool, or all of them; "back" leads here. @param {string} pool */
  goTo(pool) {
    this.route.set({ ...START, pool }, true);
    this.onMove(pool);
    this.apply(this.route.place);
  }

  /** Shows what of the pool a link leads to. @param {Place} place */
  apply({ address, connection, filter, host, order, panel, state, view }) {
    if (host || address) this.drawer.open({ host: host || undefined, address: address || undefined, connection: connection || undefined }, false);
    else this.drawer.close(false);
    this.places.apply({ filter, order, state, view });
    this.wantedPanel = panel;
    if (panel && this.model) this.paintSoon(true);
  }

  /** Shows where a link leads: to a pool, or to all of them. @param {string} wanted */
  onMove(wanted) {
    const { poolNames } = this;
    const pool = poolNames.includes(wanted) ? wanted : poolNames.length === 1 ? poolNames[0] : "";
    if (pool !== wanted && wanted) toast("There is no pool \u201c" + wanted + "\u201d");
    if (pool !== wanted) this.route.set({ ...START, pool });
    const isFirst = this.path === "" && !this.isOpen;
    if (isFirst || pool !== this.pool) this.switchTo(pool);
  }

  /** @param {string} pool Empty: all of them */
  switchTo(pool) {
    this.isOpen = true;
    this.poolEnded.abort();
    this.poolEnded = new AbortController();
    this.pool = pool;
    this.path = pool ? "api/pools/" + encodeURIComponent(pool) : "";
    selectOf("pool").value = pool;
    setAttr(byId("page"), "data-place", pool ? "pool" : "all");
    show(byId("up"), pool !== "" && this.poolNames.length > 1);
    show(byId("acts"), this.canAct && pool !== "");
    this.model = undefined;
    this.places.show(undefined);
    this.trail = new Trail();
    this.fresh = new Freshness();
    this.isStale = false;
    this.askedAt = -Infinity;
    showStale("");
    showGlance("wait", this.poolNames.length > 0 ? "Reading the figures" : "There is no pool", "");
    drawChips([], () => {});
    this.showTab();
    this.drawer.close(false);
    this.events.clear();
    this.events.pause(false);
    this.fleet = undefined;
    drawFleet(null, false, () => {});
    this.readFigures();
    if (!pool) return this.tellLive("live", "Live");
    this.tellLive("wait", "Connecting");
    this.readFleet();
    this.readOptions();
    this.past.clear();
    const { poolEnded: { signal }, trail } = this;
    this.readPast().then(() => {
      if (signal.aborted) return;
      trail.fill(this.past.samples);
      this.paintSoon(true);
    });
    this.follow(this.poolEnded.signal);
  }

  /** Follows events for as long as the pool is looked at. @param {AbortSignal} signal @param {SharedStream} [before] */
  follow(signal, before) {
    const opened = new AbortController();
    const { wanted } = this.events;
    const stream = new SharedStream({
      // Of the stream before only what it has kept: else each would hold all before it.
      api: this.api, before: before && { kept: before.kept, lastId: before.lastId }, signal: AbortSignal.any([signal, opened.signal]),
      path: this.path + "/events" + (wanted ? "?events=" + wanted : ""),
      onEvent: (event) => this.onEvent(event),
      onState: (state) => {
        this.tellLive(state === "live" ? "live" : "lost", STREAM_WORDS[state]);
        // Is it the stream alone? If the server is gone, that is to be seen soon.
        if (state === "lost" && this.asking.figures === 0) this.readFigures();
      },
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
    this.live = { state, words };
    this.drawLive();
  }

  drawLive() {
    const { state, words } = this.isStale && this.live.state !== "lost" ? { state: "lost", words: "No figures" } : this.live;
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
    if (event.name === "sample") {
      if (this.past.add(parseJson(event.data))) this.readPast();
      return;
    }
    if (TELLING.has(event.name)) this.readSoon();
    this.events.add(event);
    this.paintSoon(false);
  }

  /** @param {Data} stats */
  takeStats(stats) {
    this.model = buildModel(stats);
    this.fresh.take(stats.at, momentNow());
    this.trail.add(stats, this.model.at);
    this.showFreshness();
    this.paintSoon(true);
  }

  /** Asks for what is shown, once at a time. */
  async readFigures() {
    const { fresh, path, poolEnded, poolNames } = this;
    if (poolNames.length === 0) return;
    this.askedAt = performance.now();
    this.asking.figures++;
    try {
      const told = await this.api.get(path ? path + "/stats" : "api/overview", ASK_MS.longest);
      if (poolEnded.signal.aborted) return;
      if (path) this.takeStats(told);
      else this.takePools(told.pools);
    } catch (error) {
      if (poolEnded.signal.aborted || this.ended.signal.aborted) return;
      fresh.fail(error instanceof ApiError ? error.message : "The server does not answer");
      this.showFreshness();
    } finally {
      this.asking.figures--;
    }
  }

  /** @param {PoolAtGlance[]} pools */
  takePools(pools) {
    this.pools = pools;
    if (this.pool) return drawOthers(pools, this.pool);
    this.fresh.take(pools.map(({ at }) => at).join(), momentNow());
    this.showFreshness();
    this.paintSoon(true);
  }

  /** Asks for the others while one is shown. */
  async readOthers() {
    this.othersAskedAt = performance.now();
    try {
      this.takePools((await this.api.get("api/overview", ASK_MS.longest)).pools);
    } catch {
      show(byId("others"), false);
    }
  }

  readPast() {
    return this.past.read(this.api, this.path + "/history", this.poolEnded.signal);
  }

  readSoon() {
    if (this.statsDue) return;
    this.statsDue = true;
    setTimeout(() => {
      this.statsDue = false;
      if (!this.ended.signal.aborted) this.readFigures();
    }, EVENT_MS);
  }

  /** Makes the page look as old as its figures are. */
  showFreshness() {
    const now = momentNow();
    const isStale = this.fresh.isStale(now, document.hidden);
    const wasStale = this.isStale;
    this.isStale = isStale;
    if (isStale) {
      const { since, title, why } = this.fresh.words(now);
      showStale(since ? "as of " + fmtSpan(this.fresh.age(now)) + " ago" : "never read");
      showGlance("stale", title, why + "." + (since ? " All below is as of " + since + ": nobody knows how it stands now." : ""));
      this.sayAlarm({ key: "stale", words: "There are no new figures: " + why });
    } else if (wasStale) {
      showStale("");
      this.paintSoon(true);
    }
    this.drawLive();
    this.showTab();
  }

  /** The tab's title and sign tell the same as the page. */
  showTab() {
    const { model, pool, pools } = this;
    const name = (pool && this.poolNames.length > 1 ? pool + " \u00b7 " : "") + "hotconn";
    if (this.isStale) return showInTab("stale", this.fresh.words(momentNow()).title + " \u00b7 " + name);
    const { problems, worst } = pool ? model?.outlook ?? NOTHING_KNOWN : this.fresh.came ? glanceOf(pools) : NOTHING_KNOWN;
    if (worst === "stale") return showInTab("stale", name);
    showInTab(worst, (worst === "fine" ? "" : problems[0].text + " \u00b7 ") + name);
  }

  async readFleet() {
    const { path, poolEnded } = this;
    try {
      this.asking.fleet++;
      const { fleet } = await this.api.get(path + "/fleet", ASK_MS.longest);
      if (poolEnded.signal.aborted) return;
      this.fleet = fleet;
      drawFleet(fleet, this.canAct, (name, preset) => this.act(name, preset));
      if (this.wantedPanel) this.paintSoon(true);
    } catch {
      // It is asked for again.
    } finally {
      this.asking.fleet--;
    }
  }

  async readOptions() {
    const { path, poolEnded } = this;
    const panel = byId("options");
    show(panel, false);
    try {
      const told = await this.api.get(path + "/options", ASK_MS.longest);
      if (poolEnded.signal.aborted) return;
      drawOptions(told);
      show(panel, true);
      if (this.wantedPanel) this.paintSoon(true);
    } catch {
      // They are read again when the pool is opened again.
    }
  }

  onTick() {
    this.ticks++;
    this.showFreshness();
    const now = performance.now();
    const apart = document.hidden ? ASK_MS.hidden : ASK_MS.apart;
    const isLate = this.fresh.isLate(momentNow()) || (!this.path && !document.hidden);
    if (isLate && this.asking.figures === 0 && now - this.askedAt > apart) this.readFigures();
    if (document.hidden || !this.path) return;
    if (this.poolNames.length > 1 && now - this.othersAskedAt > ASK_MS.others) this.readOthers();
    if (this.ticks % 2 === 0 && this.asking.fleet === 0 && this.fleet !== null) this.readFleet();
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
    if (!statsChanged) return this.events.draw();
    const said = this.pool ? model && drawGlance(model, (problem) => this.onProblem(problem))
      : this.fresh.came && drawOverview(this.pools);
    if (this.isStale) this.showFreshness();
    else if (said) this.sayAlarm(said);
    this.showTab();
    if (!this.pool) return;
    this.events.draw();
    if (!model) return;
    drawTiles(model, this.trail);
    this.places.show(model);
    drawFindings(model.outlook.problems, (problem) => this.onProblem(problem));
    drawWaits(model, this.canAct, {
      onHost: (host) => this.drawer.open({ host }),
      onUnblock: (ip) => this.act("unblock", { ip }),
      onWeight: (ip, weight) => this.act("weight", { ip, weight }),
    });
    drawProxies(model);
    drawLimits(model);
    this.drawer.tick();
    if (this.wantedPanel && revealPanel(this.wantedPanel)) this.wantedPanel = "";
  }

  /** Has a screen reader say what is wrong now and was not before, or is well again. @param {{ key: string, words: string }} said */
  sayAlarm({ key, words }) {
    if (key === this.said) return;
    this.said = key;
    setText(byId("alarm"), words);
  }

  /** @param {Problem} problem */
  onProblem({ address, host, state, what }) {
    if (host || address) return this.drawer.open({ host, address });
    if (!state) return byId(what === "waiting" ? "waits" : "findings").focus();
    this.places.lookFor(state);
  }

  /** @param {string} name @param {Record<string, string>} preset */
  act(name, preset) {
    const { path, pool } = this;
    ask({
      name, preset: name === "limits" ? limitsPreset(this.model) : preset, pool, hasFleet: Boolean(this.fleet),
      post: (action, body) => this.api.post(path + "/actions/" + action, body),
      onDone: () => {
        this.readFigures();
        this.readFleet();
        if (name === "limits") this.readOptions();
        this.drawer.read();
      },
    });
  }
}

setTheme(keep.read("local", "theme"));
// Where everybody is let in, there is nothing to ask for.
const isOpen = document.documentElement.dataset.open !== undefined;
if (isOpen || keep.read("session", "signed")) enter(keep.read("session", "token")).then((failure) => failure && showGate(failure));
else showGate();
`;
