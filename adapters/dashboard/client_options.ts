/**
 * The dashboard's script: the options of a pool and of its hosts.
 *
 * @module
 */

/** What was set comes first; the defaults are folded away below it. */
export const CLIENT_OPTIONS: string = String.raw`
/** @param {Data} value @param {string} name @returns {string} */
function fmtOption(value, name) {
  if (value === null) return /^max|Ms$/.test(name) ? "no limit" : "none";
  if (isNumber(value)) return !name.endsWith("Ms") ? fmtCount(value) : value < 1000 ? fmtMs(value) : fmtSpan(value);
  if (typeof value !== "object") return value === true ? "yes" : value === false ? "no" : String(value);
  if (Array.isArray(value)) return value.map((part) => fmtOption(part, "")).join(", ") || "none";
  return Object.entries(value).map(([part, own]) => part + ": " + fmtOption(own, part)).join("; ") || "none";
}

/** @param {string} id @param {Fact[]} facts */
function fillOptions(id, facts) {
  fillList(byId(id), facts, () => {
    const fact = make("div");
    fact.append(make("dt"), make("dd"));
    return fact;
  }, (node, [name, value]) => {
    setText(node.children[0], name);
    setText(node.children[1], value);
  });
}

/** @param {Data} told */
function drawOptions({ hosts, options }) {
  /** @param {boolean} isSet @returns {Fact[]} */
  const pick = (isSet) => Object.keys(options).sort().filter((name) => options[name].isSet === isSet)
    .map((name) => [name, fmtOption(options[name].value, name)]);
  /** @type {Fact[]} */
  const ofHosts = Object.entries(hosts).map(([host, values]) => [host, fmtOption(values, "")]);
  const set = [...pick(true), ...ofHosts];
  const defaults = pick(false);
  fillOptions("options-set", set.length > 0 ? set : [["Nothing was set", "All options are as by default"]]);
  fillOptions("options-defaults", defaults);
  setText(byId("options-more"), plural(defaults.length, "default", "defaults"));
}
`;
