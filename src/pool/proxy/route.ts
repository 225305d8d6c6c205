/**
 * The route to a host over its proxies: which one is used, and what becomes of it.
 *
 * @module
 */

import type { Host } from "../../core/address.ts";
import { basicAuthorization } from "../../core/base64.ts";
import { messageOf } from "../../core/check.ts";
import { type Clock, setDeadline } from "../../core/clock.ts";
import type { Dialer, DialTarget, TlsOptions, TlsSocket } from "../../core/dialer.ts";
import {
  DialError,
  ProxyError,
  type ProxyFailure,
  UnsupportedOptionError,
} from "../../core/errors.ts";
import { type Negotiation, Relay, type Tunnel, tunnelError } from "../../core/tunnel.ts";
import type { HostAddress } from "../../hosts/host_address.ts";
import { isOwnLack } from "../../hosts/verdict.ts";
import { httpConnect } from "./http_connect.ts";
import type { CheckedProxy } from "./proxy_options.ts";
import { socks5 } from "./socks5.ts";
import type { TunnelEnd } from "./tunnel_end.ts";

/** A proxy of a pool, and whether it works. All routes over it share one. */
export class Proxy {
  /** Its options. */
  readonly options: CheckedProxy;
  /** The value of Proxy-Authorization, where there are credentials. */
  readonly authorization: string | undefined;
  /** The TLS options for the proxy itself: always the same object, since dialers cache by it. */
  readonly tls: TlsOptions;
  /** When to try it again after failures, in the clock's milliseconds. */
  dueAt = 0;
  /** Its last failure, while it fails. */
  failure: ProxyError | undefined;
  /** How many of its addresses were given up: the next one is tried first. */
  turns = 0;
  /** How many tunnels it has opened, and how often it failed to open one. */
  readonly counts: { opened: number; failed: number } = { opened: 0, failed: 0 };
  #failures = 0;

  /** Makes one that is assumed to work. */
  constructor(options: CheckedProxy) {
    this.options = options;
    const { credentials, scheme } = options;
    this.tls = { alpn: ["http/1.1"], ...options.tls };
    this.authorization = credentials && scheme !== "socks5"
      ? basicAuthorization(credentials.username, credentials.password)
      : undefined;
  }

  /** What is sent to it where it is asked for each URL. */
  get relay(): Relay {
    return new Relay(this.options.label, this.authorization);
  }

  /** Notes that it has opened a tunnel, or has at least answered. */
  succeeded(): void {
    this.#failures = this.dueAt = 0;
    this.failure = undefined;
  }

  /** Notes that it has failed: it is left alone for a time that grows. */
  failed(error: ProxyError, now: number): void {
    this.failure = error;
    this.turns++;
    // A failure while it is left alone is nothing new.
    if (now < this.dueAt) return;
    this.dueAt = now + Math.min(FIRST_PAUSE_MS * 2 ** this.#failures++, MAX_PAUSE_MS);
  }
}

/** The pause after a first failure, in milliseconds; it doubles with each further one. */
const FIRST_PAUSE_MS = 250;

/** The longest pause, in milliseconds. */
const MAX_PAUSE_MS = 30_000;

/** Failures that are the proxy's own fault: another one may work. */
const ITS_FAULT: ReadonlySet<ProxyFailure> = new Set<ProxyFailure>([
  "unreachable",
  "tls",
  "authentication",
  "closed",
  "protocol",
]);

/** What a route needs of the pool. */
export interface RouteParts {
  readonly clock: Clock;
  /** How long a dial may take, in milliseconds. */
  readonly connectTimeoutMs: number;
  /** Finds the addresses of a proxy. */
  readonly lookUp: (host: Host) => Promise<readonly HostAddress[]>;
}

/** How far a dial has come. */
interface Stage {
  /** Whether the proxy has been asked for the tunnel, and may be waiting itself. */
  asked: boolean;
  /** Whether the tunnel is open. */
  open: boolean;
}

/** The route to one host. */
export class Route {
  /** Its proxies, in the order in which they are used. */
  readonly proxies: readonly Proxy[];
  /**
   * Whether the proxies resolve the host's name: then each of them is a machine of the host's, and
   * chosen as these are.
   */
  readonly resolvesThere: boolean;
  /** Whether a proxy is asked for each URL, and opens no tunnel. */
  readonly isAbsolute: boolean;
  readonly #host: Host;
  readonly #parts: RouteParts;
  #known: readonly (readonly HostAddress[] | undefined)[] = [];
  #addresses: readonly HostAddress[] = [];
  readonly #byAddress = new Map<string, Proxy>();

  /** Makes the route to a host. */
  constructor(
    host: Host,
    proxies: readonly Proxy[],
    form: { readonly resolvesThere: boolean; readonly isAbsolute: boolean },
    parts: RouteParts,
  ) {
    this.#host = host;
    this.proxies = proxies;
    this.resolvesThere = form.resolvesThere;
    this.isAbsolute = form.isAbsolute;
    this.#parts = parts;
  }

