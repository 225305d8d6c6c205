/**
 * The dashboard's script: the order of hosts and addresses.
 *
 * @module
 */

/** An order is the name of what it goes by; with a minus in front, the other way round. */
export const CLIENT_SORT: string = String.raw`
/** @typedef {{ name: string, rank: number, load: number, streams: number, dialing: number, latency: number | null, fails: number }} Sortable */

/** What can be sorted by, and which way comes first. @type {Record<string, { of: (item: Sortable) => number | string | null, rises: boolean }>} */
const SORTS = {
  trouble: { of: ({ rank }) => rank, rises: false },
  name: { of: ({ name }) => name, rises: true },
  load: { of: ({ load }) => load, rises: false },
  streams: { of: ({ streams }) => streams, rises: false },
  dialing: { of: ({ dialing }) => dialing, rises: false },
  latency: { of: ({ latency }) => latency, rises: false },
  fails: { of: ({ fails }) => fails, rises: false },
};

/** @param {string} order */
function readOrder(order) {
  const key = order.replace(/^-/, "");
  if (!Object.hasOwn(SORTS, key)) return { key: "trouble", ...SORTS.trouble };
  return { key, of: SORTS[key].of, rises: SORTS[key].rises !== order.startsWith("-") };
}

/** The order that a click on a column leads to. @param {string} order @param {string} key */
function nextOrder(order, key) {
  return order === key ? "-" + key : key;
}

/** What a column says of the order, by ARIA. @param {string} order @param {string} key */
function ariaSort(order, key) {
  const now = readOrder(order);
  return now.key !== key ? "none" : now.rises ? "ascending" : "descending";
}

/**
 * Sorts a copy. What is not known comes last either way; what is alike stays as it was.
 * @template T
 * @param {readonly T[]} items @param {string} order @param {(item: T) => Sortable} read @returns {T[]}
 */
function inOrder(items, order, read) {
  const { of, rises } = readOrder(order);
  const keyed = items.map((item) => {
    const sortable = read(item);
    return { item, value: of(sortable), rank: sortable.rank };
  });
  keyed.sort((a, b) => {
    if (a.value === null || b.value === null) return a.value === b.value ? 0 : a.value === null ? 1 : -1;
    const by = typeof a.value === "number" && typeof b.value === "number" ? a.value - b.value : names.compare(String(a.value), String(b.value));
    return (rises ? by : -by) || b.rank - a.rank;
  });
  return keyed.map(({ item }) => item);
}

/** @param {Line} line @returns {Sortable} */
function sortableLine({ cells, dialing, fails, key, leased, leases, rank: own, stats, trouble }) {
  let latency = null;
  for (const cell of cells) if (cell.latency !== null && (latency === null || cell.latency > latency)) latency = cell.latency;
  // Of as bad a state, that with more in trouble.
  const rank = own * 1e6 + trouble;
  return { name: key, rank, load: leased, streams: leases, dialing: Math.max(dialing, numberOr0(stats.dialing)), latency, fails };
}

/** @param {Cell} cell @param {boolean} byHost Whether its address tells it apart, or its host @returns {Sortable} */
function sortableCell({ address, fails, host, latency, state, stats }, byHost) {
  return {
    name: byHost ? address : host, rank: STATES.indexOf(state), load: numberOr0(stats.leased), streams: numberOr0(stats.leases),
    dialing: numberOr0(stats.dialing), latency, fails,
  };
}
`;
