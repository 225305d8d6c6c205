/**
 * A dialer without a network, for tests: scripted, and on a clock that you pass.
 *
 * @example A pool in a test, on a clock that the test moves
 * ```ts
 * import { createPool, ManualClock, staticResolver } from "@hotconn/hotconn";
 * import { memoryDialer } from "@hotconn/hotconn/memory";
 * import { assertEquals } from "@std/assert";
 *
 * const dialer = memoryDialer();
 * const pool = createPool({
 *   dialer,
 *   resolver: staticResolver({ "example.test": ["192.0.2.1"] }),
 *   clock: new ManualClock(),
 * });
 * const lease = await pool.acquire("example.test");
 * lease.write(new TextEncoder().encode("hello"));
 * lease.release({ reuse: false });
 * await pool.close();
 * assertEquals(dialer.sockets.size, 0);
 * ```
 *
 * @module
 */

import { type Clock, systemClock } from "../src/core/clock.ts";
import {
  type Dialer,
  type DialTarget,
  requireHonoured,
  type SocketSink,
  type TlsCapability,
  type TlsInfo,
  type TlsSocket,
} from "../src/core/dialer.ts";
import { DialError, type DialFailure, type DialPhase } from "../src/core/errors.ts";
import { TLS_OPTIONS } from "../src/pool/host/tls_profiles.ts";

/** A socket without a network. The test plays the peer. */
export interface MemorySocket extends TlsSocket {
  /** Whether it is still open. */
  readonly open: boolean;
  /** Whether it keeps the program alive. */
  readonly referenced: boolean;
  /** Every write, in order. */
  readonly written: readonly Uint8Array[];
  /** Receives bytes, as if the peer had sent them. */
  receive(bytes: Uint8Array): void;
  /** Ends, as if the peer had hung up: in good order, or with an error. */
  end(error?: Error): void;
}

/** Options of {@linkcode memorySocket}. */
export interface MemorySocketOptions {
  /** Plays the peer: called with each write. */
  readonly onWrite?: (socket: MemorySocket, bytes: Uint8Array) => void;
  /** Called once, when the socket is closed. */
  readonly onClosed?: () => void;
  /** The ALPN protocol that was agreed. */
  readonly alpn?: string | null;
  /** When its certificate expires, in milliseconds since 1970; unknown if left out. */
  readonly certificateEndsAt?: number;
  /** The names that its certificate covers, besides the one that was dialled. @default {[]} */
  readonly names?: readonly string[];
}

/** Makes a socket without a network. */
export function memorySocket(options: MemorySocketOptions = {}): MemorySocket {
  return new Socket(options);
}

class Socket implements MemorySocket {
  readonly info: TlsInfo;
  readonly written: Uint8Array[] = [];
  readonly #options: MemorySocketOptions;
  #sink: SocketSink | undefined;
  #arrived: (() => void)[] = [];
  #open = true;
  #referenced = true;
  #paused = false;

  constructor(options: MemorySocketOptions) {
    this.#options = options;
    const { alpn = null, certificateEndsAt } = options;
    this.info = {
      alpn,
      ...certificateEndsAt !== undefined && { certificateEndsAt },
      tcpMs: 0,
      tlsMs: 0,
    };
  }

  covers(serverName: string): boolean {
    return this.#options.names?.includes(serverName) ?? false;
  }

  get open(): boolean {
    return this.#open;
  }

  get referenced(): boolean {
    return this.#referenced;
  }

