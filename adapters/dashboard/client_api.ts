/**
 * The dashboard's script: how it speaks with the API beside it.
 *
 * @module
 */

/** Reads JSON and the event stream, with the token; to its own server alone. */
export const CLIENT_API: string = String.raw`
/** How long an event stream may say nothing, in milliseconds. The server says something every 15 s. */
const SILENT_STREAM_MS = 40000;

class ApiError extends Error {
  /** @param {number} status @param {string} message */
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

/** What tells a token from others and does not give it away; nothing over plain HTTP. @param {string} token */
async function markOf(token) {
  if (!crypto.subtle) return "";
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(token));
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** The API, as one token opens it. */
class Api {
  /** @param {string} token @param {string} mark Tells it from others @param {AbortSignal} signal Ends whatever is under way */
  constructor(token, mark, signal) {
    this.token = token;
    this.mark = mark;
    this.signal = signal;
    /** @type {(error: ApiError) => void} */
    this.onRefused = () => {};
  }

  /** @param {string} path @param {RequestInit & { headers?: Record<string, string> }} [init] @returns {Promise<Response>} */
  async open(path, init = {}) {
    let headers;
    try {
      headers = new Headers(init.headers);
      if (this.token) {
        const name = pageFact("token");
        headers.set(name, name === "authorization" ? "Bearer " + this.token : this.token);
      }
    } catch {
      throw new ApiError(401, "The token has characters that no token has");
    }
    const response = await fetch(pageFact("root") + path, { signal: this.signal, cache: "no-store", redirect: "manual", ...init, headers });
    if (response.ok) return response;
    if (response.type === "opaqueredirect") {
      throw new ApiError(0, "Something in front of the router redirects its API: leave these paths out of it");
    }
    const error = new ApiError(response.status, await messageOf(response));
    if (response.status === 401) this.onRefused(error);
    throw error;
  }

  /** @param {string} path @param {number} [longestMs] For how long an answer is waited for @returns {Promise<Data>} */
  async get(path, longestMs) {
    const ending = new AbortController();
    const end = () => ending.abort(this.signal.reason);
    if (this.signal.aborted) end();
    this.signal.addEventListener("abort", end);
    const timer = longestMs === undefined ? undefined : setTimeout(end, longestMs);
    try {
      return await (await this.open(path, { signal: ending.signal, headers: { accept: "application/json" } })).json();
    } finally {
      clearTimeout(timer);
      this.signal.removeEventListener("abort", end);
    }
  }

  /** @param {string} path @param {Data} body @returns {Promise<Data>} */
  async post(path, body) {
    const headers = { accept: "application/json", "content-type": "application/json" };
    return (await this.open(path, { method: "POST", headers, body: JSON.stringify(body) })).json();
  }

  /**
   * Reads an event stream to its end.
   * @param {string} path @param {string} lastId @param {AbortSignal} signal
   * @param {() => void} onOpen @param {(event: StreamEvent) => void} onEvent
   */
  async stream(path, lastId, signal, onOpen, onEvent) {
    /** @type {Record<string, string>} */
    const headers = { accept: "text/event-stream" };
    if (lastId) headers["last-event-id"] = lastId;
    const response = await this.open(path, { headers, signal });
    if (!response.body) throw new ApiError(0, "The event stream has no body");
    onOpen();
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    const parser = new EventParser(onEvent);
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    let silence;
    try {
      for (;;) {
        silence = setTimeout(() => reader.cancel().catch(() => {}), SILENT_STREAM_MS);
        const { done, value } = await reader.read();
        clearTimeout(silence);
        if (done) return;
        parser.push(value);
      }
    } finally {
      clearTimeout(silence);
      // The server need not go on with what cannot be read.
      reader.cancel().catch(() => {});
    }
  }
}

/** What the server has written into the page for its script. @param {"root" | "token"} name */
function pageFact(name) {
  const meta = document.querySelector('meta[name="hotconn-' + name + '"]');
  return meta ? meta.getAttribute("content") || "" : "";
}

/** @param {Response} response */
async function messageOf(response) {
  try {
    const { error } = await response.json();
    if (error && typeof error.message === "string") return error.message;
  } catch {
    // Not ours, then: its status has to do.
  }
  return "The server answered " + response.status;
}

/** @typedef {{ id: string, name: string, data: string }} StreamEvent */

/** Takes server-sent events apart. A long line that comes in many pieces is joined once. */
class EventParser {
  /** @param {(event: StreamEvent) => void} onEvent */
  constructor(onEvent) {
    this.onEvent = onEvent;
    /** @type {string[]} */
    this.pieces = [];
    /** @type {string[]} */
    this.data = [];
    this.id = "";
    this.name = "";
  }

  /** @param {string} text */
  push(text) {
    let from = 0;
    for (;;) {
      const at = text.indexOf("\n", from);
      if (at < 0) break;
      this.pieces.push(text.slice(from, at));
      const line = this.pieces.length === 1 ? this.pieces[0] : this.pieces.join("");
      this.pieces = [];
      this.line(line.endsWith("\r") ? line.slice(0, -1) : line);
      from = at + 1;
    }
    if (from < text.length) this.pieces.push(text.slice(from));
  }

  /** @param {string} line */
  line(line) {
    if (line === "") {
      if (this.data.length > 0) this.onEvent({ id: this.id, name: this.name || "message", data: this.data.join("\n") });
      this.data = [];
      // Of an event without a number the one before is none.
      this.name = this.id = "";
      return;
    }
    const colon = line.indexOf(":");
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(line[colon + 1] === " " ? colon + 2 : colon + 1);
    if (field === "data") this.data.push(value);
    else if (field === "event") this.name = value;
    else if (field === "id") this.id = value;
  }
}

/** @param {string} text @returns {Data} */
function parseJson(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/** What is kept between visits of the page; a browser that keeps nothing is no reason to fail. */
const keep = {
  /** @param {"local" | "session"} where @param {string} name */
  read(where, name) {
    try {
      return (where === "local" ? localStorage : sessionStorage).getItem("hotconn." + name) || "";
    } catch {
      return "";
    }
  },
  /** @param {"local" | "session"} where @param {string} name @param {string} value An empty one is forgotten */
  write(where, name, value) {
    try {
      const storage = where === "local" ? localStorage : sessionStorage;
      if (value) storage.setItem("hotconn." + name, value);
      else storage.removeItem("hotconn." + name);
    } catch {
      // Kept for as long as the page lives.
    }
  },
};
`;
