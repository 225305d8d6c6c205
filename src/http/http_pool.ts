/**
 * A pool that speaks HTTP over its connections.
 *
 * @module
 */

import { parseHost } from "../core/address.ts";
import { type Clock, systemClock } from "../core/clock.ts";
import type { Connection } from "../map/connection.ts";
import type { CloseOptions } from "../pool/call_options.ts";
import { namesSet, optionInfos, type OptionsInfo } from "../pool/option_info.ts";
import { ConnectionPool } from "../pool/pool.ts";
import type { CheckAnswer, HttpCheck } from "../pool/watch/health_check.ts";
import { checkOver } from "./check_over.ts";
import type { Decoders } from "./content_coding.ts";
import { Dispatcher, throwIfAborted } from "./dispatcher.ts";
import { type FetchHost, fetchOver, type Requester } from "./fetch.ts";
import { makeResponse, type ResponseMaker } from "./fetched_response.ts";
import {
  checkHttpOptions,
  type HttpPoolOptions,
  type HttpRules,
  httpValues,
} from "./http_options.ts";
import type { RequestObserver } from "./observer.ts";
import { type PreparedRequest, prepareRequest, readTarget } from "./request.ts";
import { withFields } from "./request_headers.ts";
import type { RequestOptions } from "./request_options.ts";
import type { PooledResponse } from "./response.ts";
import { protocolOf } from "./sessions.ts";
import type { Upgraded, UpgradeOptions } from "./upgrade.ts";
import { Upgrades } from "./upgrades.ts";
import type { MessageCompression } from "./websocket/compression.ts";
import { PooledWebSocket, type SocketHost } from "./websocket/pooled_web_socket.ts";
import type { WebSocketOptions } from "./websocket/web_socket_options.ts";

const NO_DECODERS: Decoders = new Map();

/**
 * A pool that speaks HTTP/2 and HTTP/1.1 over its connections: `request()` is the fast way, `fetch()` the
 * standard one.
 */
export class HttpPool extends ConnectionPool {
  readonly #clock: Clock;
  readonly #rules: HttpRules;
  /** The names of the options that were set. */
  readonly #set: ReadonlySet<string>;
  readonly #dispatcher: Dispatcher;
  readonly #fetchHost: FetchHost;
  readonly #upgrades: Upgrades;
  readonly #socketHost: SocketHost;
  readonly #sockets = new Set<PooledWebSocket>();
  #observer: RequestObserver | undefined;

