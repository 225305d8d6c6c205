/**
 * An open TLS socket on Bun.
 *
 * @module
 */

import { systemClock, type Timer } from "../../src/core/clock.ts";
import type { SocketSink, TlsInfo, TlsSocket } from "../../src/core/dialer.ts";
import { SocketError } from "../../src/core/errors.ts";
import type { CloseTimes } from "../sockets/close_times.ts";
import { explainAlert } from "../sockets/explain.ts";
import type { NativeError, NativeSocket, SocketOwner } from "./bun_api.ts";
import { isTlsError, socketError } from "./bun_errors.ts";

/** From how many bytes on a read is freed at once: for smaller ones that costs too much. */
const FREED_BYTES = 65_536;

/** How a socket comes to its end. Made when that begins: there may be many that do not. */
class Ending {
  /** Nothing more may be written. */
  closing = false;
  /** The argument of `onClose` is settled. */
  ended = false;
  error: Error | undefined = undefined;
  told = false;
  /** The native socket is gone. */
  released = false;
  timer: Timer | undefined = undefined;
}

/** See {@linkcode TlsSocket}. Made by a dial once the certificate is verified. */
export class BunSocket implements TlsSocket, SocketOwner {
  readonly info: TlsInfo;
  covers?: (serverName: string) => boolean;
  readonly #native: NativeSocket;
  readonly #times: CloseTimes;
  /** What is notified of everything, from `attach` on. */
  #sink: SocketSink | null = null;
  /** Who gets bytes as they come: nobody until held bytes are out, and after the end. */
  #receiver: SocketSink | null = null;
  /** Bytes that came before anybody took them. Most sockets have none: there may be many. */
  #held: Uint8Array[] | undefined;
  /** What is not written yet, if anything; of the first, `#offset` bytes are. */
  #queue: Uint8Array[] | undefined;
  #offset = 0;
  #drainDue = false;
  #paused = false;
  #ending: Ending | undefined;

  constructor(native: NativeSocket, info: TlsInfo, times: CloseTimes) {
    this.#native = native;
    this.info = info;
    this.#times = times;
  }

