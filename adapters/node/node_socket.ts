/**
 * The open sockets of `nodeDialer()` and `plainDialer()`: a Node socket behind the dialer's
 * contract.
 *
 * @module
 */

import type { Socket } from "node:net";
import { systemClock, type Timer } from "../../src/core/clock.ts";
import type { SocketSink, TlsInfo, TlsSocket } from "../../src/core/dialer.ts";
import { SocketError } from "../../src/core/errors.ts";
import type { CloseTimes } from "../sockets/close_times.ts";
import { socketError } from "./node_errors.ts";

// One buffer for all sockets: it is filled and handed on within one call, never across two.
const buffer = new Uint8Array(65_536);

// From how many bytes on a peer that sends before anybody listens is held back.
const maxEarlyBytes = 1_048_576;

/**
 * Takes what a socket reads, even before there is a sink. It is the option `onread` of
 * `tls.connect` and `net.connect`.
 */
export class Reader {
  readonly buffer: Uint8Array = buffer;
  readonly callback: (count: number, bytes: Uint8Array) => boolean;
  /** What arrived before there was a sink. */
  early: Uint8Array[] | null = null;
  /** The sink; a chunk belongs to it until it returns. */
  owner: NodeSocket | null = null;

  /** Begins with nothing. */
  constructor() {
    this.callback = (count, bytes) => {
      this.onData(bytes.subarray(0, count));
      return true;
    };
  }

  /** Takes what a socket without this option reads. */
  onData(chunk: Uint8Array): void {
    if (this.owner === null) (this.early ??= []).push(chunk.slice());
    else this.owner.received(chunk);
  }
}

// One set of listeners for all sockets: there may be many.
const OWNER = Symbol("owner");

type Owned = Socket & Writing & { [OWNER]?: NodeSocket };

/** Called by what carries writes out, when one is done or has failed. */
type Done = (error?: Error | null) => void;

/** How a socket carries writes out: what every writable stream of Node implements. */
interface Writing {
  _write(chunk: unknown, encoding: BufferEncoding, done: Done): void;
  _writev(chunks: readonly unknown[], done: Done): void;
}

const original = (socket: Owned): Writing => Object.getPrototypeOf(socket);

function write(this: Owned, chunk: unknown, encoding: BufferEncoding, done: Done): void {
  original(this)._write.call(this, chunk, encoding, this[OWNER]!.whenWritten(done));
}
function writev(this: Owned, chunks: readonly unknown[], done: Done): void {
  original(this)._writev.call(this, chunks, this[OWNER]!.whenWritten(done));
}

function onDrain(this: Owned): void {
  this[OWNER]?.drained();
}
function onEnd(this: Owned): void {
  this[OWNER]?.ended();
}
function onFinish(this: Owned): void {
  this[OWNER]?.finished();
}
function onError(this: Owned, error: Error): void {
  this[OWNER]?.failed(error);
}
function onClose(this: Owned): void {
  this[OWNER]?.closed();
}

// open → ended, by the peer, an error or destroy(); open → closing → ended, by close().
type State = "open" | "closing" | "ended";

/** See the module. */
export class NodeSocket implements TlsSocket {
  readonly info: TlsInfo;
  covers?: (serverName: string) => boolean;
  readonly #socket: Socket;
  // The socket that it goes over, if it has one: Node does not always see to its end.
  readonly #carrier: Socket | undefined;
  readonly #times: CloseTimes;
  // Called when the socket is done. A separate listener would cost each socket a longer list.
  readonly #tickets: { end(): void } | undefined;
  // What arrived before there was a sink, or in a pause: decryption runs on for some records after
  // reading has stopped. Null where bytes go straight to the sink.
  #held: Uint8Array[] | null;
  #earlyBytes = 0;
  #sink: SocketSink | null = null;
  #state: State = "open";
  #paused = false;
  #drainOwed = false;
  #done: Done | undefined;
  #whenWritten: Done | undefined;
  // Why a write failed, while what the peer sent before is still to be read.
  #unsent: Error | undefined;
  // The argument for onClose, once the sink is there and has had its bytes.
  #ending: { readonly error: Error | undefined } | null = null;
  // Gives up on a peer that does not complete the end.
  #timer: Timer | undefined;

  constructor(
    socket: Socket,
    reader: Reader,
    info: TlsInfo,
    times: CloseTimes,
    carrier?: Socket | undefined,
    tickets?: { end(): void } | undefined,
  ) {
    this.info = info;
    this.#socket = socket;
    this.#carrier = carrier;
    this.#times = times;
    this.#tickets = tickets;
    this.#held = reader.early ?? [];
    reader.early = null;
    reader.owner = this;
    const owned = socket as Owned;
    owned[OWNER] = this;
    // A peer may answer early and hang up. A write then fails before the answer is read, and Node would
    // end the socket at once. Bun reads on by itself.
    if (!("Bun" in globalThis)) {
      owned._write = write;
      owned._writev = writev;
    }
    socket.on("drain", onDrain);
    if (carrier) {
      (carrier as Owned)[OWNER] = this;
      carrier.on("drain", onDrain);
    }
    socket.on("finish", onFinish);
    socket.on("error", onError);
    socket.on("close", onClose);
    // By then Node has taken off its own listener of the handshake: beside it, the list would stay long.
    queueMicrotask(() => socket.readableEnded ? this.ended() : socket.on("end", onEnd));
  }