  /**
   * Makes a pool. It dials nothing until it is asked to.
   *
   * @param options The options
   * @param respond What `fetch()` gives, where it need not be a response of the runtime's own
   * @param decoders What `fetch()` can decode, and asks for: nothing if they are left out
   * @param loadCompression Loads what compresses the messages of WebSockets that ask for it
   * @throws {TypeError | RangeError} An option is unknown, or not valid
   */
  constructor(
    options: HttpPoolOptions,
    respond: ResponseMaker = makeResponse,
    decoders: Decoders = NO_DECODERS,
    loadCompression?: () => Promise<MessageCompression>,
  ) {
    // First of all: a pool that is made has a timer, and nobody to close it if this throws.
    const { rest, rules } = checkHttpOptions(options);
    super(rest);
    this.#clock = options.clock ?? systemClock;
    this.#rules = rules;
    this.#set = new Set(namesSet(options));
    const request: Requester = (url, options) => this.request(url, options);
    this.#fetchHost = { request, respond, decoders, clock: this.#clock };
    const { figures, leases, manager } = this;
    const dispatcher = this.#dispatcher = new Dispatcher({
      clock: this.#clock,
      rules,
      figures,
      leases,
      manager,
      onLeak: (leak) => this.tell("leak", leak),
    });
    this.#upgrades = new Upgrades({
      clock: this.#clock,
      limits: rules.limits,
      leakTimeoutMs: rules.leakTimeoutMs,
      keep: (lease, protocol) => leases.noteUpgrade(lease, protocol),
      dispatcher,
    });
    this.#socketHost = {
      clock: this.#clock,
      loadCompression,
      upgrade: (url, options, answerTimeoutMs) => this.#upgrades.ask(url, options, answerTimeoutMs),
      opens: (socket) => this.#sockets.add(socket),
      ended: (socket) => this.#sockets.delete(socket),
    };
  }

  /**
   * Makes a request over a hot connection. Resolves with the response once its head has arrived. If the
   * connection turns out to be dead, a request that may be repeated is sent again over another one.
   *
   * @throws {TypeError | RangeError} The URL or an option is not valid; nothing was sent
   * @throws {RequestError} It failed: says why, and whether the server may have acted on it
   * @throws What `acquire()` throws, if there was no connection for it
   * @throws The signal's reason, untouched, when it aborts
   *
   * @example
   * ```ts
   * import type { HttpPool } from "@hotconn/hotconn";
   *
   * async function addItem(pool: HttpPool, name: string): Promise<string> {
   *   const response = await pool.request("https://api.example/items", {
   *     method: "POST",
   *     headers: { "content-type": "application/json", "idempotency-key": crypto.randomUUID() },
   *     body: JSON.stringify({ name }),
   *     failoverStatuses: [503],
   *     timeoutMs: 5_000,
   *   });
   *   // Read every body, even of an error: until then its connection serves nobody else.
   *   const text = await response.text();
   *   if (!response.ok) throw new Error(`${response.connection.ip} answered ${response.status}`);
   *   return text;
   * }
   * ```
   */
  request(url: string | URL, options?: RequestOptions): Promise<PooledResponse> {
    try {
      if (this.#observer !== undefined) return this.#observed(this.#observer, url, options);
      const request = prepareRequest(url, options);
      return request instanceof Promise
        ? request.then((request) => this.#dispatcher.request(request))
        : this.#dispatcher.request(request);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /**
   * Asks a machine, over HTTP/1.1, to switch the connection to another protocol (RFC 9110 section 7.8).
   * After a 101 the connection is yours alone, and ends with its lease. Any other answer is a response,
   * and the connection ends with its body. If a connection ends before the answer, another one is
   * asked, or another machine. The same happens after an answer of `failoverStatuses`, if there is
   * another machine. `Retry-After` is followed as for a request.
   *
   * The signal and `timeoutMs` limit the wait for the answer's head, and nothing after it.
   *
   * @throws {TypeError | RangeError} The URL or an option is not valid; nothing was sent
   * @throws {RequestError} It failed: says why, and whether the server may have acted on it
   * @throws What `acquire()` throws, if there was no connection for it
   * @throws The signal's reason, untouched, when it aborts
   */
  upgrade(url: string | URL, options: UpgradeOptions): Promise<Upgraded | PooledResponse> {
    return this.#upgrades.ask(url, options);
  }

  /**
   * Opens a WebSocket with the web's interface (RFC 6455) to a machine that the pool chooses. It is
   * returned while it is still connecting, and is yours to close. If a machine does not answer the
   * handshake, another one is asked. If it fails, the event `error` says why, and `opened` rejects with
   * the same error.
   *
   * Its connection counts towards the limits while it is open, and serves nothing else. Closing the
   * pool closes it with the code 1001.
   *
   * @throws {DOMException} SyntaxError: the URL or a subprotocol is not valid
   * @throws {TypeError | RangeError} An option is unknown, or not valid
   *
   * @example
   * ```ts
   * import type { HttpPool } from "@hotconn/hotconn";
   *
   * async function follow(pool: HttpPool, signal: AbortSignal): Promise<void> {
   *   const socket = pool.webSocket("wss://stream.example/prices", { signal });
   *   socket.onmessage = ({ data }) => console.log(data);
   *   await socket.opened;
   *   socket.send("subscribe");
   * }
   * ```
   */
  webSocket(url: string | URL, options: WebSocketOptions = {}): PooledWebSocket {
    return new PooledWebSocket(this.#socketHost, url, options);
  }

  /**
   * Lets `observer` watch every request from beginning to end, until you call the returned function.
   * Without an observer this costs nothing.
   *
   * @throws {TypeError} Somebody watches them already
   */
  observe(observer: RequestObserver): () => void {
    if (this.#observer) throw new TypeError("The pool's requests are watched already");
    this.#observer = observer;
    return () => {
      if (this.#observer === observer) this.#observer = undefined;
    };
  }

  /**
   * Works like the web's `fetch`, over hot connections, with redirects, content codings, streams and
   * aborts. You can pass it on by itself; it needs no `bind`.
   *
   * There are no cookies, no cache and no CORS, since this is no browser. Options that only `request()`
   * has, such as `timeoutMs`, are ignored, as the web's `fetch` ignores what it does not know. Options
   * of other fetches that would send a request another way, or trust somebody else, are refused:
   * `client`, `dispatcher`, `proxy`, `tls`, `unix`.
   *
   * On Node and Deno, parts of the response are made only when you use them. It is an instance of
   * `Response` with all its members. On Node, only calls such as `Response.prototype.text.call(response)`
   * do not accept it.
   *
   * @throws {TypeError} Something is not valid; or it failed, and the `cause` says why
   *
   * @example
   * ```ts
   * import { connectionOf, type HttpPool } from "@hotconn/hotconn";
   *
   * async function read(pool: HttpPool, url: string): Promise<string> {
   *   const response = await pool.fetch(url, { signal: AbortSignal.timeout(5_000) });
   *   console.log("from", connectionOf(response)?.ip);
   *   return await response.text();
   * }
   * ```
   */
  readonly fetch: typeof globalThis.fetch = (input, init = undefined) =>
    fetchOver(this.#fetchHost, input, init);

  /** Returns the options of the pool: see `ConnectionPool.options`. */
  override options(): OptionsInfo {
    const { hosts, options } = super.options();
    const { coalesce, protocols } = options;
    const values = {
      ...httpValues(this.#rules),
      coalesce: coalesce!.value,
      protocols: protocols!.value,
    };
    return { hosts, options: { ...options, ...optionInfos(values, this.#set) } };
  }

  /** Closes the pool: see `ConnectionPool.close`. */
  override close(options?: CloseOptions): Promise<void> {
    const closing = super.close(options);
    for (const socket of this.#sockets) socket.goAway();
    this.#dispatcher.close(closing);
    return closing;
  }

  /** Makes an HTTP check: see `healthCheck`. */
  protected override checkOver(
    connection: Connection,
    check: HttpCheck,
    signal: AbortSignal,
  ): Promise<CheckAnswer> {
    return checkOver(connection, check, this.#dispatcher.sessionOf(connection), signal);
  }

  /** Begins to speak where the first request would wait for that. */
  protected override prepare(connection: Connection): void {
    if (protocolOf(connection) === "h2") this.#dispatcher.sessionOf(connection);
  }

  async #observed(
    observer: RequestObserver,
    url: string | URL,
    options: RequestOptions = {},
  ): Promise<PooledResponse> {
    const target = readTarget(url);
    const { name: hostname, port } = parseHost(target.host);
    const { method = "GET" } = options;
    const watch = observer.begin({ method, url: target.url, hostname, port });
    const headers = watch?.headers ? withFields(options.headers, watch.headers) : undefined;
    let request: PreparedRequest;
    try {
      request = await prepareRequest(url, headers ? { ...options, headers } : options);
      throwIfAborted(request);
    } catch (error) {
      watch?.ended?.({ outcome: "failures", status: 0, attempts: 0, hedges: 0, error });
      throw error;
    }
    return await this.#dispatcher.request(request, watch);
  }
}