  attach(sink: SocketSink): void {
    this.#sink = sink;
    if (this.#arrived.length > 0) queueMicrotask(() => this.#flush());
  }

  write(bytes: Uint8Array): boolean {
    if (!this.#open) return false;
    this.written.push(bytes);
    this.#options.onWrite?.(this, bytes);
    return true;
  }

  pause(): void {
    // A socket that is done says so, even if it is paused then.
    this.#paused = this.#open;
  }

  resume(): void {
    this.#paused = false;
    this.#flush();
  }

  ref(): void {
    this.#referenced = true;
  }

  unref(): void {
    this.#referenced = false;
  }

  close(): void {
    this.#end();
  }

  destroy(error?: Error): void {
    this.#end(error);
  }

  receive(bytes: Uint8Array): void {
    if (!this.#open) return;
    this.#arrived.push(() => this.#sink?.onData(bytes));
    this.#flush();
  }

  end(error?: Error): void {
    this.#end(error);
  }

  #end(error?: Error): void {
    if (!this.#open) return;
    this.#open = false;
    this.#paused = false;
    this.#options.onClosed?.();
    this.#arrived.push(() => this.#sink?.onClose(error));
    // Later, as with a real socket: the caller of `end()` is not called back within it.
    queueMicrotask(() => this.#flush());
  }

  #flush(): void {
    while (this.#sink && !this.#paused && this.#arrived.length > 0) this.#arrived.shift()?.();
  }
}

/** How a dial goes. With no options, it succeeds at once. */
export interface MemoryDial {
  /**
   * How long it takes, in milliseconds; with `Infinity` it hangs.
   *
   * @default {0}
   */
  readonly delayMs?: number;
  /** Why it fails. */
  readonly failure?: DialFailure;
  /**
   * At which step it fails.
   *
   * @default {"tcp"}
   */
  readonly phase?: DialPhase;
  /** The socket's own options. */
  readonly socket?: MemorySocketOptions;
}

/** Options of {@linkcode memoryDialer}. */
export interface MemoryDialerOptions {
  /** The source of time. */
  readonly clock?: Clock;
  /** Says how each dial goes. */
  readonly script?: (target: DialTarget) => MemoryDial;
  /** The TLS options that it claims to honour; by default all of them. */
  readonly capabilities?: readonly TlsCapability[];
}

/** A dialer without a network, and what a test wants to know about it. */
export interface MemoryDialer extends Dialer {
  /** Every dial so far. */
  readonly dials: readonly DialTarget[];
  /** How many dials are under way. */
  readonly dialing: number;
  /** The sockets that are open. */
  readonly sockets: ReadonlySet<MemorySocket>;
}

/** Makes a dialer without a network. */
export function memoryDialer(options: MemoryDialerOptions = {}): MemoryDialer {
  const { capabilities = TLS_OPTIONS, clock = systemClock, script } = options;
  const dials: DialTarget[] = [];
  const sockets = new Set<MemorySocket>();
  let dialing = 0;

  function open(dial: MemoryDial): MemorySocket {
    const socket = memorySocket({
      ...dial.socket,
      onClosed: () => {
        sockets.delete(socket);
        dial.socket?.onClosed?.();
      },
    });
    sockets.add(socket);
    return socket;
  }

  const dialer: MemoryDialer = {
    name: "memory",
    tellsCertificate: true,
    capabilities: new Set(capabilities),
    tunnels: new Set(["plain", "tls"]),
    dials,
    sockets,
    get dialing() {
      return dialing;
    },
    async dial(target, signal) {
      requireHonoured(dialer, target.tls);
      signal.throwIfAborted();
      dials.push(target);
      const dial: MemoryDial = script?.(target) ?? {};
      dialing++;
      try {
        await pass(clock, dial.delayMs ?? 0, signal);
      } finally {
        dialing--;
      }
      if (!dial.failure) return open(dial);
      const { host, address } = target;
      const { failure, phase = "tcp" } = dial;
      throw new DialError({ host, address, phase, failure }, "as the script says");
    },
  };
  return dialer;
}

/** Lets time pass on a clock, or throws the signal's reason. */
async function pass(clock: Clock, ms: number, signal: AbortSignal): Promise<void> {
  if (ms <= 0) return;
  let stop = () => {};
  try {
    await new Promise<void>((resolve, reject) => {
      const timer = ms === Infinity ? undefined : clock.setTimer(resolve, ms, true);
      const abort = () => reject(signal.reason);
      signal.addEventListener("abort", abort, { once: true });
      stop = () => {
        timer?.cancel();
        signal.removeEventListener("abort", abort);
      };
    });
  } finally {
    stop();
  }
}
