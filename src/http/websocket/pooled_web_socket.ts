/**
 * The web's WebSocket over a pool.
 *
 * @module
 */

import { offAbort, onAbort } from "../../core/abort.ts";
import { describe } from "../../core/check.ts";
import { ClosedError } from "../../core/errors.ts";
import type { Connection } from "../../map/connection.ts";
import type { BlobLike } from "../blob_parts.ts";
import { asBytes, bodyKind } from "../payload.ts";
import type { Opening, WebSocketHost } from "./opening.ts";
import {
  closeEvent,
  errorEvent,
  type WebSocketEvents,
  type WebSocketHandler,
  type WebSocketListener,
  type WebSocketListenOptions,
} from "./web_events.ts";
import {
  checkTerms,
  readSocketUrl,
  readSubprotocols,
  syntaxError,
  type WebSocketOptions,
} from "./web_socket_options.ts";
import type { SocketEnd, WebSocketSession } from "./web_socket_session.ts";

/** What a WebSocket needs of its pool. */
export interface SocketHost extends WebSocketHost {
  /** One was made, and must end with the pool. */
  opens(socket: PooledWebSocket): void;
  /** It has ended. */
  ended(socket: PooledWebSocket): void;
}

/** The connection of a WebSocket. */
export interface WebSocketConnection {
  /** The machine's IP address. */
  readonly ip: string;
  /** Its address, as in the maps. */
  readonly address: string;
  /** The host that it was verified for. */
  readonly host: string;
  /** The connection's number. */
  readonly id: number;
  /** Whether it had carried a request before. */
  readonly reused: boolean;
  /** The protocol that ALPN chose, or null. */
  readonly alpn: string | null;
  /** The proxy that it goes through: its URL without its credentials, or null. */
  readonly proxy: string | null;
}

/** What a WebSocket sends. */
export type WebSocketData = string | ArrayBuffer | ArrayBufferView | Blob;

const CONNECTING = 0;
const OPEN = 1;
const CLOSING = 2;
const CLOSED = 3;

const encoder = new TextEncoder();

/** The longest reason, in bytes: what a close frame has room for beside the code. */
const MAX_REASON_BYTES = 123;

/**
 * A WebSocket with the web's interface, over a machine that the pool chooses. The pool makes it, and
 * it is the caller's to close.
 *
 * Besides the web's it has `opened`, `drained()` and `connection`, and its `error` events say why. Its
 * connection serves nothing else, and ends with it.
 */
export class PooledWebSocket extends EventTarget {
  /** The state of one that is not open yet. */
  static readonly CONNECTING: 0 = CONNECTING;
  /** The state of one that is open. */
  static readonly OPEN: 1 = OPEN;
  /** The state of one that is being closed. */
  static readonly CLOSING: 2 = CLOSING;
  /** The state of one that has ended. */
  static readonly CLOSED: 3 = CLOSED;
  /** The state of one that is not open yet. */
  readonly CONNECTING: 0 = CONNECTING;
  /** The state of one that is open. */
  readonly OPEN: 1 = OPEN;
  /** The state of one that is being closed. */
  readonly CLOSING: 2 = CLOSING;
  /** The state of one that has ended. */
  readonly CLOSED: 3 = CLOSED;
  /** The URL, with the scheme `wss:` or `ws:`, and without credentials. */
  readonly url: string;
  /**
   * Resolves when it is open, or rejects with the error of the `error` event. You may ignore it: it never
   * counts as an unhandled rejection.
   */
  readonly opened: Promise<void>;
  readonly #host: SocketHost;
  readonly #origin: string;
  readonly #handlers = new Map<
    keyof WebSocketEvents,
    { handler: ((event: never) => unknown) | null }
  >();
  readonly #signal: AbortSignal | undefined;
  readonly #onAbort = () => this.#giveUp(this.#signal?.reason);
  /** Ends the handshake. */
  readonly #stop = new AbortController();
  #resolveOpened!: () => void;
  #rejectOpened!: (reason: unknown) => void;
  #readyState: 0 | 1 | 2 | 3 = CONNECTING;
  #binaryType: "blob" | "arraybuffer" = "blob";
  #protocol = "";
  #extensions = "";
  #connection: WebSocketConnection | null = null;
  #session: WebSocketSession | undefined;
  /** Bytes that will never be sent, or are in Blobs that are not read yet. */
  #unsentBytes = 0;
  /** The last Blob being read: everything is sent in order behind it. */
  #reading: Promise<void> | undefined;