  attach(sink: SocketSink): void {
    this.#sink = sink;
    if (this.#earlyBytes >= maxEarlyBytes && !this.#paused) this.#setReading(true);
    this.#earlyBytes = 0;
    queueMicrotask(() => this.#replay());
  }

  write(bytes: Uint8Array): boolean {
    if (this.#state !== "open") return false;
    // Deno ends a socket to which nothing is written with EPERM.
    if (bytes.length === 0) return true;
    const takesMore = this.#socket.write(bytes);
    return takesMore && this.#carrier?.writableNeedDrain !== true;
  }

  pause(): void {
    if (this.#state !== "open") return;
    this.#paused = true;
    this.#held ??= [];
    this.#setReading(false);
  }

  resume(): void {
    this.#paused = false;
    if (this.#held !== null) queueMicrotask(() => this.#replay());
    if (this.#state === "open") this.#setReading(true);
  }

  ref(): void {
    this.#socket.ref();
    this.#carrier?.ref();
  }

  unref(): void {
    this.#socket.unref();
    this.#carrier?.unref();
  }

  close(): void {
    if (this.#state !== "open") return;
    if (this.#unsent) {
      this.destroy(socketError(this.#unsent));
      return;
    }
    this.#state = "closing";
    this.#held = null;
    // What the peer still says is read and dropped, so that its end is seen, and not answered by RST.
    this.#setReading(true);
    this.#socket.end();
    this.#timer = systemClock.setTimer(() => {
      this.destroy(new SocketError("timeout", "the peer did not take what was written"));
    }, this.#times.closeTimeoutMs);
  }

  destroy(error?: Error): void {
    this.#letGo();
    this.#held = null;
    if (this.#state !== "ended") {
      this.#state = "ended";
      this.#ending = { error };
    }
    // Never from within the caller's own call.
    if (this.#ending !== null) queueMicrotask(() => this.#replay());
  }

  /** Takes what the socket has read. */
  received(bytes: Uint8Array): void {
    if (this.#state !== "open") return;
    if (this.#held === null) {
      this.#sink!.onData(bytes);
      return;
    }
    this.#held.push(bytes.slice());
    if (this.#sink !== null) return;
    this.#earlyBytes += bytes.length;
    if (this.#earlyBytes >= maxEarlyBytes) this.#setReading(false);
  }

  #setReading(reading: boolean): void {
    if (reading) this.#socket.resume();
    else this.#socket.pause();
    // Of TLS within TLS only Node holds back what it is fed.
    if (reading) this.#carrier?.resume();
    else this.#carrier?.pause();
    for (const feed of [feedOf(this.#socket), this.#carrier && feedOf(this.#carrier)]) {
      if (reading) feed?.readStart();
      else feed?.readStop();
    }
  }

  /** The socket, or what it goes over, takes more. */
  drained(): void {
    this.#drainOwed = true;
    this.#replay();
  }

  /**
   * Wraps what is to be called after a write. It does not learn that the peer is gone: the reader
   * will, once it has read what the peer sent before.
   */
  whenWritten(done: Done): Done {
    this.#done = done;
    return this.#whenWritten ??= (error) => {
      if (this.#state === "open" && error && socketError(error).failure === "reset") {
        this.#unsent = error;
      } else this.#done!(error);
    };
  }

  /** The socket broke. */
  failed(error: Error): void {
    this.#end(socketError(error));
  }

  /** The socket is done. */
  closed(): void {
    this.#timer?.cancel();
    this.#tickets?.end();
    this.#carrier?.destroy();
    // Called only if neither "end", "finish" nor "error" came first.
    this.#end(new SocketError("other", "closed without a reason"));
  }

  /**
   * The peer has ended. By itself the socket answers that with its own end; but only as fast as the
   * peer reads.
   */
  ended(): void {
    if (this.#state !== "open") return;
    this.#linger();
    this.#end(this.#unsent && socketError(this.#unsent));
  }

  /** All that was written is sent. */
  finished(): void {
    if (this.#state !== "closing") return;
    const carrier = this.#carrier;
    // Bun says that all is sent when the carrier has it, which has ended as well.
    if (carrier?.writableNeedDrain) {
      carrier.once("drain", () => this.finished());
      return;
    }
    if (carrier && "Bun" in globalThis && carrier.writableLength > 0) {
      carrier.once("finish", () => this.finished());
      return;
    }
    this.#linger();
    this.#end();
  }

  #linger(): void {
    this.unref();
    this.#timer?.cancel();
    this.#timer = systemClock.setTimer(() => this.#letGo(), this.#times.lingerMs);
  }

  #letGo(): void {
    this.#socket.destroy();
    this.#carrier?.destroy();
  }

  #end(error?: Error): void {
    if (this.#state === "ended") return;
    this.#state = "ended";
    this.#ending = { error };
    this.#replay();
  }

  // Delivers to the sink what is pending: a drain, held bytes, and then the end.
  #replay(): void {
    const sink = this.#sink;
    if (sink === null) return;
    // What was written since will have its own drain.
    const isDrained = this.#drainOwed && this.#state === "open" && !this.#socket.writableNeedDrain
      && this.#carrier?.writableNeedDrain !== true;
    this.#drainOwed = false;
    if (isDrained) sink.onDrain();
    while (this.#held !== null && !this.#paused) {
      const bytes = this.#held.shift();
      if (bytes === undefined) this.#held = null;
      else sink.onData(bytes);
    }
    if (this.#ending === null || (this.#held !== null && this.#held.length > 0)) return;
    const { error } = this.#ending;
    this.#ending = null;
    sink.onClose(error);
  }
}

/** What a TLS socket takes its bytes from. */
interface Feed {
  readStart(): void;
  readStop(): void;
}

// On Deno a TLS socket that is paused reads on, and keeps what it has decrypted, however much it is
// (as of 2.9.6). Nothing but to stop what feeds it holds the peer back.
function feedOf(socket: Socket & { readonly _handle?: { readonly _parent?: Feed } | null }) {
  return "Deno" in globalThis ? socket._handle?._parent : undefined;
}
