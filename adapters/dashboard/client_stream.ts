/**
 * The dashboard's script: one event stream for all tabs of a browser that look at the same pool.
 *
 * @module
 */

/**
 * A browser opens six HTTP/1.1 connections to a server, and an event stream holds one of them. So of
 * the tabs in sight one reads the stream and tells the others; tabs out of sight only listen. Who
 * reads is settled by a Web Lock, which passes on by itself when a tab closes, hides or crashes; what
 * it hears goes over a BroadcastChannel. Both are in Chromium, Firefox and Safari since 15.4, and need
 * nothing of a Content-Security-Policy. A shared worker would: a script of its own that `worker-src`
 * lets in. Without locks, as over plain HTTP on another machine, each tab in sight reads for itself.
 */
export const CLIENT_STREAM: string = String.raw`
/** How many events are kept for tabs that come later. */
const KEPT_FOR_OTHERS = 1000;
const LONGEST_PAUSE_MS = 10000;

/** @typedef {"live" | "lost" | "closed"} StreamState */
/** @typedef {{ kind: "event", event: StreamEvent } | { kind: "state", state: StreamState } | { kind: "ask", after: string } | { kind: "kept", events: StreamEvent[], state: StreamState }} StreamWord */
/**
 * @typedef {{
 *   api: Api, path: string, signal: AbortSignal, before: { kept: Map<string, StreamEvent>, lastId: string } | undefined,
 *   onEvent: (event: StreamEvent) => void, onState: (state: StreamState) => void, onUnknown: () => void,
 * }} SharedStreamHooks
 */

/** The events of one pool, from whichever tab reads them. */
class SharedStream {
  /** @param {SharedStreamHooks} hooks */
  constructor(hooks) {
    this.hooks = hooks;
    /** @type {StreamState} */
    this.state = "lost";
    /** The last events that have a number, by it. @type {Map<string, StreamEvent>} */
    this.kept = new Map(hooks.before?.kept);
    this.lastId = hooks.before?.lastId ?? "0";
    /** The latest figures, which have no number. @type {StreamEvent | undefined} */
    this.figures = undefined;
    this.reads = false;
    /** Ends its part in who reads, while it is in sight. @type {AbortController | undefined} */
    this.part = undefined;
    const { api, path, signal } = hooks;
    // Streams of other tokens and other paths do not mix. All pages of the origin can read the names of
    // locks: one tells neither the token nor the name of the channel.
    const { href } = new URL(pageFact("root") + path, location.href);
    this.lock = "hotconn " + api.mark.slice(0, 32) + " " + href;
    this.canShare = "locks" in navigator && "BroadcastChannel" in window;
    /** @type {BroadcastChannel | undefined} */
    this.channel = this.canShare ? new BroadcastChannel("hotconn " + api.mark.slice(32) + " " + href) : undefined;
    this.channel?.addEventListener("message", ({ data }) => this.hear(data));
    document.addEventListener("visibilitychange", () => this.onSight(), { signal });
    signal.addEventListener("abort", () => {
      this.part?.abort();
      this.channel?.close();
    });
    this.onSight();
  }

  /** Takes part in who reads while it is in sight. */
  onSight() {
    if (document.hidden) {
      this.part?.abort();
      this.part = undefined;
    } else if (!this.part && this.state !== "closed" && !this.hooks.signal.aborted) {
      const part = this.part = new AbortController();
      if (!this.canShare) this.read(part.signal);
      else {
        this.tell({ kind: "ask", after: this.lastId });
        navigator.locks.request(this.lock, { signal: part.signal }, () => this.read(part.signal)).catch(() => {});
      }
    }
  }

  /** Reads the stream for all, and opens it again when it is lost. @param {AbortSignal} signal */
  async read(signal) {
    const { api, onUnknown, path } = this.hooks;
    let pauseMs = 500;
    this.reads = true;
    while (!signal.aborted && !this.isOver()) {
      try {
        await api.stream(path, this.lastId, signal, () => this.setState("live", true), (event) => {
          pauseMs = 500;
          if (signal.aborted) return;
          this.take(event);
          this.tell({ kind: "event", event });
        });
      } catch (error) {
        // It is opened again either way; a server that does not know an event is asked for the usual.
        if (error instanceof ApiError && error.status === 400) onUnknown();
      }
      if (signal.aborted) break;
      this.setState(this.isOver() ? "closed" : "lost", true);
      await new Promise((resolve) => {
        const timer = setTimeout(resolve, pauseMs);
        signal.addEventListener("abort", () => {
          clearTimeout(timer);
          resolve(undefined);
        }, { once: true });
      });
      pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS);
    }
    this.reads = false;
  }

  isOver() {
    return this.state === "closed";
  }

  /** @param {StreamWord} word */
  hear(word) {
    if (word.kind === "event") this.take(word.event);
    else if (word.kind === "state") this.setState(word.state, false);
    else if (word.kind === "ask" && this.reads) {
      const ids = [...this.kept.keys()];
      const events = ids.slice(ids.indexOf(word.after) + 1).flatMap((id) => this.kept.get(id) ?? []);
      if (this.figures) events.push(this.figures);
      this.tell({ kind: "kept", events, state: this.state });
    } else if (word.kind === "kept" && !this.reads) {
      this.setState(word.state, false);
      for (const event of word.events) this.take(event);
    }
  }

  /** Takes an event, and each that has a number once. @param {StreamEvent} event */
  take(event) {
    if (event.name === "stats") this.figures = event;
    if (event.id) {
      if (this.kept.has(event.id)) return;
      this.lastId = event.id;
      this.kept.set(event.id, event);
      if (this.kept.size > KEPT_FOR_OTHERS) this.kept.delete(this.kept.keys().next().value ?? "");
    }
    if (event.name === "closed") this.state = "closed";
    this.hooks.onEvent(event);
  }

  /** @param {StreamState} state @param {boolean} isOwn Whether the others are to hear it */
  setState(state, isOwn) {
    this.state = state;
    this.hooks.onState(state);
    if (isOwn) this.tell({ kind: "state", state });
  }

  /** @param {StreamWord} word */
  tell(word) {
    if (!this.hooks.signal.aborted) this.channel?.postMessage(word);
  }
}
`;
