/**
 * The live end of {@linkcode denoDialer}: a `Deno.TlsConn` behind the seam's contract. Its read
 * loop pushes, its writes queue.
 *
 * @module
 */

import { systemClock, type Timer } from "../../src/core/clock.ts";
import type { SocketSink, TlsInfo, TlsSocket } from "../../src/core/dialer.ts";
import { SocketError } from "../../src/core/errors.ts";
import type { DenoTlsConn } from "./deno_api.ts";
import { socketError } from "./deno_errors.ts";

// Deno gives at most one TLS record a read: a bigger buffer would never be filled.
const readBufferBytes = 16_384;

// Queued writes are joined up to what makes one full TLS record.
const joinBufferBytes = 16_384;

/** There may be many sockets, and most have nothing to write. Never changed. */
const NOTHING: Uint8Array[] = [];

/** What the sockets of a dialer have in common. */
export interface DenoSocketOptions {
  readonly highWaterMarkBytes: number;
  readonly lingerMs: number;
}

const open = 0;
/** A write failed; what the peer said before it hung up is still read. */
const broken = 1;
/** What is written goes out, then close_notify and FIN. What is read from here on is dropped. */
const closing = 2;
/** Both are out, and onClose was called; the peer has yet to hang up. */
const lingering = 3;
const done = 4;

type State = typeof open | typeof broken | typeof closing | typeof lingering | typeof done;

/** See the module. */
export class DenoSocket implements TlsSocket {
  readonly info: TlsInfo;
  readonly #conn: DenoTlsConn;
  readonly #options: DenoSocketOptions;
  #sink: SocketSink | undefined;
  #state: State = open;
  #paused = false;
  #referenced = true;
  #readEnded = false;
  // Lets the read loop go on, if it waits for attach() or resume().
  #wake: (() => void) | undefined;
  // What Deno is writing. One write at a time keeps the order when Deno writes short.
  #writing: Uint8Array | undefined;
  #queue: Uint8Array[] = NOTHING;
  #joinBuffer: Uint8Array | undefined;
  // The bytes accepted and not yet written.
  #unwritten = 0;
  #drainOwed = false;
  #writeError: Error | undefined;
  // The argument for onClose, once there is a sink.
  #ending: { readonly error: Error | undefined } | undefined;
  #ended = false;
  #timer: Timer | undefined;

  constructor(conn: DenoTlsConn, info: TlsInfo, options: DenoSocketOptions) {
    this.#conn = conn;
    this.info = info;
    this.#options = options;
    void this.#readLoop();
  }

