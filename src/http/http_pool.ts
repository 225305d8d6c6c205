/**
 * A pool that speaks HTTP over its connections.
 *
 * @module
 */

import { ipOf, parseHost, withItsPort } from "../core/address.ts";
import { type Clock, systemClock } from "../core/clock.ts";
import { ProxyError } from "../core/errors.ts";
import type { Connection } from "../map/connection.ts";
import type { CloseOptions, HttpAcquireOptions } from "../pool/call_options.ts";
import type { Lease } from "../pool/lease/lease.ts";
import { namesSet, optionInfos, type OptionsInfo } from "../pool/option_info.ts";
import { ConnectionPool } from "../pool/pool.ts";
import type { CheckAnswer, HttpCheck } from "../pool/watch/health_check.ts";
import type { RequestOutcome } from "../pool/watch/request_counts.ts";
import { openBody } from "./body_reader.ts";
import { checkOver } from "./check.ts";
import type { Decoders } from "./content_coding.ts";
import { Exchange, type ExchangeHost } from "./exchange.ts";
import { ExchangeWatch } from "./exchange_watch.ts";
import type { Failover } from "./failover.ts";
import { type FetchHost, fetchOver, type Requester } from "./fetch.ts";
import { makeResponse, type ResponseMaker } from "./fetched_response.ts";
import { Parsers } from "./h1/parsers.ts";
import {
  checkHttpOptions,
  type HttpPoolOptions,
  type HttpRules,
  httpValues,
} from "./http_options.ts";
import type { RequestObserver, RequestWatch } from "./observer.ts";
import { Pauses } from "./pauses.ts";
import type { Race } from "./race.ts";
import type { Repeats } from "./repeats.ts";
import { type PreparedRequest, prepareRequest, readTarget } from "./request.ts";
import { withFields } from "./request_headers.ts";
import type { RequestOptions } from "./request_options.ts";
import type { PooledResponse } from "./response.ts";
import { RetryBudget } from "./retry_budget.ts";
import type { Session } from "./session.ts";
import { protocolOf, sessionOf } from "./sessions.ts";
import type { Upgraded, UpgradeOptions } from "./upgrade.ts";
import { Upgrades } from "./upgrades.ts";
import type { MessageCompression } from "./websocket/compression.ts";
import { PooledWebSocket, type SocketHost } from "./websocket/pooled_web_socket.ts";
import type { WebSocketOptions } from "./websocket/web_socket_options.ts";

const NO_DECODERS: Decoders = new Map();

const FOR_HTTP = { http: true } as const;

/** How many requests may be sent to a second machine besides, for each that is made. */
const HEDGE_SHARE = 0.005;

/** How long a server gets to hang up that was not seen to keep a connection, in milliseconds. */
const MOMENT_MS = 25;

/**
 * A pool that speaks HTTP/2 and HTTP/1.1 over its connections: `request()` is the fast way, `fetch()` the
 * standard one.
 */
export class HttpPool extends ConnectionPool {
  readonly #clock: Clock;
  readonly #rules: HttpRules;
  /** The names of the options that were set. */
  readonly #set: readonly string[];
  readonly #parsers: Parsers;
  readonly #budget: RetryBudget;
  readonly #hedges = new RetryBudget(HEDGE_SHARE);
  readonly #watch: ExchangeWatch;
  readonly #host: ExchangeHost;
  readonly #fetchHost: FetchHost;
  readonly #upgrades: Upgrades;
  readonly #pauses: Pauses;
  readonly #socketHost: SocketHost;
  readonly #sockets = new Set<PooledWebSocket>();
  #observer: RequestObserver | undefined;

