/**
 * The dashboard's script: what of the map is looked at, and how one moves in it.
 *
 * @module
 */

/** The controls above the map, the map itself, and what they are set to. */
export const CLIENT_PLACES: string = String.raw`
const VIEWS = ["matrix", "hosts", "addresses"];

/** @typedef {{ host?: string, address?: string }} Spot A host, an address, or a host at an address. */
/** @typedef {{ onOpen(spot: Spot): void, onChoice(change: { filter: string, state: string, view: string, order: string }): void }} PlacesUser */

class Places {
  /** @param {AbortSignal} signal @param {PlacesUser} user */
  constructor(signal, user) {
    this.user = user;
    /** @type {Model | undefined} */
    this.model = undefined;
    /** @type {Choice} */
    this.choice = { view: keep.read("session", "view"), filter: "", state: "", order: "trouble", unfolded: new Set() };
    this.narrow = matchMedia("(max-width: 640px)");
    this.grid = new Grid(byId("grid-slot"), {
      onOpen: (row, column) => this.open(row, column),
      onSort: (order) => this.choose({ order }),
      onFold: (key) => this.fold(key),
    });
    for (const button of document.querySelectorAll("[data-view]")) {
      button.addEventListener("click", () => this.choose({ view: button.getAttribute("data-view") ?? "hosts" }));
    }
    inputOf("filter").addEventListener("input", () => this.choose({ filter: inputOf("filter").value }));
    selectOf("state").addEventListener("change", () => this.choose({ state: selectOf("state").value }));
    selectOf("order").addEventListener("change", () => this.choose({ order: selectOf("order").value }));
    this.narrow.addEventListener("change", () => this.draw(), { signal });
    window.addEventListener("resize", () => this.draw(), { signal, passive: true });
    // The drawer beside it leaves it less room.
    let width = 0;
    const room = new ResizeObserver(([entry]) => {
      if (entry && entry.contentRect.width !== width) this.draw();
      width = entry?.contentRect.width ?? width;
    });
    room.observe(byId("map"));
    signal.addEventListener("abort", () => room.disconnect());
  }

  /** Shows what a link leads to. @param {{ filter: string, state: string, view: string, order: string }} place */
  apply({ filter, order, state, view }) {
    Object.assign(this.choice, { filter, state, order: order || "trouble", ...(VIEWS.includes(view) && { view }) });
    inputOf("filter").value = filter;
    selectOf("state").value = state;
    this.draw();
  }

  /** Shows other figures; none where a pool has just been opened. @param {Model | undefined} model */
  show(model) {
    this.model = model;
    this.draw();
  }

  /** Leads to the addresses in a state. @param {string} state */
  lookFor(state) {
    selectOf("state").value = state;
    this.choose({ state });
    byId("map").scrollIntoView({ block: "start" });
    selectOf("state").focus({ preventScroll: true });
  }

  draw() {
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
    setText(byId("map-empty"), model.hosts.length === 0 ? "The pool has no host so far." : "No host or address matches the filter.");
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
    const { filter, order, state, view } = this.choice;
    this.user.onChoice({ filter, state, view, order: order === "trouble" ? "" : order });
    this.draw();
  }

  /** Shows all of what was left out, or only the first again. @param {string} key */
  fold(key) {
    const { unfolded } = this.choice;
    if (!unfolded.delete(key)) unfolded.add(key);
    this.draw();
  }

  /** @param {Row | undefined} row @param {Line | undefined} column */
  open(row, column) {
    const byAddress = this.choice.view === "addresses";
    if (row?.cell) this.user.onOpen({ host: row.cell.host, address: row.cell.address });
    else if (row && column && !row.line.byOther.has(column.key)) return;
    else if (row && column) this.user.onOpen({ host: row.line.key, address: column.key });
    else if (row && byAddress) this.user.onOpen({ address: row.line.key, ...(row.line.cells.length === 1 && { host: row.line.cells[0].host }) });
    else if (row) this.user.onOpen({ host: row.line.key });
    else if (column) this.user.onOpen({ address: column.key });
  }
}
`;
