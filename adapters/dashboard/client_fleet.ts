/**
 * The dashboard's script: the fleet, its members, and what all of them have where.
 *
 * @module
 */

/** Nothing of it is shown of a pool that is in no fleet. */
export const CLIENT_FLEET: string = String.raw`
/** How many lines of a list are drawn. */
const FLEET_LINES = 200;

/** @typedef {{ cells: string[], title?: string, verbs?: [verb: string, name: string, preset: Record<string, string>][] }} FleetLine */

const FLEET_STATES = { joining: "Joining", joined: "Joined", alone: "On its own" };

/** @param {string} id @param {string} title @param {string[]} columns */
function makeFleetTable(id, title, columns) {
  const block = make("div", "scroll");
  const table = make("table");
  const caption = make("caption", "", title);
  const head = make("thead");
  const heads = make("tr");
  columns.forEach((text, index) => {
    const cell = make("th", index === 0 ? "" : "num", text);
    cell.scope = "col";
    heads.append(cell);
  });
  head.append(heads);
  const rows = make("tbody");
  rows.id = id;
  table.append(caption, head, rows);
  block.tabIndex = 0;
  block.setAttribute("role", "region");
  block.setAttribute("aria-label", title);
  block.append(table);
  return block;
}

/** @param {string} id @param {readonly FleetLine[]} lines @param {(name: string, preset: Record<string, string>) => void} act */
function fillFleetTable(id, lines, act) {
  fillList(byId(id), lines.slice(0, FLEET_LINES), () => make("tr"), (row, { cells, title, verbs = [] }) => {
    const wanted = cells.length + (verbs.length > 0 ? 1 : 0);
    while (row.children.length > wanted) row.lastElementChild?.remove();
    while (row.children.length < wanted) row.append(make("td"));
    cells.forEach((text, index) => {
      setText(row.children[index], text);
      setAttr(row.children[index], "class", index === 0 ? "mono" : "num");
    });
    setAttr(row, "title", title ?? "");
    const place = row.children[cells.length];
    if (!place) return;
    fillList(/** @type {HTMLElement} */ (place), verbs, () => make("button", "btn small danger"), (button, [verb, name, preset]) => {
      setText(button, verb + "\u2026");
      setAttr(button, "aria-label", verb + " " + cells[0] + " in the whole fleet");
      button.onclick = () => act(name, { ...preset, scope: "fleet" });
    });
  });
}

/**
 * @param {Data} fleet @param {boolean} canAct
 * @param {(name: string, preset: Record<string, string>) => void} act
 */
function drawFleet(fleet, canAct, act) {
  const panel = byId("fleet");
  show(panel, Boolean(fleet));
  if (!fleet) return;
  const tables = byId("fleet-tables");
  if (tables.childElementCount === 0) {
    tables.append(
      makeFleetTable("fleet-members", "Members", ["Member", "Since", "Open", "In use"]),
      makeFleetTable("fleet-addresses", "By address, of all members", ["Address", "Members", "Open", "In use", "May be"]),
      makeFleetTable("fleet-hosts", "By host, of all members", ["Host", "Members", "Open", "In use", "May be"]),
    );
  }
  const state = /** @type {keyof typeof FLEET_STATES} */ (fleet.state);
  const now = Date.now();
  setText(byId("fleet-count"), plural(numberOr0(fleet.members), "member", "members"));
  setText(byId("fleet-state"), String(fleet.name) + " \u00b7 " + (FLEET_STATES[state] ?? String(state)) + " \u00b7 " + fleet.store + (fleet.error ? " \u00b7 " + fleet.error : ""));
  setAttr(panel, "data-state", String(fleet.state));
  const peers = /** @type {Data[]} */ (fleet.peers || []);
  fillFleetTable("fleet-members", peers.map(({ connections, leased, member, since }) => ({
    cells: [String(member) + (member === fleet.member ? " (this pool)" : ""), fmtSpan(now - numberOr0(since)), fmtCount(connections), fmtCount(leased)],
    title: "Since " + new Date(numberOr0(since)).toLocaleString("en"),
  })), act);
  const capOf = new Map(/** @type {Data[]} */ (fleet.caps || []).map(({ cap, key }) => [key, cap]));
  /** @param {Data[]} places @param {string} kind */
  const linesOf = (places, kind) => places.map(({ connections, leased, members, place }) => {
    /** @type {FleetLine} */
    const line = { cells: [String(place), fmtCount(members), fmtCount(connections), fmtCount(leased), fmtCount(capOf.get(kind + " " + place))] };
    if (canAct && kind === "a") line.verbs = [["Block", "block", { ip: ipOf(String(place)) }], ["Drain", "drain", { target: String(place) }]];
    if (canAct && kind === "h") line.verbs = [["Drain", "drain", { target: String(place) }]];
    return line;
  });
  fillFleetTable("fleet-addresses", linesOf(fleet.addresses || [], "a"), act);
  fillFleetTable("fleet-hosts", linesOf(fleet.hosts || [], "h"), act);
}
`;
