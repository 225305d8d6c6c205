/**
 * The dashboard's script: the map as a list by host, and by address.
 *
 * @module
 */

/** A list by host has the addresses below each host, the first few of many; one by address has a row for each. */
export const CLIENT_LIST: string = String.raw`
/** How many addresses of a host are shown at first. */
const MOST_CELLS = 8;

/** The columns after the name, by what they are sorted by. */
const LIST_COLUMNS = [["trouble", "State"], ["load", "In use of all"], ["streams", "Streams"], ["dialing", "Dialing"], ["latency", "Latency"], ["fails", "Failures"]];

/** The rows of a list, in order. @param {Model} model @param {Choice} choice @param {boolean} isNarrow @returns {Row[]} */
function listRows(model, choice, isNarrow) {
  const byHost = choice.view === "hosts";
  const isFiltered = choice.filter.trim() !== "" || choice.state !== "";
  /** @type {Row[]} */
  const rows = [];
  let top = 0;
  const add = (/** @type {string} */ key, /** @type {Line} */ line, /** @type {Cell | null} */ cell, more = 0) => {
    const height = isNarrow && more === 0 ? 52 : 36;
    rows.push({ key, line, cell, more, top, height });
    top += height;
  };
  for (const { line, cells } of choose(model, choice, byHost)) {
    add(line.key, line, null);
    // A single address stands in the row of its host.
    if (!byHost || line.cells.length < 2) continue;
    const sorted = inOrder(cells, choice.order, (cell) => sortableCell(cell, true));
    const isFolded = !isFiltered && sorted.length > MOST_CELLS + 1 && !choice.unfolded.has(line.key);
    for (const cell of isFolded ? sorted.slice(0, MOST_CELLS) : sorted) add(line.key + " / " + cell.key, line, cell);
    if (isFolded) add(line.key + " / more", line, null, sorted.length - MOST_CELLS);
    else if (!isFiltered && sorted.length > MOST_CELLS + 1) add(line.key + " / more", line, null, -1);
  }
  return rows;
}

/** What stands beside a line's name. @param {Line} line @param {boolean} byHost */
function subOf({ cells, stats }, byHost) {
  const others = byHost && cells.length !== 1 ? plural(cells.length, "address", "addresses")
    : cells.length > 3 ? plural(cells.length, "host", "hosts")
    : cells.map(({ address, host }) => (byHost ? address : host)).join(", ");
  return others + (numberOr0(stats.waiting) > 0 ? " \u00b7 " + fmtCount(stats.waiting) + " waiting" : "");
}

/** @param {Model} model @param {Choice} choice @param {boolean} isNarrow @returns {View} */
function listView(model, choice, isNarrow) {
  const byHost = choice.view === "hosts";
  const hasStreams = model.hosts.some(({ multiplexed }) => multiplexed > 0);
  const heads = [["name", byHost ? "Host and address" : "Address"], ...LIST_COLUMNS.filter(([key]) => key !== "streams" || hasStreams)];
  return {
    className: "list " + choice.view + (isNarrow ? " narrow" : "") + (hasStreams ? " streams" : ""),
    label: byHost ? "Hosts, each with its addresses" : "Addresses, each with its hosts",
    columnCount: heads.length,
    headHeight: isNarrow ? 0 : 34,
    nameWidth: 0,
    columnWidth: 1,
    columns: [],
    note: undefined,
    order: choice.order,
    rows: listRows(model, choice, isNarrow),
    makeHead(head) {
      for (const [key, text] of heads) {
        const node = makePart((["name", "trouble", "load"].includes(key) ? "" : "num ") + "of-" + key, "columnheader");
        const button = make("button", "sort", text);
        button.type = "button";
        button.dataset.sort = key;
        node.append(button);
        head.append(node);
      }
    },
    makeRow({ cell, more }) {
      const node = makePart(more !== 0 ? "row more" : cell ? "row" : "row line", "row");
      const name = makePart("name", "rowheader");
      name.append(makeIcon("good"), make("span", "clip"), make("span", "sub clip"));
      node.append(name);
      if (more !== 0) {
        name.setAttribute("aria-colspan", String(heads.length));
        return { node, name };
      }
      const load = makePart("load", "gridcell");
      load.append(makeMeter(""), make("span", ""));
      node.append(makePart("stword clip", "gridcell"), load);
      for (const [key] of heads.slice(3)) node.append(makePart("num of-" + key, "gridcell"));
      return { node, name };
    },
    fillRow(node, { cell, line, more }) {
      const [name, word, load, ...figures] = node.children;
      const [icon, title, sub] = name.children;
      if (more !== 0) {
        setText(title, more > 0 ? "and " + fmtCount(more) + " more" : "Show fewer");
        return setAttr(icon, "class", "icon none");
      }
      const one = cell ?? (line.cells.length === 1 ? line.cells[0] : null);
      const state = cell ? cell.state : line.sign;
      const text = cell ? cell.address : line.key;
      setIcon(icon, state, "st-" + state);
      setText(title, text);
      setAttr(title, "class", byHost === (cell !== null) ? "clip mono" : "clip");
      setText(sub, cell ? "" : subOf(line, byHost));
      setAttr(name, "title", text);
      setText(word, one && (cell || !line.problem) ? wordOf(one, model.at) : lineWord(line));
      setAttr(word, "title", word.textContent ?? "");
      setAttr(word, "class", "stword clip st-" + state);
      const sums = cell ? cell.stats : line;
      fillMeter(load.children[0], numberOr0(sums.leased), numberOr0(sums.idle));
      setText(load.children[1], fmtCount(numberOr0(sums.leased)) + " of " + fmtCount(numberOr0(sums.connections)));
      const told = cell ? sortableCell(cell, byHost) : sortableLine(line);
      const dash = isNarrow ? "" : "\u2013";
      /** @type {Record<string, string>} */
      const texts = {
        streams: numberOr0(sums.multiplexed) > 0 ? fmtCount(told.streams) + " of " + fmtCount(numberOr0(sums.capacity)) : dash,
        dialing: told.dialing > 0 ? fmtCount(told.dialing) : dash,
        latency: fmtMs(told.latency),
        fails: told.fails > 0 ? fmtCount(told.fails) + " in a row" : dash,
      };
      heads.slice(3).forEach(([key], index) => setText(figures[index], texts[key]));
      setAttr(figures[heads.findIndex(([key]) => key === "fails") - 3], "class", told.fails > 0 ? "num of-fails fails" : "num of-fails");
    },
    makeColumn: () => make("div"),
    fillColumn: () => {},
    makeCell: () => make("div"),
    fillCell: () => {},
  };
}
`;