  /**
   * Makes a pool. It dials nothing until it is asked to.
   *
   * @param options The options
   * @param respond What `fetch()` gives, where it need not be a response of the runtime's own
   * @param decoders What `fetch()` can decode, and asks for: nothing where they are left out
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
    this.#set = namesSet(options);
    const request: Requester = (url, options) => this.request(url, options);
    this.#fetchHost = { request, respond, decoders, clock: this.#clock };
    this.#budget = new RetryBudget(rules.retryShare);
    this.#parsers = new Parsers(rules.limits);
    this.#watch = new ExchangeWatch(this.#clock, rules);
    this.#pauses = new Pauses(this.#clock);
    const { maxRetryAfterMs, restStatuses } = rules;
    this.#host = {
      ...rules,
      sessionOf: (connection) => this.#sessionOf(connection),
      misdirected: (connection, host) => this.leases.misdirected(connection, host),
      now: () => this.#clock.now(),
      wallNow: () => this.#clock.wallNow(),
      random: () => this.#clock.random(),
      dispatch: (exchange) => this.#dispatch(exchange),
      noteSilence: (lease, describe) => this.leases.noteSilence(lease, describe),
      hedge: (race, silent, free, signal) => this.#hedge(race, silent, free, signal),
      mayRetry: () => this.#budget.spend(),
      mayTurnElsewhere: (request, failover) => this.#mayTurnElsewhere(request, failover),
      watch: (times) => this.#watch.watch(times),
      over: (exchange, outcome, endedAt) => this.#over(exchange, outcome, endedAt),
      noteBusy: (lease) => this.leases.noteBusy(lease),
      noteRetryAfter: (lease, status, afterMs) => {
        const restMs = restStatuses.includes(status) ? Math.min(afterMs, maxRetryAfterMs) : 0;
        this.leases.noteRetryAfter(lease, status, afterMs, restMs);
      },
      pause: (exchange, forMs) =>
        this.#pauses.begin(exchange, forMs, () => this.#dispatch(exchange)),
      doubt: (lease) => this.#doubt(lease),
      reclaim: (exchange) => this.#reclaim(exchange),
    };
    this.#upgrades = new Upgrades({
      clock: this.#clock,
      limits: rules.limits,
      leakTimeoutMs: rules.leakTimeoutMs,
      // Connections that were upgraded long ago do not show that the server takes no more of them.
      rules: { ...this.#host, noteBusy: () => {} },
      pauses: this.#pauses,
      keep: (lease, protocol) => this.leases.noteUpgrade(lease, protocol),
      begun: () => this.#budget.earn(),
      ended: (repeats) => this.#noteTold(repeats),
      restMs: (request) => this.#restMs(request),
      acquire: (request, exclude, signal) =>
        this.leases.acquire(request.target.host, { ...choiceOf(request, exclude), signal }),
      doubt: (lease) => this.#doubt(lease),
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
        ? request.then((request) => this.#request(request))
        : this.#request(request);
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
   * On Node, parts of the response are made only when you use them. It is an instance of `Response` with
   * all its members. Only calls such as `Response.prototype.text.call(response)` do not accept it.
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
    closing.then(() => this.#watch.close());
    this.#pauses.endAll();
    return closing;
  }

  /** Makes an HTTP check: see `healthCheck`. */
  protected override checkOver(
    connection: Connection,
    check: HttpCheck,
    signal: AbortSignal,
  ): Promise<CheckAnswer> {
    return checkOver(connection, check, this.#sessionOf(connection), signal);
  }

  /** Begins to speak where the first request would wait for that. */
  protected override prepare(connection: Connection): void {
    if (protocolOf(connection) === "h2") this.#sessionOf(connection);
  }

  #sessionOf(connection: Connection): Session {
    return sessionOf(connection, this.#parsers, this.#clock);
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
    return await this.#request(request, watch);
  }

  /** Counts what is over. */
  #over(exchange: Exchange, outcome: RequestOutcome, endedAt: number): void {
    this.#watch.remove(exchange.times);
    this.#pauses.end(exchange);
    const { race: { hedges, won }, repeats, request, status, times } = exchange;
    const { figures } = this;
    const firstByteMs = status > 0 ? times.firstByteMs : NaN;
    const totalMs = outcome === "cancelled" ? NaN : endedAt - times.startedAt;
    const sent = repeats.attempts - hedges;
    figures.noteRequest(request.target.host, outcome, status, sent, firstByteMs, totalMs);
    if (hedges > 0) figures.noteHedges(hedges, won);
    this.#noteTold(repeats);
  }

