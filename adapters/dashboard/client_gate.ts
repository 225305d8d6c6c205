/**
 * The dashboard's script: the gate, where one signs in.
 *
 * @module
 */

/** The token is kept for the browser's session alone; signing out leaves nothing behind it. */
export const CLIENT_GATE: string = String.raw`
/** @param {string} id */
function fromTemplate(id) {
  return /** @type {HTMLTemplateElement} */ (byId(id)).content.cloneNode(true);
}

/** @param {string} theme */
function setTheme(theme) {
  if (theme) document.documentElement.dataset.theme = theme;
  else delete document.documentElement.dataset.theme;
}

/** @param {string} [message] What went wrong, if anything */
function showGate(message) {
  byId("root").replaceChildren(fromTemplate("gate-template"));
  showStale("");
  showInTab("stale", message ? "Signed out \u00b7 hotconn" : "hotconn");
  const error = byId("gate-error");
  const input = inputOf("token");
  const go = /** @type {HTMLButtonElement} */ (byId("gate-go"));
  const fail = (/** @type {string} */ words) => {
    setText(error, words);
    show(error, true);
    input.setAttribute("aria-invalid", "true");
    input.setAttribute("aria-describedby", "gate-error token-hint");
    go.disabled = false;
    input.select();
  };
  if (message) fail(message);
  byId("gate").addEventListener("submit", async (event) => {
    event.preventDefault();
    const token = input.value.trim();
    if (go.disabled) return;
    go.disabled = true;
    show(error, false);
    const failure = await enter(token);
    if (failure) fail(failure);
  });
  input.focus();
}

/** Opens the page with a token; resolves to why not where it does not. @param {string} token @returns {Promise<string | undefined>} */
async function enter(token) {
  const ended = new AbortController();
  const api = new Api(token, await markOf(token), ended.signal);
  try {
    const { pools, rights } = await api.get("api/pools");
    keep.write("session", "token", token);
    keep.write("session", "signed", "in");
    const session = new Session(api, ended, pools || [], rights || []);
    api.onRefused = () => session.leave("The token is not accepted any more");
    return undefined;
  } catch (error) {
    const status = error instanceof ApiError ? error.status : 0;
    if (status === 401 || status === 403) return "The token is not accepted";
    return "The server does not answer as it should: " + errorText(error);
  }
}
`;
