/**
 * A socket over a `Deno.TlsConn`: its read loop pushes, its writes queue.
 *
 * @module
 */

import type { SocketSink, TlsInfo, TlsSocket } from "../src/core/dialer.ts";
import { SocketError } from "../src/core/errors.ts";
import type { DenoApi, DenoTlsConn } from "./deno_api.ts";
import { socketError } from "./deno_errors.ts";

// Deno gives one TLS record a read at most, so a bigger buffer would never be filled.
const readBufferBytes = 16_384;

// Queued writes are joined up to what makes one full TLS record.
const joinBufferBytes = 16_384;

/** What a socket is made with. */
export interface DenoSocketOptions {
  readonly highWaterMarkBytes: number;
  readonly closeTimeoutMs: number;
}

const open = 0;
/** A write failed; what the peer said before it hung up is still read. */
const broken = 1;
/** What is written goes out, then close_notify and FIN; what is read is dropped. */
const closing = 2;
const done = 3;

/** A live TLS connection on Deno. */
export class DenoSocket implements TlsSocket {
  readonly info: TlsInfo;
  readonly #deno: DenoApi;
  readonly #conn: DenoTlsConn;
  readonly #options: DenoSocketOptions;
  readonly #readBuffer = new Uint8Array(readBufferBytes);
  #sink: SocketSink | undefined;
  #state: typeof open | typeof broken | typeof closing | typeof done = open;
  #error: Error | undefined;
  #reported = false;
  #paused = false;
  #referenced = true;
  #readEnded = false;
  /** Lets the read loop go on, where it waits for `attach` or `resume`. */
  #wake: (() => void) | undefined;
  /** The bytes that Deno is writing. One write at a time keeps the order when Deno writes short. */
  #writing: Uint8Array | undefined;
  #queue: Uint8Array[] = [];
  /** The bytes accepted and not yet written. */
  #unwritten = 0;
  #drainOwed = false;
  #joinBuffer: Uint8Array | undefined;
  #closeTimer: ReturnType<typeof setTimeout> | undefined;

  constructor(deno: DenoApi, conn: DenoTlsConn, info: TlsInfo, options: DenoSocketOptions) {
    this.#deno = deno;
    this.#conn = conn;
    this.info = info;
    this.#options = options;
    void this.#readLoop();
  }

