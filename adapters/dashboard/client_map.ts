/**
 * The dashboard's script: the map of hosts and addresses.
 *
 * @module
 */

/** A matrix that shows both indexes at once; the lists by each of them are beside it. */
export const CLIENT_MAP: string = String.raw`
/**
 * What of the map is to be seen, and how. Of what is unfolded nothing is left out: a host's addresses
 * by its name, the columns by "".
 * @typedef {{ view: string, filter: string, state: string, order: string, unfolded: Set<string> }} Choice
 */

/** How many columns a map has that can be read. */
const MOST_COLUMNS = 40;

/** @param {string} className */
function makeMeter(className) {
  const meter = make("span", "meter " + className);
  meter.append(make("span", "busy"), make("span", "free"));
  return meter;
}

/** @param {Element} meter @param {number} busy @param {number} free */
function fillMeter(meter, busy, free) {
  const [first, second] = /** @type {HTMLElement[]} */ ([...meter.children]);
  const sum = Math.max(1, busy + free);
  const wide = (/** @type {number} */ part) => Math.round((part / sum) * 100) + "%";
  if (first.style.width !== wide(busy)) first.style.width = wide(busy);
  if (second.style.width !== wide(free)) second.style.width = wide(free);
}

/** @param {string} className @param {string} [role] */
function makePart(className, role) {
  const part = make("div", className);
  if (role) part.setAttribute("role", role);
  return part;
}

/** How a line stands, in words: what is wrong with it first. @param {Line} line */
function lineWord({ key, problem, state, trouble, cells }) {
  if (problem) return problem.text.startsWith(key) ? problem.text.slice(key.length).replace(/^[: ]+/, "") : problem.text;
  return trouble > 0 && trouble < cells.length ? fmtCount(trouble) + " in trouble" : wordOfState(state);
}

/** What of the model is to be seen. @param {Model} model @param {Choice} choice @param {boolean} byHost */
function choose(model, { filter, state, order }, byHost) {
  const words = filter.trim().toLowerCase();
  const isWanted = (/** @type {Cell} */ cell) =>
    (words === "" || cell.host.toLowerCase().includes(words) || cell.address.includes(words))
    && (state === "" || cell.state === state || (state === "trouble" && TROUBLE.has(cell.state)));
  const all = words === "" && state === "";
  /** @type {{ line: Line, cells: Cell[] }[]} */
  const chosen = [];
  for (const line of byHost ? model.hosts : model.addresses) {
    const cells = all ? line.cells : line.cells.filter(isWanted);
    // What is wrong with the whole of it is wrong with all of its parts.
    if (state === "trouble" && line.problem && cells.length === 0 && line.key.toLowerCase().includes(words)) {
      chosen.push({ line, cells: line.cells });
      continue;
    }
    if (cells.length > 0 || all || (line.cells.length === 0 && state === "" && line.key.toLowerCase().includes(words))) chosen.push({ line, cells });
  }
  return inOrder(chosen, order, ({ line }) => sortableLine(line));
}

/** @param {Model} model @param {Choice} choice @param {boolean} isNarrow @param {number} room How wide it may be @returns {View} */
function makeView(model, choice, isNarrow, room) {
  return choice.view === "matrix" ? matrixView(model, choice, isNarrow, room) : listView(model, choice, isNarrow);
}

/** The longest of some texts, in characters. @param {readonly { line: Line }[]} lines */
function longest(lines) {
  return lines.reduce((most, { line }) => Math.max(most, line.key.length), 0);
}

/** @param {number} least @param {number} value @param {number} most */
function clamp(least, value, most) {
  return Math.round(Math.max(least, Math.min(value, most)));
}

/** @param {Model} model @param {Choice} choice @param {boolean} isNarrow @param {number} room @returns {View} */
function matrixView(model, choice, isNarrow, room) {
  const chosen = choose(model, choice, true);
  const shown = new Set();
  const isAll = choice.filter.trim() === "" && choice.state === "";
  if (!isAll) for (const { cells } of chosen) for (const { address } of cells) shown.add(address);
  const all = inOrder(model.addresses.filter(({ key }) => isAll || shown.has(key)), choice.order, sortableLine);
  const isUnfolded = choice.unfolded.has("");
  const columns = isUnfolded ? all : all.slice(0, MOST_COLUMNS);
  const height = 56;
  const nameWidth = isNarrow ? 148 : clamp(170, longest(chosen) * 9.2 + 52, 264);
  const least = clamp(142, longest(columns.map((line) => ({ line }))) * 7.4 + 22, 190);
  const columnWidth = clamp(least, (room - nameWidth) / Math.max(1, columns.length), 176);
  return {
    className: "matrix" + (isNarrow ? " narrow" : ""),
    label: "Hosts in rows, addresses in columns",
    columnCount: columns.length + 1,
    headHeight: 48,
    nameWidth,
    columnWidth,
    columns,
    note: all.length <= MOST_COLUMNS ? undefined : isUnfolded
      ? { text: "All " + fmtCount(all.length) + " addresses.", verb: "Show " + MOST_COLUMNS }
      : { text: "The first " + MOST_COLUMNS + " of " + fmtCount(all.length) + " addresses in this order.", verb: "Show all" },
    rows: chosen.map(({ line }, index) => ({ key: line.key, line, cell: null, more: 0, top: index * height, height })),
    makeHead(head) {
      const corner = makePart("corner", "columnheader");
      corner.setAttribute("aria-colindex", "1");
      corner.append(make("span", "", "Host \u2193"), make("span", "", "Address \u2192"));
      head.append(corner);
    },
    makeColumn() {
      const node = makePart("colname", "columnheader");
      const line = make("span", "line");
      line.append(makeIcon("good"), make("span", "sub clip"));
      node.append(make("span", "sr", "Address "), make("b", "mono clip"), make("span", "sr"), line);
      return node;
    },
    fillColumn(node, column) {
      const [, title, word, line] = node.children;
      setIcon(line.children[0], column.sign, "st-" + column.sign);
      setText(title, column.key);
      setText(word, ", " + lineWord(column) + ", ");
      setText(line.children[1], plural(column.cells.length, "host", "hosts") + " \u00b7 " + fmtCount(column.connections) + " open");
      setAttr(node, "title", column.key);
    },
    makeRow() {
      const node = makePart("row", "row");
      const name = makePart("rowname", "rowheader");
      name.setAttribute("aria-colindex", "1");
      const line = make("span", "line");
      line.append(make("span", "sr", "Host "), makeIcon("good"), make("b", "clip"));
      name.append(line, make("span", "sr"), make("span", "sub clip"));
      node.append(name);
      return { node, name };
    },
    fillRow(node, { line }) {
      const [first, word, sub] = node.children[0].children;
      setIcon(first.children[1], line.sign, "st-" + line.sign);
      setText(first.children[2], line.key);
      setText(word, line.problem ? ", " : ", " + lineWord(line) + ", ");
      setAttr(sub, "class", line.problem ? "sub says st-" + line.sign : "sub clip");
      setText(sub, line.problem ? lineWord(line) : fmtCount(line.leased) + " of " + fmtCount(line.connections) + " in use" + (line.stats.waiting > 0 ? " \u00b7 " + fmtCount(line.stats.waiting) + " wait" : ""));
      setAttr(node.children[0], "title", line.key + (line.problem ? ": " + lineWord(line) : ""));
    },
    makeCell() {
      const node = makePart("cell", "gridcell");
      const box = make("div", "box");
      const top = make("span", "line");
      top.append(makeIcon("good"), make("span", "word"), make("span", "muted"));
      const low = make("span", "line");
      low.append(make("span", ""), make("span", "sr", " in use "), make("span", "fails"));
      box.append(make("span", "sr"), top, makeMeter(""), low);
      node.append(box);
      return node;
    },
    fillCell(node, row, column) {
      const cell = row.line.byOther.get(column.key);
      setAttr(node, "class", cell ? "cell" : "cell none");
      setAttr(node, "data-state", cell ? cell.state : "");
      // Where there is something to read, the name is what is read.
      if (!cell) return setAttr(node, "aria-label", row.key + " does not live at " + column.key);
      node.removeAttribute("aria-label");
      const [where, top, meter, low] = node.children[0].children;
      setText(where, cell.host + " at " + cell.address + ": " + (cell.state === "good" ? "good " : ""));
      const leased = numberOr0(cell.stats.leased);
      setIcon(top.children[0], cell.state, "st-" + cell.state);
      setAttr(top, "class", "line st-" + cell.state);
      setText(top.children[1], cell.state === "good" ? "" : wordOfState(cell.state));
      setText(top.children[2], cell.latency === null || (cell.state !== "good" && cell.state !== "starting") ? "" : fmtMs(cell.latency));
      fillMeter(meter, leased, numberOr0(cell.stats.idle));
      setText(low.children[0], fmtCount(leased) + " of " + fmtCount(numberOr0(cell.stats.connections)));
      const weight = column.weight ? "weight " + cell.stats.weight : "";
      setAttr(low.children[2], "class", cell.fails > 0 ? "fails" : "muted");
      setText(low.children[2], cell.fails > 0 ? fmtCount(cell.fails) + " in a row" : weight);
      setAttr(low.children[2], "title", cell.fails > 0 ? plural(cell.fails, "failure", "failures") + " in a row" : weight && weight + ", set by hand");
    },
  };
}
`;
