/**
 * The dashboard's script: the actions, each with a dialog that says what it does.
 *
 * @module
 */

/** No action runs without a confirmation; closing a pool takes its name. */
export const CLIENT_ACTIONS: string = String.raw`
/** @typedef {{ name: string, label: string, type?: "text" | "number" | "span" | "scope", least?: number, step?: string, hint?: string, optional?: boolean }} Field */
/** @typedef {{ title: string, verb: string, danger?: boolean, text: (preset: Record<string, string>) => string, fields: Field[], done: string }} Action */

/** Asked for where the pool is in a fleet. @type {Field} */
const SCOPE = { name: "scope", label: "For", type: "scope" };

/** @type {Record<string, Action>} */
const ACTIONS = {
  warm: {
    title: "Warm a host", verb: "Warm", done: "Warm",
    text: () => "Connections to the host are opened now, and kept ready.",
    fields: [{ name: "host", label: "Host" }, { name: "connections", label: "Connections to keep open", type: "number", least: 0, hint: "0 lets them go again" }],
  },
  drain: {
    title: "Drain", verb: "Drain", danger: true, done: "Drained",
    text: () => "No further lease begins on these connections. Those in use end after their last lease; the others end now.",
    fields: [{ name: "target", label: "Host or address" }, SCOPE],
  },
  evict: {
    title: "Evict a connection", verb: "Evict", danger: true, done: "Evicted",
    text: ({ id, at }) => "Connection " + id + " to " + at + " leaves the maps. If it is in use, its lease may end with an error.",
    fields: [],
  },
  block: {
    title: "Block an address", verb: "Block", danger: true, done: "Blocked",
    text: () => "While the address is blocked no host is dialled there. Its connections end: those in use with their lease, the others now.",
    fields: [
      { name: "ip", label: "Address", hint: "An IP address, or one port of it" },
      { name: "forMs", label: "For how long", type: "span" },
      { name: "reason", label: "Reason", optional: true, hint: "Shown to everybody who looks at this page" },
      SCOPE,
    ],
  },
  unblock: {
    title: "Unblock an address", verb: "Unblock", done: "Unblocked",
    text: () => "The address may be dialled again.",
    fields: [{ name: "ip", label: "Address" }, SCOPE],
  },
  weight: {
    title: "Set the weight", verb: "Set", done: "Weight",
    text: () => "It holds for every host that has the address, whatever options and resolver say. At 0 nothing new goes there as long as another good address has a weight; what is under way goes on.",
    fields: [
      { name: "ip", label: "Address", hint: "An IP address, or one port of it" },
      { name: "weight", label: "Weight", type: "number", least: 0, step: "any", optional: true, hint: "Empty: what options and resolver say holds again" },
      SCOPE,
    ],
  },
  limits: {
    title: "Change limits", verb: "Change", done: "Limits changed",
    text: () => "These limits hold now. Connections above a lower limit end as they become idle.",
    fields: [
      { name: "maxConnections", label: "Connections in all", type: "number", optional: true },
      { name: "maxConnectionsPerHost", label: "Connections to one host", type: "number", optional: true },
      { name: "maxConnectionsPerIp", label: "Connections to one IP address", type: "number", optional: true },
    ],
  },
  close: {
    title: "Close the pool", verb: "Close the pool", danger: true, done: "Closed",
    text: ({ pool }) => "Every connection of the pool ends, and everybody who waits is refused. This cannot be undone. Write \u201c" + pool + "\u201d to confirm.",
    fields: [{ name: "confirm", label: "Name of the pool" }],
  },
};

const SCOPES = [["", "This pool"], ["fleet", "All pools of the fleet"]];
const SPANS = [["300000", "5 minutes"], ["3600000", "1 hour"], ["86400000", "1 day"], ["", "Until it is unblocked"]];

/** @param {Field} field @param {string} value */
function makeField(field, value) {
  const label = make("label", "", field.label + (field.optional ? " (optional)" : ""));
  const choices = field.type === "span" ? SPANS : field.type === "scope" ? SCOPES : undefined;
  const input = make(choices ? "select" : "input", "field");
  input.name = field.name;
  if (input instanceof HTMLSelectElement) {
    for (const [choice, text] of choices ?? []) input.append(new Option(text, choice));
    if (field.type === "scope") input.value = value;
  } else {
    input.type = field.type ?? "text";
    input.value = value;
    input.autocomplete = "off";
    input.spellcheck = false;
    input.required = !field.optional;
    if (field.type === "number") {
      input.min = String(field.least ?? 1);
      input.step = field.step ?? "1";
    }
  }
  label.append(input);
  if (field.hint) label.append(make("small", "", field.hint));
  return label;
}

/** What a dialog's fields say, as the API takes it. @param {string} name @param {Record<string, string>} preset @param {FormData} values @returns {Data} */
function bodyOf(name, preset, values) {
  if (name === "evict") return { id: Number(preset.id) };
  /** @type {Record<string, string | number>} */
  const body = {};
  for (const { name: key, type } of ACTIONS[name].fields) {
    const value = String(values.get(key) ?? "").trim();
    if (value === "" || key === "confirm" || (name === "limits" && value === preset[key])) continue;
    body[key] = type === "number" || type === "span" ? Number(value) : value;
  }
  return body;
}

/** @param {Action} action @param {Data} body @param {Data} result */
function outcomeOf({ done, title }, body, result) {
  const failures = result && Array.isArray(result.failures) ? result.failures.length : 0;
  if (failures > 0) return title + ": " + plural(failures, "address failed", "addresses failed");
  const goesOn = result && result.done === false;
  if (goesOn && body.scope === "fleet") return done + " in this pool; the others get it once the store answers";
  if (goesOn) return title + ": it has begun, and goes on";
  if (result && isNumber(result.weight)) return done + " set: " + result.weight;
  if (result && result.weight === null) return done + " taken off";
  return done + (result && isNumber(result.connections) ? ": " + plural(result.connections, "connection", "connections") : "");
}

/**
 * Asks, acts, and says how it went.
 * @param {{ name: string, preset: Record<string, string>, pool: string, hasFleet: boolean, post: (name: string, body: Data) => Promise<Data>, onDone: () => void }} order
 */
function ask({ name, preset, pool, hasFleet, post, onDone }) {
  const action = ACTIONS[name];
  const dialog = /** @type {HTMLDialogElement} */ (byId("ask"));
  const cameFrom = /** @type {HTMLElement | null} */ (document.activeElement);
  const form = make("form");
  const title = make("h2", "", action.title);
  title.id = "ask-title";
  const fields = make("div", "fields");
  for (const field of action.fields.filter(({ type }) => type !== "scope" || hasFleet)) fields.append(makeField(field, preset[field.name] ?? ""));
  const error = make("p", "error");
  error.setAttribute("role", "alert");
  error.hidden = true;
  const ends = make("div", "ends");
  const go = make("button", "btn main" + (action.danger ? " danger" : ""), action.verb);
  ends.append(makeButton("", "Cancel", () => dialog.close()), go);
  const text = make("p", "muted", action.text({ pool, ...preset }));
  text.id = "ask-text";
  dialog.setAttribute("aria-describedby", "ask-text");
  const change = make("p", "change");
  change.setAttribute("role", "status");
  change.hidden = name !== "limits";
  const tellChange = () => setText(change, limitsChange(action.fields, preset, bodyOf(name, preset, new FormData(form))));
  form.append(title, text, fields, change, error, ends);
  if (name === "limits") {
    form.addEventListener("input", tellChange);
    tellChange();
  }
  let asking = true;
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const values = new FormData(form);
    if (name === "close" && values.get("confirm") !== pool) return fail("That is not the name of the pool");
    const body = bodyOf(name, preset, values);
    if (name === "limits" && Object.keys(body).length === 0) return fail("Change at least one of them");
    show(error, false);
    go.disabled = true;
    try {
      const result = await post(name, body);
      if (asking) dialog.close();
      toast(outcomeOf(action, body, result));
      onDone();
    } catch (cause) {
      go.disabled = false;
      fail(errorText(cause));
    }
  });
  /** @param {string} words */
  function fail(words) {
    setText(error, words || "It did not work");
    show(error, true);
  }
  dialog.replaceChildren(form);
  dialog.onclose = () => {
    asking = false;
    dialog.replaceChildren();
    if (cameFrom?.isConnected) cameFrom.focus({ preventScroll: true });
  };
  dialog.showModal();
  const first = /** @type {HTMLElement | null} */ ([...form.querySelectorAll("input")].find(({ value }) => value === "") ?? null);
  (first ?? /** @type {HTMLElement} */ (ends.firstElementChild)).focus();
}

let toastTimer = 0;

/** @param {string} words */
function toast(words) {
  const node = document.getElementById("toast");
  if (!node) return;
  setText(node, words);
  clearTimeout(toastTimer);
  toastTimer = setTimeout(() => setText(node, ""), 5000);
}
`;