  /**
   * Begins to open it: see `HttpPool.webSocket`.
   *
   * @throws {DOMException} SyntaxError: the URL or a subprotocol is not valid
   * @throws {TypeError | RangeError} An option is not valid
   */
  constructor(host: SocketHost, given: string | URL, options: WebSocketOptions) {
    super();
    const terms = checkTerms(options);
    if (terms.compress && !host.loadCompression) {
      throw new TypeError("compress needs a pool that createPool() has made");
    }
    const url = readSocketUrl(given);
    const protocols = readSubprotocols(options.protocols);
    this.#host = host;
    this.#origin = url.origin;
    const asked = new URL(url);
    asked.protocol = url.protocol === "ws:" ? "http:" : "https:";
    url.username = url.password = "";
    this.url = url.href;
    this.opened = new Promise((resolve, reject) => {
      this.#resolveOpened = resolve;
      this.#rejectOpened = reject;
    });
    this.opened.catch(() => {});
    this.#signal = options.signal ?? undefined;
    host.opens(this);
    if (this.#signal?.aborted) this.#stop.abort(this.#signal.reason);
    else if (this.#signal) onAbort(this.#signal, this.#onAbort);
    const { signal } = this.#stop;
    void this.#open({ url: asked.href, options, protocols, terms, signal });
  }

  /** Where it stands: `CONNECTING`, `OPEN`, `CLOSING` or `CLOSED`. */
  get readyState(): 0 | 1 | 2 | 3 {
    return this.#readyState;
  }

  /** The subprotocol that the server chose, or an empty text. */
  get protocol(): string {
    return this.#protocol;
  }

  /** The extensions that the server chose, or an empty text. */
  get extensions(): string {
    return this.#extensions;
  }

  /** How much was given to `send()` and is not handed to the system yet, in bytes. */
  get bufferedAmount(): number {
    return this.#unsentBytes + (this.#session?.bufferedBytes ?? 0);
  }

  /** What bytes arrive as. */
  get binaryType(): "blob" | "arraybuffer" {
    return this.#binaryType;
  }

  /** Sets it; any other value is passed over. @default {"blob"} */
  set binaryType(type: "blob" | "arraybuffer") {
    if (type === "blob" || type === "arraybuffer") this.#binaryType = type;
  }

  /** Its connection, from the opening on; null before. */
  get connection(): WebSocketConnection | null {
    return this.#connection;
  }

  /** Called when it is open. */
  get onopen(): WebSocketHandler<"open"> {
    return this.#handlerOf("open");
  }

  set onopen(handler: WebSocketHandler<"open">) {
    this.#handle("open", handler);
  }

  /** Called with each message. */
  get onmessage(): WebSocketHandler<"message"> {
    return this.#handlerOf("message");
  }

  set onmessage(handler: WebSocketHandler<"message">) {
    this.#handle("message", handler);
  }

  /** Called when it has failed. */
  get onerror(): WebSocketHandler<"error"> {
    return this.#handlerOf("error");
  }

  set onerror(handler: WebSocketHandler<"error">) {
    this.#handle("error", handler);
  }

  /** Called when it has ended. */
  get onclose(): WebSocketHandler<"close"> {
    return this.#handlerOf("close");
  }

  set onclose(handler: WebSocketHandler<"close">) {
    this.#handle("close", handler);
  }

  /** Calls `listener` with each event of a type. */
  override addEventListener<Name extends keyof WebSocketEvents>(
    type: Name,
    listener: WebSocketListener<WebSocketEvents[Name]> | null,
    options?: boolean | WebSocketListenOptions,
  ): void;
  /** Calls `listener` with each event of a type. */
  override addEventListener(
    type: string,
    listener: WebSocketListener<Event> | null,
    options?: boolean | WebSocketListenOptions,
  ): void;
  override addEventListener(
    type: string,
    listener: WebSocketListener<never> | null,
    options?: boolean | WebSocketListenOptions,
  ): void {
    super.addEventListener(type, listener as ((event: Event) => void) | null, options);
  }

  /** Removes a listener. */
  override removeEventListener<Name extends keyof WebSocketEvents>(
    type: Name,
    listener: WebSocketListener<WebSocketEvents[Name]> | null,
    options?: boolean | WebSocketListenOptions,
  ): void;
  /** Removes a listener. */
  override removeEventListener(
    type: string,
    listener: WebSocketListener<Event> | null,
    options?: boolean | WebSocketListenOptions,
  ): void;
  override removeEventListener(
    type: string,
    listener: WebSocketListener<never> | null,
    options?: boolean | WebSocketListenOptions,
  ): void {
    super.removeEventListener(type, listener as ((event: Event) => void) | null, options);
  }

  /**
   * Sends a message. Bytes are copied at once; a Blob is read first, and keeps its place. Once it is
   * closing, what is given is counted in `bufferedAmount` and never sent.
   *
   * @throws {DOMException} InvalidStateError: it is not open yet
   */
  send(data: WebSocketData): void {
    if (this.#readyState === CONNECTING) {
      throw new DOMException("send() must wait until the WebSocket is open", "InvalidStateError");
    }
    const message = messageOf(data);
    if (this.#reading || isBlob(message)) this.#sendBehind(message);
    else if (!this.#session?.send(message)) this.#unsentBytes += sizeOf(message);
  }

  /**
   * Resolves when all that was given to `send()` is handed to the system, or will never be: wait for
   * it, and a slow server slows your program down instead of filling its memory.
   */
  async drained(): Promise<void> {
    while (this.#reading) await this.#reading;
    const session = this.#session;
    if (session) await new Promise<void>((resolve) => session.onDrained(resolve));
  }

  /**
   * Closes it in good order: what was sent before still goes out, and `close` comes when the server
   * has closed, too. A WebSocket that is not open yet fails. Harmless to repeat.
   *
   * @param code 1000, or from 3000 to 4999
   * @param reason At most 123 bytes
   * @throws {DOMException} InvalidAccessError: the code is another; SyntaxError: the reason is longer
   */
  close(code?: number, reason?: string): void {
    const given = code === undefined ? undefined : Math.trunc(Number(code));
    if (given !== undefined && given !== 1000 && !(given >= 3000 && given <= 4999)) {
      throw new DOMException(
        `code must be 1000 or from 3000 to 4999, got ${describe(code)}`,
        "InvalidAccessError",
      );
    }
    const text = reason === undefined ? "" : `${reason}`;
    const bytes = encoder.encode(text).length;
    if (bytes > MAX_REASON_BYTES) {
      throw syntaxError(`reason must have at most ${MAX_REASON_BYTES} bytes, got ${bytes}`);
    }
    // A reason needs a code.
    this.#close(given ?? (text === "" ? undefined : 1000), text);
  }

  /**
   * Closes it because the pool goes away.
   *
   * @internal
   */
  goAway(): void {
    this.#close(1001, "");
  }

  #close(code: number | undefined, reason: string): void {
    if (this.#readyState >= CLOSING) return;
    const isOpen = this.#readyState === OPEN;
    this.#readyState = CLOSING;
    if (!isOpen) {
      this.#stop.abort(
        code === 1001 ? new ClosedError("pool") : new DOMException(
          "The WebSocket was closed before it was open",
          "AbortError",
        ),
      );
    } else if (this.#reading) void this.#reading.then(() => this.#session?.close(code, reason));
    else this.#session?.close(code, reason);
  }

  #giveUp(reason: unknown): void {
    if (this.#session) this.#session.abort(reason);
    else this.#stop.abort(reason);
  }

  async #open(opening: Opening): Promise<void> {
    try {
      const { open } = await import("./opening.ts");
      const { extensions, lease, protocol, session, start } = await open(this.#host, opening, {
        onText: (text) => this.#tell(text),
        onBinary: ({ buffer }) => {
          this.#tell(this.#binaryType === "blob" ? new Blob([buffer]) : buffer);
        },
        onClosing: () => {
          this.#readyState = CLOSING;
        },
        onEnd: (end) => this.#end(end),
      });
      // It may have been closed while the answer was on its way here.
      if (opening.signal.aborted) return session.abort(opening.signal.reason);
      this.#protocol = protocol;
      this.#extensions = extensions;
      this.#connection = describeConnection(lease.connection, lease.reused);
      this.#session = session;
      this.#readyState = OPEN;
      this.#resolveOpened();
      this.dispatchEvent(new Event("open"));
      start();
    } catch (error) {
      this.#end({ code: 1006, reason: "", wasClean: false, failure: { error } });
    }
  }

  #tell(data: string | ArrayBuffer | Blob): void {
    if (this.#readyState !== OPEN) return;
    this.dispatchEvent(new MessageEvent("message", { data, origin: this.#origin }));
  }

  /** Sends behind Blobs that are read first. */
  #sendBehind(message: string | Uint8Array | BlobLike): void {
    const size = sizeOf(message);
    this.#unsentBytes += size;
    if (!this.#session || this.#readyState !== OPEN) return;
    const before = this.#reading;
    // What the caller may change is copied now.
    const own = message instanceof Uint8Array ? new Uint8Array(message) : message;
    const reading = this.#reading = (async () => {
      const [ready] = await Promise.all([
        isBlob(own) ? own.arrayBuffer().then((buffer) => new Uint8Array(buffer)) : own,
        before,
      ]);
      if (this.#session?.send(ready)) this.#unsentBytes -= size;
    })().catch((error) => this.#session?.abort(error)).then(() => {
      if (this.#reading === reading) this.#reading = undefined;
    });
  }

  #end({ code, failure, reason, wasClean }: SocketEnd): void {
    if (this.#readyState === CLOSED) return;
    this.#readyState = CLOSED;
    this.#unsentBytes += this.#session?.bufferedBytes ?? 0;
    this.#session = undefined;
    if (this.#signal) offAbort(this.#signal, this.#onAbort);
    this.#host.ended(this);
    if (failure) {
      this.#rejectOpened(failure.error);
      this.dispatchEvent(errorEvent(failure.error));
    }
    this.dispatchEvent(closeEvent({ code, reason, wasClean }));
  }

  #handlerOf<Name extends keyof WebSocketEvents>(name: Name): WebSocketHandler<Name> {
    return (this.#handlers.get(name)?.handler ?? null) as WebSocketHandler<Name>;
  }

  /** A handler keeps the place among the listeners that its first one had. */
  #handle<Name extends keyof WebSocketEvents>(name: Name, handler: WebSocketHandler<Name>): void {
    const own = typeof handler === "function" ? handler : null;
    const known = this.#handlers.get(name);
    if (known) {
      known.handler = own;
      return;
    }
    const entry: { handler: ((event: never) => unknown) | null } = { handler: own };
    this.#handlers.set(name, entry);
    super.addEventListener(name, (event) => entry.handler?.call(this, event as never));
  }
}

function describeConnection(
  { address, host, id, ip, socket: { info } }: Connection,
  reused: boolean,
): WebSocketConnection {
  return { ip, address, host, id, reused, alpn: info.alpn, proxy: info.proxy ?? null };
}

/** What is sent of a value: what is neither bytes nor a Blob is sent as text, as by the web's. */
function messageOf(data: WebSocketData): string | Uint8Array | BlobLike {
  switch (bodyKind(data)) {
    case "bytes":
      return asBytes(data as ArrayBufferLike | ArrayBufferView);
    case "blob":
      return data as BlobLike;
    default:
      return `${data as string}`;
  }
}

function isBlob(message: string | Uint8Array | BlobLike): message is BlobLike {
  return typeof message === "object" && !(message instanceof Uint8Array);
}

function sizeOf(message: string | Uint8Array | BlobLike): number {
  if (typeof message === "string") return encoder.encode(message).length;
  return isBlob(message) ? message.size : message.length;
}
