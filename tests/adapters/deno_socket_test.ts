import { assertEquals, assertInstanceOf } from "@std/assert";
import test from "node:test";
import type { DenoTlsConn } from "../../adapters/deno/deno_api.ts";
import { DenoSocket } from "../../adapters/deno/deno_socket.ts";
import { SocketError } from "../../src/core/errors.ts";

const addr = { hostname: "192.0.2.1", port: 443 };

/** A connection that takes at most so many bytes a write, and reads what it is told to. */
class FakeConn implements DenoTlsConn {
  readonly localAddr = addr;
  readonly remoteAddr = addr;
  readonly calls: string[] = [];
  readonly taken: number[] = [];
  maxWrite = Infinity;
  failWrites = false;
  #inbox: (Uint8Array | null | Error)[] = [];
  #arrived = () => {};
  #closed = false;

  arrive(...what: (Uint8Array | null | Error)[]): void {
    this.#inbox.push(...what);
    this.#arrived();
  }

  handshake(): Promise<{ alpnProtocol: null }> {
    return Promise.resolve({ alpnProtocol: null });
  }

  async read(buffer: Uint8Array): Promise<number | null> {
    for (;;) {
      if (this.#closed) throw new Error("operation canceled");
      const next = this.#inbox.shift();
      if (next instanceof Error) throw next;
      if (next === null) return null;
      if (next !== undefined) {
        buffer.set(next);
        return next.length;
      }
      await new Promise<void>((resolve) => this.#arrived = resolve);
    }
  }

  async write(bytes: Uint8Array): Promise<number> {
    this.calls.push(`write ${bytes.length}`);
    const length = Math.min(bytes.length, this.maxWrite);
    await Promise.resolve();
    if (this.failWrites) throw Object.assign(new Error("broken pipe"), { code: "EPIPE" });
    this.taken.push(...bytes.subarray(0, length));
    return length;
  }

  closeWrite(): Promise<void> {
    this.calls.push("closeWrite");
    return Promise.resolve();
  }

  close(): void {
    this.calls.push("close");
    this.#closed = true;
    this.#arrived();
  }

  ref(): void {
    this.calls.push("ref");
  }

  unref(): void {
    this.calls.push("unref");
  }
}

function setUp(options: { readonly highWaterMarkBytes?: number; readonly lingerMs?: number } = {}) {
  const conn = new FakeConn();
  const socket = new DenoSocket(conn, { alpn: null, tcpMs: 0, tlsMs: 0 }, {
    highWaterMarkBytes: 65_536,
    lingerMs: 1_000,
    ...options,
  });
  const events: string[] = [];
  let resolve: (error: Error | undefined) => void;
  const closed = new Promise<Error | undefined>((settle) => resolve = settle);
  const sink = {
    onData: (bytes: Uint8Array) => void events.push(`data ${[...bytes].join(" ")}`),
    onDrain: () => void events.push("drain"),
    onClose: (error?: Error) => {
      events.push("close");
      resolve(error);
    },
  };
  return { conn, socket, sink, events, closed };
}

const turn = () => new Promise((resolve) => setTimeout(resolve, 0));

test("trap 23: what the runtime writes short follows in order, before what was written later", async () => {
  const { conn, socket, sink } = setUp();
  socket.attach(sink);
  conn.maxWrite = 3;
  socket.write(Uint8Array.of(1, 2, 3, 4, 5, 6, 7));
  socket.write(Uint8Array.of(8));
  socket.write(Uint8Array.of(9, 10, 11));
  await turn();
  assertEquals(conn.taken, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
  socket.destroy();
});

test("a socket joins small writes that wait into one, and leaves big ones alone", async () => {
  const { conn, socket, sink } = setUp();
  socket.attach(sink);
  for (const length of [1, 10, 20, 30, 16_384, 40, 50]) socket.write(new Uint8Array(length));
  await turn();
  assertEquals(conn.calls, ["write 1", "write 60", "write 16384", "write 90"]);
  socket.destroy();
});

test("a socket asks to wait above its high-water mark, and drains once all is written", async () => {
  const { socket, sink, events } = setUp({ highWaterMarkBytes: 10 });
  socket.attach(sink);
  assertEquals(socket.write(new Uint8Array(10)), true);
  assertEquals(socket.write(new Uint8Array(1)), false);
  assertEquals(socket.write(new Uint8Array(1)), false);
  await turn();
  assertEquals(events, ["drain"]);
  assertEquals(socket.write(new Uint8Array(1)), true);
  await turn();
  assertEquals(events, ["drain"]);
  socket.destroy();
});

test("a socket delivers what the peer said before it refused a write", async () => {
  const { conn, socket, sink, events, closed } = setUp();
  socket.attach(sink);
  conn.failWrites = true;
  socket.write(Uint8Array.of(1));
  await turn();
  assertEquals(socket.write(Uint8Array.of(2)), false);
  conn.arrive(Uint8Array.of(4, 1, 3), new Error("broken"));
  const error = await closed;
  assertInstanceOf(error, SocketError);
  assertEquals(error.failure, "reset");
  assertEquals(events, ["data 4 1 3", "close"]);
});

test("a socket whose write failed ends although the peer says nothing more", async () => {
  const { conn, socket, sink, closed } = setUp({ lingerMs: 1 });
  socket.attach(sink);
  conn.failWrites = true;
  socket.write(Uint8Array.of(1));
  // A real connection keeps the program alive; the timer that ends this one does not.
  const alive = setTimeout(() => {}, 4_000);
  const error = await closed;
  clearTimeout(alive);
  assertInstanceOf(error, SocketError);
  assertEquals(error.failure, "reset");
});

test("a socket still writes what it was given when the peer ends first", async () => {
  const { conn, socket, sink, closed } = setUp();
  socket.attach(sink);
  conn.maxWrite = 1;
  socket.write(Uint8Array.of(1, 2, 3));
  socket.write(Uint8Array.of(4));
  conn.arrive(null);
  assertEquals(await closed, undefined);
  assertEquals(conn.taken, [1, 2, 3, 4]);
  assertEquals(conn.calls.at(-1), "close");
});

test("close() writes what is queued, sends FIN, reports, and lets go when the peer ends", async () => {
  const { conn, socket, sink, events, closed } = setUp();
  socket.attach(sink);
  socket.write(Uint8Array.of(1));
  socket.write(Uint8Array.of(2));
  socket.close();
  socket.close();
  assertEquals(socket.write(Uint8Array.of(3)), false);
  conn.arrive(Uint8Array.of(9));
  assertEquals(await closed, undefined);
  assertEquals(conn.calls, ["write 1", "write 1", "closeWrite", "unref"]);
  conn.arrive(null);
  await turn();
  assertEquals(conn.calls.at(-1), "close");
  socket.destroy(new Error("late"));
  await turn();
  assertEquals(events, ["close"]);
});

test("a paused socket holds what was being read until it is resumed", async () => {
  const { conn, socket, sink, events } = setUp();
  socket.attach(sink);
  socket.pause();
  conn.arrive(Uint8Array.of(1));
  await turn();
  assertEquals(events, []);
  socket.resume();
  assertEquals(events, []);
  await turn();
  assertEquals(events, ["data 1"]);
  socket.destroy();
});

test("a socket reports what happened before attach() after it, on a later turn", async () => {
  const { conn, socket, sink, events, closed } = setUp();
  conn.arrive(Uint8Array.of(1), new Error("gone"));
  await turn();
  socket.attach(sink);
  assertEquals(events, []);
  assertInstanceOf(await closed, SocketError);
  assertEquals(events, ["data 1", "close"]);
});

test("a socket whose receiver throws ends with what it threw", async () => {
  const { conn, socket, sink, closed } = setUp();
  const thrown = new TypeError("oops");
  socket.attach({
    ...sink,
    onData: () => {
      throw thrown;
    },
  });
  conn.arrive(Uint8Array.of(1));
  assertEquals((await closed)?.cause, thrown);
});