  attach(sink: SocketSink): void {
    this.#sink = sink;
    if (this.#receiver !== null) this.#receiver = sink;
    else queueMicrotask(() => this.#flow());
  }

  write(bytes: Uint8Array): boolean {
    if (this.#ending?.closing) return false;
    if (!this.#queue) {
      const written = this.#native.write(bytes);
      if (written === bytes.byteLength) return true;
      // Nothing is taken if the peer is gone: `closed` comes next, and says why.
      this.#offset = Math.max(written, 0);
    }
    (this.#queue ??= []).push(bytes);
    this.#drainDue = true;
    return false;
  }

  pause(): void {
    if (this.#ending?.closing) return;
    this.#paused = true;
    this.#native.pause();
  }

  resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    if (this.#held) queueMicrotask(() => this.#flow());
    else if (!this.#ending?.closing) this.#native.resume();
  }

  ref(): void {
    if (!this.#ending?.ended) this.#native.ref();
  }

  unref(): void {
    this.#native.unref();
  }

  close(): void {
    if (this.#ending?.closing) return;
    this.#toEnd.closing = true;
    this.#mute();
    // What the peer still says is read and dropped, so that its end is seen and gets no RST.
    this.#native.resume();
    if (!this.#queue) this.#shutdown();
    else this.#toEnd.timer = systemClock.setTimer(() => this.#giveUp(), this.#times.closeTimeoutMs);
  }

  destroy(error?: Error): void {
    if (this.#ending?.released) return;
    this.#mute();
    this.#end(error);
    this.#release();
    this.#native.terminate();
  }

  opened(): void {}

  shaken(): void {}

  received(bytes: Uint8Array): void {
    if (this.#receiver !== null) {
      this.#receiver.onData(bytes);
      if (bytes.byteLength >= FREED_BYTES) free(bytes);
    } else if (!this.#ending?.closing) this.#hold(bytes);
  }

  drained(): void {
    // Bun calls this unasked, too: after the handshake.
    if (!this.#queue) return;
    let done = 0;
    for (const bytes of this.#queue) {
      const left = bytes.byteLength - this.#offset;
      const written = this.#native.write(bytes, this.#offset, left);
      if (written < left) {
        this.#offset += Math.max(written, 0);
        break;
      }
      this.#offset = 0;
      done++;
    }
    this.#queue.splice(0, done);
    if (this.#queue.length > 0) return;
    this.#queue = undefined;
    if (this.#ending?.closing) this.#shutdown();
    else this.#tellDrain();
  }

  ended(): void {
    // After `close()`, what is written still goes out.
    if (this.#ending?.closing) return;
    if (this.#queue) {
      this.#toEnd.error = new SocketError("reset", "the peer hung up before all was written");
    }
    this.#toEnd.closing = true;
    this.#native.shutdown();
    this.#native.close();
  }

  failed(error: NativeError): void {
    if (isTlsError(error)) {
      this.#toEnd.closing = true;
      this.#toEnd.error = new SocketError("tls", explainAlert(error.message), { cause: error });
      return;
    }
    // What a sink throws comes here, too. The socket is not at fault.
    queueMicrotask(() => {
      throw error;
    });
  }

  closed(error?: NativeError): void {
    this.#release();
    this.#end(this.#ending?.error ?? socketError(error));
  }

  get #toEnd(): Ending {
    return this.#ending ??= new Ending();
  }

  #mute(): void {
    this.#receiver = null;
    this.#held = undefined;
    this.#paused = false;
  }

  // Reading stops meanwhile, so that unread bytes do not pile up.
  #hold(bytes: Uint8Array): void {
    (this.#held ??= []).push(bytes.slice());
    this.#native.pause();
  }

  #flow(): void {
    if (this.#receiver !== null) return;
    while (this.#held && !this.#paused) {
      const bytes = this.#held.shift()!;
      if (this.#held.length === 0) this.#held = undefined;
      this.#sink!.onData(bytes);
    }
    if (this.#ending?.ended) this.#tellClose();
    if (this.#ending?.closing || this.#held) return;
    this.#receiver = this.#sink;
    this.#tellDrain();
    if (!this.#paused) this.#native.resume();
  }

  #tellDrain(): void {
    if (!this.#drainDue || this.#queue || this.#sink === null) return;
    this.#drainDue = false;
    this.#sink.onDrain();
  }

  #shutdown(): void {
    this.#ending?.timer?.cancel();
    this.#native.unref();
    this.#toEnd.timer = systemClock.setTimer(() => this.#native.close(), this.#times.lingerMs);
    this.#end();
    this.#native.shutdown();
  }

  #giveUp(): void {
    this.destroy(new SocketError("timeout", "the peer did not take what was written"));
  }

  #release(): void {
    this.#toEnd.released = true;
    this.#ending?.timer?.cancel();
  }

  // Called one turn later, never from within a call of the owner.
  #end(error?: Error): void {
    if (this.#ending?.ended) return;
    this.#toEnd.ended = true;
    this.#toEnd.closing = true;
    this.#toEnd.error = error;
    this.#queue = undefined;
    queueMicrotask(() => this.#tellClose());
  }

  #tellClose(): void {
    if (this.#ending?.told || this.#sink === null || this.#held) return;
    this.#toEnd.told = true;
    this.#receiver = null;
    this.#sink.onClose(this.#ending?.error);
  }
}

/**
 * Frees the memory of a read, which Bun allocates for each. The collector would free it so late that
 * the allocator has given it back to the system by then, and each of its pages costs a fault again.
 */
function free(bytes: Uint8Array): void {
  const { buffer } = bytes;
  if (buffer instanceof ArrayBuffer && buffer.byteLength === bytes.byteLength) buffer.transfer(0);
}