  /** Whether it goes over a proxy with this host. */
  goesOver(host: string): boolean {
    return this.proxies.some(({ options }) => options.host.text === host);
  }

  /** What is sent over a connection to a proxy that is asked for each URL. */
  relayAt(address: string): Relay | undefined {
    return this.isAbsolute ? this.#byAddress.get(address)?.relay : undefined;
  }

  /**
   * The proxies' own addresses, in order, for a host whose name they resolve; undefined if none is
   * known. The same list while nothing has changed.
   */
  addresses(
    known: (host: Host) => readonly HostAddress[] | undefined,
  ): readonly HostAddress[] | undefined {
    const lists = this.proxies.map(({ options }) => known(options.host));
    if (lists.every((list) => list === undefined)) return undefined;
    if (lists.some((list, index) => list !== this.#known[index])) {
      this.#known = lists;
      this.#byAddress.clear();
      const addresses: HostAddress[] = [];
      lists.forEach((list = [], priority) => {
        for (const address of list) {
          if (this.#byAddress.has(address.text)) continue;
          this.#byAddress.set(address.text, this.proxies[priority]!);
          addresses.push({ ...address, priority });
        }
      });
      this.#addresses = addresses;
    }
    return this.#addresses;
  }

  /**
   * Dials a target over the first proxy that is well, and over the next one where it fails.
   *
   * @throws {ProxyError} No proxy opened a tunnel
   * @throws {DialError} The tunnel was open, and the target failed
   * @throws {TypeError} The target is none of the proxies, which choose the machine themselves
   * @throws {UnsupportedOptionError} The dialer cannot go through such a proxy
   * @throws The signal's reason, when it aborts
   */
  async dial(dialer: Dialer, target: DialTarget, signal: AbortSignal): Promise<TlsSocket> {
    if (this.resolvesThere) return await this.#dialThere(dialer, target, signal);
    const { clock, connectTimeoutMs } = this.#parts;
    const endsAt = clock.now() + connectTimeoutMs;
    const isDue = ({ dueAt }: Proxy) => dueAt <= clock.now();
    const well = this.proxies.filter(({ failure }) => failure === undefined);
    const due = this.proxies.filter((proxy) => proxy.failure !== undefined && isDue(proxy));
    const candidates = [...well, ...due];
    const failures: ProxyError[] = [];
    const silent: Proxy[] = [];
    for (const [index, proxy] of candidates.entries()) {
      const forMs = (endsAt - clock.now()) / (candidates.length - index);
      try {
        const socket = await this.#dialOver(proxy, dialer, target, signal, forMs);
        // They did not wait for the machine.
        failures.filter(isUnclear).forEach((error, at) => silent[at]?.failed(error, clock.now()));
        return socket;
      } catch (error) {
        if (!(error instanceof ProxyError) || !(isItsFault(error) || isUnclear(error))) throw error;
        failures.push(error);
        if (isUnclear(error)) silent.push(proxy);
        if (!signal.aborted) continue;
        if (!isTimeout(signal.reason)) throw signal.reason;
        break;
      }
    }
    // All have just failed: their errors hold for a moment.
    const said = failures.length > 0
      ? failures
      : this.proxies.flatMap(({ failure }) => failure ? [failure] : []);
    throw inAll(target, said);
  }

  async #dialThere(
    dialer: Dialer,
    target: DialTarget,
    signal: AbortSignal,
  ): Promise<TlsSocket> {
    const proxy = this.#byAddress.get(target.address);
    if (!proxy) {
      throw new TypeError(
        `ip cannot choose a machine of ${target.host}: its proxies resolve names, and choose`,
      );
    }
    const { ip, port } = target;
    const end = { name: this.#host.name, port: this.#host.port };
    return await this.#attempt(proxy, { ip, port }, end, dialer, target, signal, Infinity);
  }

  async #dialOver(
    proxy: Proxy,
    dialer: Dialer,
    target: DialTarget,
    signal: AbortSignal,
    forMs: number,
  ): Promise<TlsSocket> {
    const { clock } = this.#parts;
    const end = { name: target.ip, port: target.port };
    const about = aboutOf(proxy, target);
    try {
      const addresses = await whileWanted(this.#parts.lookUp(proxy.options.host), signal)
        .catch((cause) => {
          signal.throwIfAborted();
          const detail = messageOf(cause);
          throw new ProxyError({ ...about, failure: "unreachable", status: null }, detail, {
            cause,
          });
        });
      const address = addresses[proxy.turns % addresses.length]!;
      const socket = await this.#attempt(proxy, address, end, dialer, target, signal, forMs);
      proxy.succeeded();
      return socket;
    } catch (error) {
      if (error instanceof ProxyError) {
        if (isItsFault(error)) proxy.failed(error, clock.now());
        else if (!isUnclear(error)) proxy.succeeded();
      } else if (error instanceof DialError) proxy.succeeded();
      throw error;
    }
  }

  async #attempt(
    proxy: Proxy,
    address: { readonly ip: string; readonly port: number },
    end: TunnelEnd,
    dialer: Dialer,
    target: DialTarget,
    signal: AbortSignal,
    forMs: number,
  ): Promise<TlsSocket> {
    const stage: Stage = { asked: false, open: false };
    const tunnel = this.#tunnel(proxy, address, end, target, stage);
    const kind = tunnel.tls ? "tls" : "plain";
    if (!dialer.tunnels?.has(kind)) {
      const advice = kind === "tls"
        ? "it cannot speak TLS within TLS, which https: proxies need: nodeDialer() can"
        : "it goes through no proxy";
      throw new UnsupportedOptionError("proxy", dialer.name, advice);
    }
    const stop = new AbortController();
    const late = (detail: string) =>
      stage.asked
        ? tunnelError({ ...target, tunnel }, "timeout", `${detail}: it may wait for the machine`)
        : tunnelError({ ...target, tunnel }, "unreachable", detail);
    const onAbort = () => {
      const { reason } = signal;
      // The time of the whole dial is over, and the machine has not been reached yet.
      const isLate = isTimeout(reason) && !stage.open;
      stop.abort(isLate ? late("it did not open a tunnel in time") : reason);
    };
    signal.addEventListener("abort", onAbort, { once: true });
    if (signal.aborted) onAbort();
    const timer = forMs < Infinity
      ? setDeadline(this.#parts.clock, () => {
        if (!stage.open) {
          stop.abort(late(`it did not open a tunnel within ${Math.round(forMs)} ms`));
        }
      }, forMs)
      : undefined;
    try {
      const socket = await dialer.dial({ ...target, tunnel }, stop.signal);
      proxy.counts.opened++;
      return socket;
    } catch (error) {
      if (stage.open) proxy.counts.opened++;
      else if (!signal.aborted || isTimeout(signal.reason)) proxy.counts.failed++;
      // If the proxy is asked for URLs, only the proxy itself is dialled.
      if (
        error instanceof DialError && saysOfProxy(error)
        && (error.phase === "tcp" || this.isAbsolute)
      ) {
        throw tunnelError({ ...target, tunnel }, "unreachable", error.message, { cause: error });
      }
      throw error;
    } finally {
      timer?.cancel();
      signal.removeEventListener("abort", onAbort);
    }
  }

