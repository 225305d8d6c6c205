/**
 * The dashboard's script: the drawer with the details of a host, an address, or both.
 *
 * @module
 */

/** The connections come from the API a page at a time, however many there are. */
export const CLIENT_DRAWER: string = String.raw`
const PAGE = 25;

/** A host, an address or both; and perhaps one connection of theirs. @typedef {{ host?: string | undefined, address?: string | undefined, connection?: string | undefined }} Target */

class Drawer {
  /** @param {{ api: Api, path: () => string, canAct: () => boolean, act: (name: string, preset: Record<string, string>) => void, model: () => Model | undefined, onTarget: (target: Target, isStep: boolean) => void, linkTo: (target: Target) => string }} hooks Told where it opens and closes by itself, and not by a link */
  constructor(hooks) {
    this.hooks = hooks;
    this.node = byId("drawer");
    /** @type {Target | undefined} */
    this.target = undefined;
    /** @type {Element | null} */
    this.cameFrom = null;
    this.offset = 0;
    this.reading = 0;
    this.ticks = 0;
    /** @type {Past | undefined} */
    this.past = undefined;
    this.node.addEventListener("keydown", (event) => {
      if (event.key !== "Escape") return;
      event.stopPropagation();
      this.close();
    });
  }

  /** @param {Target} target @param {boolean} [isOwn] Whether no link leads there */
  open(target, isOwn = true) {
    if (isOwn) this.hooks.onTarget(target, true);
    if (!this.target) this.cameFrom = document.activeElement;
    this.target = target;
    this.offset = 0;
    this.build(target);
    show(this.node, true);
    byId("root").classList.add("opened");
    // Where it covers the page, nothing behind it is to be reached.
    this.cover(matchMedia("(max-width: 640px)").matches);
    this.draw();
    this.read();
    this.readPast();
    byId("drawer-close").focus({ preventScroll: true });
    // The sheet covers what is below.
    if (matchMedia("(min-width: 641px) and (max-width: 1100px)").matches) byId("map").scrollIntoView({ block: "start" });
  }

  close(isOwn = true) {
    if (!this.target) return;
    if (isOwn) this.hooks.onTarget({}, false);
    this.target = undefined;
    this.cover(false);
    this.reading++;
    show(this.node, false);
    byId("root").classList.remove("opened");
    this.node.replaceChildren();
    const back = /** @type {HTMLElement | null} */ (this.cameFrom);
    (back?.isConnected ? back : byId("map")).focus({ preventScroll: true });
  }

  /** @param {boolean} covered */
  cover(covered) {
    for (const node of document.querySelectorAll("main.page, header.bar")) node.toggleAttribute("inert", covered);
  }

  /** @param {Target} target */
  build({ host, address }) {
    const head = make("header");
    const words = make("div");
    const title = make("h2", "", host ?? address ?? "");
    title.id = "drawer-title";
    words.append(make("h3", "", host && address ? "Host at one address" : host ? "Host" : "Address"), title);
    if (host && address) {
      words.append(make("p", "mono", address));
      const links = make("p", "links");
      for (const [text, target] of /** @type {[string, Target][]} */ ([["All of the host", { host }], ["All of the address", { address }]])) {
        const link = make("button", "link", text);
        link.type = "button";
        link.addEventListener("click", () => this.open(target));
        links.append(link);
      }
      words.append(links);
    }
    const shut = makeButton("quiet square", "", () => this.close());
    shut.id = "drawer-close";
    shut.append(makeIcon("close"), make("span", "sr", "Close the details"));
    head.append(words, shut);
    const facts = make("section");
    const list = make("dl", "facts");
    list.id = "facts";
    facts.append(list);
    this.node.replaceChildren(head, this.actions(host, address), facts);
    if (!host || !address) {
      const related = make("section");
      related.append(make("h3", "", host ? "Addresses" : "Hosts"));
      const items = make("ul", "related");
      items.id = "related";
      items.tabIndex = 0;
      items.setAttribute("aria-label", host ? "Addresses of the host" : "Hosts at the address");
      related.append(items);
      this.node.append(related);
    }
    if (host && !address) {
      const past = make("section");
      const charts = make("div", "charts");
      const note = make("p", "muted");
      past.append(make("h3", "", "History"), note, charts);
      this.node.append(past);
      this.past = new Past(charts, HOST_CHARTS, (words) => setText(note, words));
    } else this.past = undefined;
    this.node.append(this.connections());
  }

  readPast() {
    const host = this.target?.host;
    if (host) this.past?.read(this.hooks.api, this.hooks.path() + "/history?host=" + encodeURIComponent(host), this.hooks.api.signal);
  }

  /** @param {string | undefined} host @param {string | undefined} address */
  actions(host, address) {
    const section = make("section");
    const acts = make("div", "acts");
    section.append(acts);
    section.hidden = !this.hooks.canAct();
    const { act } = this.hooks;
    if (host && !address) acts.append(makeButton("", "Warm\u2026", () => act("warm", { host })));
    if (address) {
      const ip = ipOf(address);
      const block = makeButton("danger", "Block\u2026", () => act("block", { ip }));
      block.id = "drawer-block";
      const free = makeButton("", "Unblock\u2026", () => act("unblock", { ip: String(this.hooks.model()?.addressOf.get(address)?.block?.ip ?? ip) }));
      free.id = "drawer-unblock";
      acts.append(block, free, makeButton("", "Weight\u2026", () => act("weight", this.weightPreset(address, ip))));
      acts.append(makeButton("danger", "Drain the address\u2026", () => act("drain", { target: address })));
    }
    if (host) acts.append(makeButton("danger", "Drain the host\u2026", () => act("drain", { target: host })));
    return section;
  }

  /** What the dialog begins with: the weight that holds now. @param {string} address @param {string} ip @returns {Record<string, string>} */
  weightPreset(address, ip) {
    const line = this.hooks.model()?.addressOf.get(address);
    const cell = line?.byOther.get(this.target?.host ?? "") ?? line?.cells[0];
    return { ip: String(line?.weight?.ip ?? ip), weight: String(cell?.stats.weight ?? "") };
  }

  connections() {
    const section = make("section");
    const pager = make("div", "pager");
    const title = make("h3", "", "Connections");
    title.id = "conns-title";
    const state = make("select", "field");
    state.id = "conns-state";
    state.setAttribute("aria-label", "State of the connections");
    for (const [value, text] of [["", "Any state"], ["idle", "Idle"], ["leased", "In use"], ["draining", "Draining"]]) state.append(new Option(text, value));
    state.addEventListener("change", () => this.turn(-this.offset));
    const back = makeButton("small", "Back", () => this.turn(-PAGE));
    back.id = "conns-back";
    const on = makeButton("small", "Next", () => this.turn(PAGE));
    on.id = "conns-next";
    const count = make("span", "count");
    count.id = "conns-count";
    const all = makeButton("small", "Show all", () => this.open({ host: this.target?.host, address: this.target?.address }));
    const { connection } = this.target ?? {};
    for (const node of [state, back, on]) show(node, !connection);
    show(all, Boolean(connection));
    pager.append(title, state, back, on, all, count);
    const scroll = make("div", "scroll");
    scroll.tabIndex = 0;
    scroll.setAttribute("role", "region");
    scroll.setAttribute("aria-labelledby", "conns-title");
    const table = make("table");
    table.setAttribute("aria-labelledby", "conns-title");
    const heads = make("tr");
    const columns = ["Id", "State", "Age", "Used", "Failed", "Last used", "TLS"];
    if (this.hooks.canAct()) columns.push("Action");
    for (const text of columns) {
      const cell = make("th", text === "Used" || text === "Failed" ? "num" : "", text);
      cell.scope = "col";
      heads.append(cell);
    }
    const top = make("thead");
    top.append(heads);
    const rows = make("tbody");
    rows.id = "conns";
    table.append(top, rows);
    scroll.append(table);
    const error = make("p", "error");
    error.id = "conns-error";
    error.hidden = true;
    section.append(pager, error, scroll);
    return section;
  }

  /** Draws what the model knows, and reads the connections again now and then. */
  tick() {
    if (!this.target) return;
    this.draw();
    if (++this.ticks % 2 === 0) this.read();
    if (this.ticks % 5 === 0) this.readPast();
  }

  draw() {
    const model = this.hooks.model();
    if (!this.target || !model) return;
    const { host, address } = this.target;
    const line = host ? model.hostOf.get(host) : model.addressOf.get(address ?? "");
    const cell = host && address ? line?.byOther.get(address) : undefined;
    const facts = cell ? factsOfCell(cell, model) : line ? factsOfLine(line, model, host !== undefined) : [/** @type {Fact} */ (["State", "Not in the pool any more"])];
    fillList(byId("facts"), facts, () => {
      const fact = make("div");
      fact.append(make("dt"), make("dd"));
      return fact;
    }, (node, [label, value, full]) => {
      setText(node.children[0], label);
      setText(node.children[1], value);
      setAttr(node, "class", full ? "full" : "");
    });
    if (address) {
      const blocked = Boolean(model.addressOf.get(address)?.block);
      show(byId("drawer-block"), !blocked);
      show(byId("drawer-unblock"), blocked);
    }
    if (cell || !document.getElementById("related")) return;
    fillList(byId("related"), (line?.cells ?? []).slice(0, 200), () => {
      const item = make("li");
      item.append(makeButtonLink(), make("span", "muted"));
      return item;
    }, (item, related) => {
      const link = /** @type {HTMLButtonElement} */ (item.children[0]);
      setText(link, host ? related.address : related.host);
      link.onclick = () => this.open({ host: related.host, address: related.address });
      setText(item.children[1], wordOf(related, model.at) + " \u00b7 " + fmtCount(numberOr0(related.stats.leased)) + " of " + fmtCount(numberOr0(related.stats.connections)));
    });
  }

  /** @param {number} by */
  turn(by) {
    this.offset = Math.max(0, this.offset + by);
    this.read();
  }

  async read() {
    const { target } = this;
    if (!target) return;
    const reading = ++this.reading;
    if (target.connection) return this.readOne(target.connection, reading);
    const query = new URLSearchParams({ sort: "id", order: "asc", offset: String(this.offset), limit: String(PAGE) });
    if (target.host) query.set("host", target.host);
    // Without a port, all ports of an IP address would be meant.
    if (target.address) query.set("address", withPort(target.address));
    const state = selectOf("conns-state").value;
    if (state) query.set("state", state);
    try {
      const page = await this.hooks.api.get(this.hooks.path() + "/connections?" + query);
      if (reading !== this.reading) return;
      const total = numberOr0(page.total);
      if (this.offset > 0 && this.offset >= total) return this.turn(-PAGE);
      show(byId("conns-error"), false);
      this.drawConnections(page.connections || [], total);
    } catch (error) {
      if (reading !== this.reading || this.hooks.api.signal.aborted) return;
      setText(byId("conns-error"), errorText(error));
      show(byId("conns-error"), true);
    }
  }

  /** Reads the one connection that a link leads to. @param {string} id @param {number} reading */
  async readOne(id, reading) {
    /** @type {Data[]} */
    let found = [];
    let error = "";
    try {
      found = [await this.hooks.api.get(this.hooks.path() + "/connections/" + encodeURIComponent(id))];
    } catch (cause) {
      error = cause instanceof ApiError && cause.status === 404 ? "Connection " + id + " is not there any more" : errorText(cause);
    }
    if (reading !== this.reading || this.hooks.api.signal.aborted) return;
    setText(byId("conns-error"), error);
    show(byId("conns-error"), error !== "");
    this.drawConnections(found, found.length);
  }

  /** @param {Data[]} connections @param {number} total */
  drawConnections(connections, total) {
    const canAct = this.hooks.canAct();
    const now = this.hooks.model()?.at ?? Date.now();
    const from = this.offset;
    setText(byId("conns-count"), total === 0 ? "none" : fmtCount(from + 1) + " to " + fmtCount(from + connections.length) + " of " + fmtCount(total));
    /** @type {HTMLButtonElement} */ (byId("conns-back")).disabled = from === 0;
    /** @type {HTMLButtonElement} */ (byId("conns-next")).disabled = from + connections.length >= total;
    fillList(byId("conns"), connections, () => {
      const row = make("tr");
      for (const name of ["mono", "", "", "num", "num", "", ""]) row.append(make("td", name));
      row.children[0].append(make("a"));
      if (canAct) {
        const cell = make("td");
        cell.append(makeButton("small danger", "Evict\u2026", () => {}));
        row.append(cell);
      }
      return row;
    }, (row, connection) => {
      const tls = connection.tls || {};
      const streams = connection.multiplexed ? ", " + fmtCount(numberOr0(connection.leases)) + " of " + fmtCount(numberOr0(connection.capacity)) + " streams" : "";
      const texts = [
        String(connection.id), (connection.upgraded || connection.state) + streams + (connection.healthy === false ? ", unfit" : ""), fmtSpan(now - numberOr0(connection.createdAt)),
        fmtCount(connection.requestCount), fmtCount(connection.errorCount), fmtSpan(now - numberOr0(connection.lastUsedAt)) + " ago",
        [tls.version, tls.alpn || (connection.multiplexed ? "h2" : ""), isNumber(tls.tlsMs) ? fmtMs(tls.tlsMs) : ""].filter(Boolean).join(" \u00b7 "),
      ];
      texts.forEach((text, index) => setText(index === 0 ? row.children[0].children[0] : row.children[index], text));
      setAttr(row.children[0].children[0], "href", this.hooks.linkTo({ ...this.target, connection: String(connection.id) }));
      setAttr(row, "title", connection.host + " at " + connection.address + (tls.cipher ? ", " + tls.cipher : ""));
      if (!canAct) return;
      const evict = /** @type {HTMLButtonElement} */ (row.children[7].children[0]);
      setAttr(evict, "aria-label", "Evict connection " + connection.id);
      evict.onclick = () => this.hooks.act("evict", { id: String(connection.id), at: connection.host + " at " + connection.address });
    });
  }
}

function makeButtonLink() {
  const link = make("button", "link mono clip");
  link.type = "button";
  return link;
}
`;