  attach(sink: SocketSink): void {
    this.#sink = sink;
    if (this.#ending !== undefined) queueMicrotask(() => this.#reportClose());
    else if (this.#drainOwed && this.#unwritten === 0) queueMicrotask(() => this.#reportDrain());
    this.#wakeUp();
  }

  write(bytes: Uint8Array): boolean {
    if (this.#state !== open) return false;
    if (bytes.length > 0) {
      this.#unwritten += bytes.length;
      if (this.#writing === undefined) this.#issue(bytes);
      else if (this.#queue === NOTHING) this.#queue = [bytes];
      else this.#queue.push(bytes);
    }
    if (this.#unwritten > this.#options.highWaterMarkBytes) this.#drainOwed = true;
    return !this.#drainOwed;
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    this.#wakeUp();
  }

  ref(): void {
    if (this.#referenced || this.#state >= lingering) return;
    this.#referenced = true;
    this.#conn.ref();
  }

  unref(): void {
    if (!this.#referenced || this.#state >= lingering) return;
    this.#referenced = false;
    this.#conn.unref();
  }

  close(): void {
    if (this.#state === broken) this.#finish(this.#writeError);
    if (this.#state !== open) return;
    this.#state = closing;
    this.#startTimer();
    this.#wakeUp();
    if (this.#writing === undefined) this.#sendFin();
  }

  destroy(error?: Error): void {
    this.#finish(error);
  }

  /** Reads until the end. It is the only reader, and never rejects. */
  async #readLoop(): Promise<void> {
    const conn = this.#conn;
    const buffer = new Uint8Array(readBufferBytes);
    // Kept while reads have the same length, as they tend to: making a view is half of our cost.
    let view = buffer;
    for (;;) {
      let length: number | null;
      try {
        length = await conn.read(buffer);
      } catch (cause) {
        return this.#readFailed(cause);
      }
      if (length === null) return this.#peerEnded();
      if (this.#sink === undefined || this.#paused) await this.#readAllowed();
      if (this.#state >= closing) continue;
      if (view.length !== length) view = buffer.subarray(0, length);
      try {
        this.#sink!.onData(view);
      } catch (cause) {
        this.#sinkFailed(cause);
      }
      if (this.#paused) await this.#readAllowed();
    }
  }

  async #readAllowed(): Promise<void> {
    while ((this.#sink === undefined || this.#paused) && this.#state < closing) {
      await new Promise<void>((resolve) => this.#wake = resolve);
    }
  }

  #wakeUp(): void {
    const wake = this.#wake;
    if (wake === undefined) return;
    this.#wake = undefined;
    wake();
  }

  #readFailed(cause: unknown): void {
    this.#readEnded = true;
    // After close() it does not matter how the peer ends, unless something is left to send.
    const orderly = this.#state >= closing && this.#unwritten === 0;
    this.#finish(orderly ? undefined : this.#writeError ?? socketError(cause));
  }

  #peerEnded(): void {
    this.#readEnded = true;
    if (this.#state === broken || this.#writing === undefined) this.#finish(this.#writeError);
    else if (this.#state === open) {
      // The peer sent close_notify: it may still take what was written before.
      this.#state = closing;
      this.#startTimer();
    }
  }

  #issue(bytes: Uint8Array): void {
    this.#writing = bytes;
    this.#conn.write(bytes).then(this.#written, this.#writeFailed);
  }

  readonly #written = (length: number): void => {
    const bytes = this.#writing;
    if (bytes === undefined) return;
    if (length === 0) return this.#writeFailed(new Error("Deno wrote no byte"));
    this.#unwritten -= length;
    if (this.#state === closing) this.#startTimer();
    // A short write: its rest goes before everything else.
    if (length < bytes.length) return this.#issue(bytes.subarray(length));
    this.#writing = undefined;
    if (this.#queue.length > 0) return this.#issue(this.#nextWrite());
    if (this.#state === open) this.#reportDrain();
    else if (this.#readEnded) this.#finish();
    else this.#sendFin();
  };

  /** Takes from the queue what one write can carry: one big piece, or many small ones joined. */
  #nextWrite(): Uint8Array {
    const queue = this.#queue;
    if (queue.length === 1 || queue[0]!.length + queue[1]!.length > joinBufferBytes) {
      return queue.shift()!;
    }
    const buffer = this.#joinBuffer ??= new Uint8Array(joinBufferBytes);
    let length = 0;
    let taken = 0;
    for (const bytes of queue) {
      if (length + bytes.length > joinBufferBytes) break;
      buffer.set(bytes, length);
      length += bytes.length;
      taken++;
    }
    queue.splice(0, taken);
    return buffer.subarray(0, length);
  }

  readonly #writeFailed = (cause: unknown): void => {
    if (this.#state === done) return;
    const error = socketError(cause);
    this.#writing = undefined;
    this.#queue = NOTHING;
    if (this.#state === closing) return this.#finish(error);
    // A server that refuses a request may have answered it before it hung up. The read loop comes
    // to that answer, and then to the end.
    this.#state = broken;
    this.#writeError = error;
    this.#startTimer();
  };

  #sendFin(): void {
    this.#conn.closeWrite().then(() => this.#finSent(), () => this.#finish());
  }

  // Who closes at once what is still spoken to answers with a reset, and the peer may lose for it
  // what it has not read yet. So the peer is given time to hang up as well.
  #finSent(): void {
    if (this.#state === done) return;
    this.#state = lingering;
    this.#startTimer();
    this.#conn.unref();
    this.#end();
  }

  // Restarts with each bit of progress: it ends what the peer holds up, not what is slow.
  #startTimer(): void {
    this.#timer?.cancel();
    this.#timer = systemClock.setTimer(() => this.#timedOut(), this.#options.lingerMs);
  }

  #timedOut(): void {
    if (this.#unwritten === 0 || this.#writeError !== undefined) {
      this.#finish(this.#writeError);
      return;
    }
    const { lingerMs } = this.#options;
    const detail = `the peer took none of the last ${this.#unwritten} bytes for ${lingerMs} ms`;
    this.#finish(new SocketError("timeout", detail));
  }

  #sinkFailed(cause: unknown): void {
    this.#finish(new SocketError("other", "its receiver threw", { cause }));
  }

  #finish(error?: Error): void {
    if (this.#state === done) return;
    this.#state = done;
    this.#queue = NOTHING;
    this.#writing = undefined;
    this.#timer?.cancel();
    // Ends the pending read and write, and sends close_notify and FIN if they were not sent.
    this.#conn.close();
    this.#wakeUp();
    this.#end(error);
  }

  #end(error?: Error): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#ending = { error };
    // Never from within the caller's own call.
    queueMicrotask(() => this.#reportClose());
  }

  #reportClose(): void {
    if (this.#ending === undefined || this.#sink === undefined) return;
    const { error } = this.#ending;
    this.#ending = undefined;
    this.#sink.onClose(error);
  }

  #reportDrain(): void {
    if (!this.#drainOwed || this.#sink === undefined || this.#state !== open) return;
    this.#drainOwed = false;
    try {
      this.#sink.onDrain();
    } catch (cause) {
      this.#sinkFailed(cause);
    }
  }
}