  #tunnel(
    proxy: Proxy,
    { ip, port }: { readonly ip: string; readonly port: number },
    end: TunnelEnd,
    target: DialTarget,
    stage: Stage,
  ): Tunnel {
    const { authorization, options: { credentials, host, label, scheme }, tls } = proxy;
    const about = aboutOf(proxy, target);
    const negotiate = (): Negotiation => {
      const negotiation = scheme === "socks5"
        ? socks5(about, end, credentials)
        : httpConnect(about, end, authorization);
      stage.asked = scheme !== "socks5";
      return {
        opening: negotiation.opening,
        receive(bytes) {
          const next = negotiation.receive(bytes);
          stage.asked = true;
          if (next === "open") stage.open = true;
          return next;
        },
      };
    };
    return {
      proxy: label,
      ip,
      port,
      ...scheme === "https" && {
        tls: {
          serverName: tls.serverName ?? host.name,
          options: tls,
        },
      },
      ...!this.isAbsolute && { negotiate },
    };
  }
}

/** Whether another proxy may do better. */
function isItsFault({ failure }: ProxyError): boolean {
  return ITS_FAULT.has(failure);
}

/** Whether it is unclear which of the two has not answered, the proxy or the machine. */
function isUnclear({ failure }: ProxyError): boolean {
  return failure === "timeout";
}

/** Whether a dial was ended because its time was over. */
function isTimeout(reason: unknown): boolean {
  return reason instanceof DialError && reason.failure === "timeout";
}

/** Whether a failure is the proxy's, and not that of the program that dials. */
function saysOfProxy({ failure }: DialError): boolean {
  return !isOwnLack(failure);
}

function aboutOf({ options: { label } }: Proxy, { address, host }: DialTarget) {
  return { proxy: label, host, address };
}

/** One error for the failures of all proxies. */
function inAll(target: DialTarget, failures: readonly ProxyError[]): ProxyError {
  const [first] = failures;
  if (!first || failures.length === 1) {
    return first ?? tunnelError(target, "unreachable", "none is there");
  }
  const { failure, proxy, status } = failures.at(-1)!;
  const { address, host } = target;
  const detail = `none of its ${failures.length} proxies did: `
    + failures.map(({ message }) => message).join("; ");
  return new ProxyError({ proxy, host, address, failure, status }, detail, { cause: first });
}

/** Waits for a promise, until a signal aborts. */
async function whileWanted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  let onAbort = () => {};
  const aborted = new Promise<never>((_, reject) => onAbort = () => reject(signal.reason));
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    signal.throwIfAborted();
    return await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}