  attach(sink: SocketSink): void {
    this.#sink = sink;
    if (this.#state === done) queueMicrotask(this.#reportClose);
    else if (this.#drainOwed && this.#unwritten === 0) queueMicrotask(this.#reportDrain);
    this.#wakeUp();
  }

  write(bytes: Uint8Array): boolean {
    if (this.#state !== open) return false;
    if (bytes.length > 0) {
      this.#unwritten += bytes.length;
      if (this.#writing === undefined) this.#issue(bytes);
      else this.#queue.push(bytes);
    }
    if (this.#unwritten > this.#options.highWaterMarkBytes) this.#drainOwed = true;
    return !this.#drainOwed;
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    this.#wakeUp();
  }

  ref(): void {
    if (this.#referenced || this.#state >= closing) return;
    this.#referenced = true;
    this.#conn.ref();
  }

  unref(): void {
    if (!this.#referenced || this.#state >= closing) return;
    this.#referenced = false;
    this.#conn.unref();
  }

  close(): void {
    if (this.#state === broken) this.#finish(this.#error);
    if (this.#state !== open) return;
    this.#state = closing;
    this.#startCloseTimer();
    this.#wakeUp();
    if (this.#writing === undefined) this.#sendFin();
  }

  destroy(error?: Error): void {
    this.#finish(error);
  }

  /** Reads until the end. It is the only reader, and never rejects. */
  async #readLoop(): Promise<void> {
    const conn = this.#conn;
    const buffer = this.#readBuffer;
    for (;;) {
      let length: number | null;
      try {
        length = await conn.read(buffer);
      } catch (cause) {
        return this.#readFailed(cause);
      }
      if (length === null) return this.#peerEnded();
      if (this.#sink === undefined || this.#paused) await this.#readAllowed();
      if (this.#state >= closing) {
        if (this.#state === done) return;
        continue;
      }
      try {
        this.#sink!.onData(buffer.subarray(0, length));
      } catch (cause) {
        return this.#sinkFailed(cause);
      }
      if (this.#paused) await this.#readAllowed();
      if (this.#state === done) return;
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
    if (this.#state === done) return;
    // After close() it is no matter how the peer goes, unless something is left to tell it.
    const orderly = this.#state === closing && this.#unwritten === 0;
    this.#finish(orderly ? undefined : this.#error ?? socketError(cause));
  }

  #peerEnded(): void {
    this.#readEnded = true;
    if (this.#state === open) {
      // The peer said close_notify; it may still take what was written before it did.
      this.#state = closing;
      this.#startCloseTimer();
    }
    if (this.#state === broken) this.#finish(this.#error);
    else if (this.#writing === undefined) this.#finish();
  }

  #issue(bytes: Uint8Array): void {
    this.#writing = bytes;
    this.#conn.write(bytes).then(this.#written, this.#writeFailed);
  }

  readonly #written = (length: number): void => {
    const bytes = this.#writing;
    if (bytes === undefined || this.#state === done) return;
    if (length === 0) return this.#writeFailed(new Error("Deno wrote nothing"));
    this.#unwritten -= length;
    // A short write: its rest goes before everything else.
    if (length < bytes.length) return this.#issue(bytes.subarray(length));
    this.#writing = undefined;
    if (this.#queue.length > 0) return this.#issue(this.#nextWrite());
    if (this.#state === closing) {
      if (this.#readEnded) this.#finish();
      else this.#sendFin();
    } else if (this.#drainOwed) this.#reportDrain();
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
    this.#queue = [];
    if (this.#state === closing || this.#readEnded) return this.#finish(error);
    // A server that refuses a request may have answered before it hung up. The read loop comes to
    // that answer, and then to the end, by itself.
    this.#state = broken;
    this.#error = error;
    this.#startCloseTimer();
  };

  /**
   * Sends close_notify and FIN, and then waits for the peer to hang up too: closing a connection
   * on which something arrives unread would reset it, and could cost the peer what it has not read.
   */
  #sendFin(): void {
    this.#conn.closeWrite().then(this.#finSent, this.#finFailed);
  }

  readonly #finSent = (): void => {
    if (this.#state !== done) this.#conn.unref();
  };

  readonly #finFailed = (): void => this.#finish();

  #startCloseTimer(): void {
    if (this.#closeTimer !== undefined) return;
    this.#closeTimer = setTimeout(this.#closeTimedOut, this.#options.closeTimeoutMs);
    this.#deno.unrefTimer(this.#closeTimer);
  }

  readonly #closeTimedOut = (): void => {
    const { closeTimeoutMs } = this.#options;
    const bytes = this.#unwritten;
    if (this.#error !== undefined || bytes === 0) return this.#finish(this.#error);
    const detail = `the peer left ${bytes} bytes untaken for ${closeTimeoutMs} ms after close()`;
    this.#finish(new SocketError("timeout", detail));
  };

  #sinkFailed(cause: unknown): void {
    this.#finish(new SocketError("other", "its receiver threw", { cause }));
  }

  #finish(error?: Error): void {
    if (this.#state === done) return;
    this.#state = done;
    this.#error = error;
    this.#queue = [];
    this.#writing = undefined;
    clearTimeout(this.#closeTimer);
    // Ends the pending read and write, and sends close_notify and FIN where they were not sent.
    this.#conn.close();
    this.#wakeUp();
    queueMicrotask(this.#reportClose);
  }

  readonly #reportClose = (): void => {
    if (this.#reported || this.#sink === undefined) return;
    this.#reported = true;
    this.#sink.onClose(this.#error);
  };

  readonly #reportDrain = (): void => {
    if (!this.#drainOwed || this.#sink === undefined || this.#state !== open) return;
    this.#drainOwed = false;
    try {
      this.#sink.onDrain();
    } catch (cause) {
      this.#sinkFailed(cause);
    }
  };
}
