/**
 * The dashboard's script: a grid of which only what is in sight is in the document.
 *
 * @module
 */

/** Rows and columns by key: what stays in sight keeps its nodes, and so the focus. */
export const CLIENT_GRID: string = String.raw`
/** A row of a line, or of a cell; or what stands for so many others, -1 where they are all there. @typedef {{ key: string, line: Line, cell: Cell | null, more: number, top: number, height: number }} Row */
/** @typedef {{ node: HTMLElement, name: HTMLElement, cells: Map<string, HTMLElement> }} RowNodes */
/**
 * How a view looks. A matrix has columns; a list has none, and its rows hold all of their cells.
 * @typedef {{
 *   className: string, label: string, columnCount: number, headHeight: number, nameWidth: number, columnWidth: number,
 *   rows: Row[], columns: Line[], note: { text: string, verb: string } | undefined, order?: string,
 *   makeHead: (head: HTMLElement) => void,
 *   makeColumn: () => HTMLElement, fillColumn: (node: HTMLElement, column: Line) => void,
 *   makeRow: (row: Row) => { node: HTMLElement, name: HTMLElement }, fillRow: (node: HTMLElement, row: Row) => void,
 *   makeCell: () => HTMLElement, fillCell: (node: HTMLElement, row: Row, column: Line) => void,
 * }} View
 */

/** @typedef {{ onOpen: (row: Row | undefined, column: Line | undefined) => void, onSort: (order: string) => void, onFold: (key: string) => void }} GridHooks */

class Grid {
  /** @param {HTMLElement} slot @param {GridHooks} hooks */
  constructor(slot, hooks) {
    this.hooks = hooks;
    this.node = make("div", "grid");
    this.node.setAttribute("role", "grid");
    this.headGroup = make("div", "head");
    this.headGroup.setAttribute("role", "rowgroup");
    this.body = make("div", "rows body");
    this.body.setAttribute("role", "rowgroup");
    this.node.append(this.headGroup, this.body);
    this.note = make("p", "note");
    this.note.append(make("span"), " ", makeButton("small", "", () => hooks.onFold("")));
    slot.replaceChildren(this.node, this.note);
    /** @type {View | undefined} */
    this.view = undefined;
    /** @type {HTMLElement | undefined} */
    this.head = undefined;
    this.above = make("div");
    /** @type {Map<string, RowNodes>} */
    this.rowNodes = new Map();
    /** @type {Map<string, HTMLElement>} */
    this.columnNodes = new Map();
    /** @type {Map<string, number>} */
    this.rowAt = new Map();
    /** @type {Map<string, number>} */
    this.columnAt = new Map();
    /** @type {WeakMap<Element, { row: string, column: string }>} */
    this.places = new WeakMap();
    /** Where the keyboard stands: no row is the head, no column a row's name. */
    this.active = { row: "", column: "" };
    this.due = false;
    this.node.addEventListener("scroll", () => this.later(), { passive: true });
    this.node.addEventListener("keydown", (event) => this.onKey(event));
    this.node.addEventListener("click", (event) => this.onClick(event));
  }

  /** Shows a view, or its new figures. @param {View} view */
  show(view) {
    if (this.view?.className !== view.className) this.reset(view);
    this.node.style.setProperty("--name", view.nameWidth + "px");
    this.node.style.setProperty("--col", view.columnWidth + "px");
    this.view = view;
    const { rows, columns } = view;
    this.rowAt = new Map(rows.map((row, index) => [row.key, index]));
    this.columnAt = new Map(columns.map((column, index) => [column.key, index]));
    const last = rows[rows.length - 1];
    const height = last ? last.top + last.height : 0;
    const width = view.nameWidth + columns.length * view.columnWidth;
    this.body.style.height = height + "px";
    this.body.style.width = this.headGroup.style.width = columns.length > 0 ? width + "px" : "";
    const room = Math.max(260, Math.min(window.innerHeight * 0.62, 720));
    this.node.style.height = Math.min(height + view.headHeight + 18, room) + "px";
    setAttr(this.node, "aria-label", view.label);
    show(this.note, view.note !== undefined);
    setText(this.note.children[0], view.note?.text ?? "");
    setText(this.note.children[1], view.note?.verb ?? "");
    for (const button of /** @type {NodeListOf<HTMLElement>} */ (this.headGroup.querySelectorAll("[data-sort]"))) {
      setAttr(/** @type {Element} */ (button.parentElement), "aria-sort", ariaSort(view.order ?? "", button.dataset.sort ?? ""));
    }
    setAttr(this.node, "aria-rowcount", String(rows.length + 1));
    setAttr(this.node, "aria-colcount", String(view.columnCount));
    if (!this.rowAt.has(this.active.row) && !(this.active.row === "" && this.columnAt.has(this.active.column))) {
      this.active = { row: rows[0]?.key ?? "", column: "" };
    }
    if (this.active.column !== "" && !this.columnAt.has(this.active.column)) this.active.column = "";
    this.render(true);
  }

  /** @param {View} view */
  reset(view) {
    this.node.className = "grid " + view.className;
    this.node.style.setProperty("--head", view.headHeight + "px");
    this.rowNodes.clear();
    this.columnNodes.clear();
    this.body.replaceChildren();
    this.head = make("div", "row");
    this.head.setAttribute("role", "row");
    this.head.setAttribute("aria-rowindex", "1");
    view.makeHead(this.head);
    // Of which host or address the rows at the top are, once its own row is out of sight.
    this.above = make("div", "above clip");
    this.above.setAttribute("aria-hidden", "true");
    this.headGroup.replaceChildren(this.head, this.above);
    this.node.scrollTo(0, 0);
    this.active = { row: "", column: "" };
  }

  later() {
    if (this.due) return;
    this.due = true;
    requestAnimationFrame(() => {
      this.due = false;
      this.render(false);
    });
  }

  /** @param {boolean} all Whether what is there already has new figures */
  render(all) {
    const { view, head } = this;
    if (!view || !head) return;
    const { rows, columns } = view;
    const focused = document.activeElement;
    const held = focused !== null && focused !== this.node && this.node.contains(focused);
    const top = this.node.scrollTop;
    const left = this.node.scrollLeft;
    const firstRow = this.findRow(top - 80);
    const lastRow = this.findRow(top + this.node.clientHeight + 80);
    const firstColumn = Math.max(0, Math.floor(left / view.columnWidth) - 1);
    const lastColumn = Math.min(columns.length - 1, Math.ceil((left + this.node.clientWidth - view.nameWidth) / view.columnWidth));
    const shownColumns = columns.slice(firstColumn, lastColumn + 1);
    const columnKeys = new Set(shownColumns.map(({ key }) => key));
    if (columns.length > 0) this.renderColumns(view, head, shownColumns, columnKeys, firstColumn, all);

    const shownRows = rows.slice(firstRow, lastRow + 1);
    const rowKeys = new Set(shownRows.map(({ key }) => key));
    for (const [key, { node }] of this.rowNodes) {
      if (rowKeys.has(key)) continue;
      node.remove();
      this.rowNodes.delete(key);
    }
    shownRows.forEach((row, index) => this.renderRow(view, row, firstRow + index, index, shownColumns, columnKeys, firstColumn, all));

    const topmost = rows[this.findRow(top)];
    show(this.above, Boolean(topmost?.cell));
    if (topmost?.cell) setText(this.above, topmost.line.key);

    const active = this.activeNode();
    this.node.tabIndex = active ? -1 : 0;
    if (active) active.tabIndex = 0;
    if (!held || document.activeElement === focused) return;
    (focused.isConnected ? /** @type {HTMLElement} */ (focused) : active ?? this.node).focus({ preventScroll: true });
  }

  /** @param {View} view @param {HTMLElement} head @param {Line[]} shown @param {Set<string>} keys @param {number} first @param {boolean} all */
  renderColumns(view, head, shown, keys, first, all) {
    dropOthers(this.columnNodes, keys);
    shown.forEach((column, index) => {
      let node = this.columnNodes.get(column.key);
      const isNew = node === undefined;
      if (!node) {
        this.columnNodes.set(column.key, node = view.makeColumn());
        node.tabIndex = -1;
        this.places.set(node, { row: "", column: column.key });
      }
      place(head, node, index + 1);
      const left = view.nameWidth + (first + index) * view.columnWidth + "px";
      if (node.style.left !== left) node.style.left = left;
      setAttr(node, "aria-colindex", String(first + index + 2));
      if (isNew || all) view.fillColumn(node, column);
    });
  }

  /** @param {View} view @param {Row} row @param {number} at @param {number} index @param {Line[]} columns @param {Set<string>} keys @param {number} first @param {boolean} all */
  renderRow(view, row, at, index, columns, keys, first, all) {
    let nodes = this.rowNodes.get(row.key);
    const isNew = nodes === undefined;
    if (!nodes) {
      this.rowNodes.set(row.key, nodes = { ...view.makeRow(row), cells: new Map() });
      nodes.name.tabIndex = -1;
      this.places.set(nodes.node, { row: row.key, column: "" });
    }
    const { node, cells } = nodes;
    place(this.body, node, index);
    if (node.style.top !== row.top + "px") node.style.top = row.top + "px";
    if (node.style.height !== row.height + "px") node.style.height = row.height + "px";
    if (columns.length > 0) node.style.width = this.body.style.width;
    setAttr(node, "aria-rowindex", String(at + 2));
    if (isNew || all) view.fillRow(node, row);
    if (columns.length === 0) return;
    dropOthers(cells, keys);
    columns.forEach((column, offset) => {
      let cell = cells.get(column.key);
      const isFresh = cell === undefined;
      if (!cell) {
        cells.set(column.key, cell = view.makeCell());
        cell.tabIndex = -1;
        this.places.set(cell, { row: row.key, column: column.key });
      }
      place(node, cell, offset + 1);
      const left = view.nameWidth + (first + offset) * view.columnWidth + "px";
      if (cell.style.left !== left) cell.style.left = left;
      setAttr(cell, "aria-colindex", String(first + offset + 2));
      if (isFresh || all) view.fillCell(cell, row, column);
    });
  }

  /** The last row that begins at or above a height. @param {number} y */
  findRow(y) {
    const rows = this.view?.rows ?? [];
    let low = 0;
    let high = rows.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (rows[middle].top <= y) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  activeNode() {
    const { row, column } = this.active;
    if (row === "") return this.columnNodes.get(column);
    const nodes = this.rowNodes.get(row);
    return column === "" ? nodes?.name : nodes?.cells.get(column);
  }

  /** @param {MouseEvent} event */
  onClick(event) {
    const sort = /** @type {HTMLElement} */ (event.target).closest("[data-sort]")?.getAttribute("data-sort");
    if (sort) return this.hooks.onSort(nextOrder(this.view?.order ?? "", sort));
    for (let node = /** @type {Element | null} */ (event.target); node && node !== this.node; node = node.parentElement) {
      const found = this.places.get(node);
      if (found) return this.activate(found, true);
    }
  }

  /** @param {{ row: string, column: string }} target @param {boolean} open */
  activate(target, open) {
    const before = this.activeNode();
    if (before) before.tabIndex = -1;
    this.active = { ...target };
    const node = this.activeNode();
    if (node) {
      node.tabIndex = 0;
      node.focus({ preventScroll: true });
    }
    this.node.tabIndex = node ? -1 : 0;
    const { rows = [], columns = [] } = this.view ?? {};
    if (!open) return;
    const row = rows[this.rowAt.get(target.row) ?? -1];
    if (row && row.more !== 0) this.hooks.onFold(row.line.key);
    else this.hooks.onOpen(row, columns[this.columnAt.get(target.column) ?? -1]);
  }

  /** @param {KeyboardEvent} event */
  onKey(event) {
    const { view } = this;
    if (!view || event.altKey || event.metaKey || /** @type {HTMLElement} */ (event.target).closest("[data-sort]")) return;
    if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      return this.activate(this.active, true);
    }
    const isMatrix = view.columns.length > 0;
    const last = { row: view.rows.length - 1, column: view.columns.length - 1 };
    let row = this.rowAt.get(this.active.row) ?? -1;
    let column = this.columnAt.get(this.active.column) ?? -1;
    const page = Math.max(1, Math.floor(this.node.clientHeight / (view.rows[0]?.height || 40)) - 1);
    if (event.key === "ArrowDown") row++;
    else if (event.key === "ArrowUp") row--;
    else if (event.key === "ArrowRight") column++;
    else if (event.key === "ArrowLeft") column--;
    else if (event.key === "PageDown") row += page;
    else if (event.key === "PageUp") row = Math.max(0, row - page);
    else if (event.key === "Home") [row, column] = [event.ctrlKey || !isMatrix ? 0 : row, -1];
    else if (event.key === "End") [row, column] = [event.ctrlKey || !isMatrix ? last.row : row, last.column];
    else return;
    event.preventDefault();
    column = Math.max(-1, Math.min(column, last.column));
    // The corner between the heads of rows and columns is no place to stand on.
    row = Math.max(isMatrix && column >= 0 ? -1 : 0, Math.min(row, last.row));
    this.reveal(view, row, column);
    this.activate({ row: view.rows[row]?.key ?? "", column: view.columns[column]?.key ?? "" }, false);
  }

  /** Scrolls as far as it takes. @param {View} view @param {number} row @param {number} column */
  reveal(view, row, column) {
    const { node } = this;
    const at = view.rows[row];
    // What stands above the rows is not to hide the one.
    const cover = at?.cell ? 32 : 0;
    if (at && at.top - cover < node.scrollTop) node.scrollTop = at.top - cover;
    else if (at) node.scrollTop = Math.max(node.scrollTop, at.top + at.height + view.headHeight - node.clientHeight);
    if (column >= 0) {
      const left = column * view.columnWidth;
      const room = node.clientWidth - view.nameWidth;
      node.scrollLeft = Math.min(left, Math.max(node.scrollLeft, left + view.columnWidth - room));
    }
    this.render(false);
  }
}

/** @param {HTMLElement} parent @param {HTMLElement} node @param {number} index */
function place(parent, node, index) {
  const there = parent.children[index];
  if (there !== node) parent.insertBefore(node, there ?? null);
}

/** @param {Map<string, HTMLElement>} nodes @param {Set<string>} keys */
function dropOthers(nodes, keys) {
  for (const [key, node] of nodes) {
    if (keys.has(key)) continue;
    node.remove();
    nodes.delete(key);
  }
}
`;