  /** Counts how often a request was told to come back later, and waited. */
  #noteTold({ toldLater, waits }: Pick<Repeats, "toldLater" | "waits">): void {
    if (toldLater > 0) this.figures.noteToldLater(toldLater);
    if (waits > 0) this.figures.noteWaits(waits);
  }

  #request(request: PreparedRequest, watch?: RequestWatch): Promise<PooledResponse> {
    throwIfAborted(request);
    this.#budget.earn();
    this.#hedges.earn();
    return new Promise((resolve, reject) => {
      // A proxy that is asked for URLs answers as the servers behind it do.
      const settle = request.target.isPlain
        ? (response: PooledResponse) => {
          const error = refusalOf(exchange.connection, response);
          if (error) response.dump().then(() => reject(error));
          else resolve(response);
        }
        : resolve;
      const exchange = new Exchange(this.#host, request, settle, reject, watch);
      this.#dispatch(exchange);
    });
  }

  #dispatch(exchange: Exchange): void {
    const { deadline } = exchange.times;
    if (deadline < Infinity && deadline <= this.#clock.now()) {
      exchange.expire();
      return;
    }
    const { request, repeats: { failover } } = exchange;
    if (this.#holdsBack(exchange)) return;
    const { options, target } = request;
    const { ip, protocols, sticky, tls } = options;
    const exclude = failover ? failover.exclude(options.exclude) : options.exclude;
    try {
      const isFree = ip === undefined && exclude === undefined && sticky === undefined
        && tls === undefined && protocols === undefined && !target.isPlain;
      const choice = isFree ? FOR_HTTP : choiceOf(request, exclude);
      const lease = this.leases.tryAcquire(target.host, isFree ? undefined : choice);
      if (lease) {
        this.#start(exchange, lease);
        return;
      }
      exchange.queue();
      if (deadline < Infinity) this.#watch.watch(exchange.times);
      exchange.watch?.queued?.();
      const signal = options.signal ?? undefined;
      const acquire: HttpAcquireOptions = deadline === Infinity
        ? { ...choice, signal }
        : { ...choice, signal, timeoutMs: Math.max(0, deadline - this.#clock.now()) };
      this.leases.acquire(target.host, acquire).then(
        (lease) => this.#start(exchange, lease),
        (error) => exchange.refuse(error),
      );
    } catch (error) {
      exchange.refuse(error);
    }
  }

  /** Whether a request waits, because every machine that it may go to has asked to be left alone. */
  #holdsBack(exchange: Exchange): boolean {
    const restMs = this.#restMs(exchange.request);
    return restMs > 0 && exchange.waitFor(restMs);
  }

  /** For how long every machine that a request may go to is to be left alone, where it cares. */
  #restMs(request: PreparedRequest): number {
    const { exclude, retryAfter = this.#rules.retryAfter } = request.options;
    if (retryAfter !== "wait") return 0;
    const until = this.leases.restsUntil(request.target.host, choiceOf(request, exclude));
    return Math.max(0, until - this.#clock.now());
  }

  /**
   * Sends a request over a connection. The end of that may stand right behind the answer that set it
   * free: what may not be repeated waits until all that has arrived was read, and for a moment
   * longer where its server was not seen to keep a connection. What has met such an end waits too:
   * all of its server's connections may have ended at once.
   */
  #start(exchange: Exchange, lease: Lease): void {
    const { connection, reused } = lease;
    const { repeats: { isSuspect }, request: { replayable } } = exchange;
    const isUrgent = (replayable && !isSuspect) || !reused || !this.#clock.afterReading
      || this.#sessionOf(connection).protocol === "h2";
    if (isUrgent) exchange.start(lease);
    else if (replayable || connection.endpoint?.keepsOpen) {
      this.#clock.afterReading?.(() => exchange.start(lease));
    } else {
      let started = false;
      const start = () => {
        if (started) return;
        started = true;
        timer.cancel();
        exchange.start(lease);
      };
      const { afterReading } = this.#clock;
      // A caller waits for it, and maybe nothing else holds the program.
      const timer = this.#clock.setTimer(() => afterReading?.(start), MOMENT_MS, true);
      connection.closed.then(start);
    }
  }

  /**
   * Whether a request has another machine to turn to. A good one costs nothing, since a request
   * goes to each but once; if all have failed recently, the budget decides whether to go on.
   */
  #mayTurnElsewhere(request: PreparedRequest, failover: Failover): boolean {
    const choice = choiceOf(request, failover.exclude(request.options.exclude));
    const found = this.leases.alternatives(request.target.host, choice);
    return found === "good" || (found === "doubtful" && this.#budget.spend());
  }

  /** Finds a connection to another machine than one that is silent. */
  #hedge(race: Race, { connection }: Lease, free: boolean, signal: AbortSignal): boolean {
    const { repeats: { failover }, request, times: { deadline } } = race.racer;
    const { options, target } = request;
    const { address } = connection;
    const silent = withItsPort(address, ipOf(address));
    const exclude = [...failover?.exclude(options.exclude) ?? options.exclude ?? [], silent];
    const choice = choiceOf(request, exclude);
    if (this.leases.alternatives(target.host, choice) !== "good") return false;
    if (!free && !this.#hedges.spend()) return false;
    const lease = this.leases.tryAcquire(target.host, choice);
    if (lease) {
      race.start(lease);
      return true;
    }
    const timeoutMs = deadline === Infinity ? undefined : Math.max(0, deadline - this.#clock.now());
    this.leases.acquire(target.host, { ...choice, signal, timeoutMs }).then(
      (lease) => race.start(lease),
      () => race.miss(),
    );
    return true;
  }

  #reclaim(exchange: Exchange): void {
    const { address, host, id: connectionId } = exchange.connection;
    this.tell("leak", { host, address, connectionId, url: exchange.request.target.url });
    exchange.reclaim();
  }

  /** Ends what stood idle to a machine as long as a connection that has not answered. */
  #doubt({ connection }: Lease): void {
    const { address, host, idleBeforeMs, tlsProfile } = connection;
    const now = this.#clock.now();
    for (const other of this.manager.getConnections(address)) {
      if (other.host !== host || other.tlsProfile !== tlsProfile || other.state !== "idle") {
        continue;
      }
      if (now - other.lastUsedAt >= idleBeforeMs) this.manager.removeConnection(other, "unhealthy");
    }
  }
}

/** Which connections a request may go over, some machines left out. */
function choiceOf(
  { options: { ip, protocols, sticky, tls }, target: { isPlain: plain } }: PreparedRequest,
  exclude: RequestOptions["exclude"],
): HttpAcquireOptions {
  return { ip, exclude, sticky, tls, plain, http: protocols ?? true };
}

/** Ends a request that was given up before it began, and cancels its body. */
function throwIfAborted({ options: { signal }, stream }: PreparedRequest): void {
  if (signal?.aborted && stream) openBody(stream).cancel(signal.reason);
  signal?.throwIfAborted();
}

/** What a proxy says that wants credentials, and is asked for URLs. */
function refusalOf(
  { address, host, relay }: Connection,
  { status }: PooledResponse,
): ProxyError | undefined {
  if (!relay || status !== 407) return undefined;
  const fields = { proxy: relay.proxy, host, address, failure: "authentication", status } as const;
  return new ProxyError(fields, "it answered 407: it wants other credentials, or any");
}
