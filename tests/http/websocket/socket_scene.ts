/**
 * A pool on a manual clock, whose machines speak WebSocket without a network.
 *
 * @module
 */

import { createHash } from "node:crypto";
import { createPool } from "../../../adapters/detect.ts";
import { type MemoryDial, memoryDialer, type MemorySocket } from "../../../adapters/memory.ts";
import { joinBytes } from "../../../src/core/bytes.ts";
import { ManualClock } from "../../../src/core/clock.ts";
import type { DialTarget } from "../../../src/core/dialer.ts";
import { staticResolver } from "../../../src/hosts/resolver.ts";
import type { HttpPoolOptions } from "../../../src/http/http_options.ts";
import type { HttpPool } from "../../../src/http/http_pool.ts";
import type { PooledWebSocket } from "../../../src/http/websocket/pooled_web_socket.ts";
import { type ClientFrame, readFrames } from "./server_frames.ts";

/** The value of Sec-WebSocket-Accept for a key. */
export function acceptOf(key: string): string {
  const text = `${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`;
  return createHash("sha1").update(text).digest("base64");
}

/** The answer to a handshake that agrees to it, with fields of one's own. */
export function agreement(head: string, fields: { readonly [name: string]: string } = {}): string {
  const all = {
    upgrade: "websocket",
    connection: "Upgrade",
    "sec-websocket-accept": acceptOf(fieldOf(head, "sec-websocket-key")),
    ...fields,
  };
  const lines = Object.entries(all).filter(([, value]) => value !== "")
    .map(([name, value]) => `${name}: ${value}\r\n`);
  return `HTTP/1.1 101 Switching Protocols\r\n${lines.join("")}\r\n`;
}

/** A field of a request's head, or an empty text. */
export function fieldOf(head: string, name: string): string {
  return new RegExp(`^${name}: (.*)\r$`, "im").exec(head)?.[1] ?? "";
}

/** One connection, as its server sees it. */
export interface Machine {
  readonly ip: string;
  readonly socket: MemorySocket;
  /** The head of the handshake. */
  readonly head: string;
  /** What came after it. */
  readonly frames: ClientFrame[];
  send(...frames: readonly Uint8Array[]): void;
}

/** A pool, and the machines that it has asked. */
export interface SocketScene extends AsyncDisposable {
  readonly pool: HttpPool;
  readonly clock: ManualClock;
  readonly machines: Machine[];
  /** Opens a WebSocket to a.test, and gives it with its machine. */
  open(
    options?: Parameters<HttpPool["webSocket"]>[1],
  ): Promise<{ readonly socket: PooledWebSocket; readonly machine: Machine }>;
}

/** How machines behave: what they answer to a handshake, nothing being silence. */
export interface SceneOptions {
  readonly answer?: (head: string, ip: string) => string | null;
  readonly dial?: (target: DialTarget) => MemoryDial;
  readonly pool?: Partial<HttpPoolOptions>;
}

/** See the module. */
export function socketScene(options: SceneOptions = {}): SocketScene {
  const { answer = (head) => agreement(head), dial = () => ({}) } = options;
  const clock = new ManualClock();
  const machines: Machine[] = [];
  const dialer = memoryDialer({
    clock,
    script: (target) => ({ ...dial(target), socket: { onWrite: serve(target.ip) } }),
  });
  function serve(ip: string) {
    let head = "";
    let isOpen = false;
    const written: Uint8Array[] = [];
    return (socket: MemorySocket, bytes: Uint8Array) => {
      if (isOpen) {
        written.push(bytes);
        return;
      }
      for (const byte of bytes) head += String.fromCharCode(byte);
      if (!head.endsWith("\r\n\r\n")) return;
      isOpen = true;
      const machine: Machine = {
        ip,
        socket,
        head,
        get frames() {
          return readFrames(joinBytes(written));
        },
        send: (...frames) => frames.forEach((frame) => socket.receive(frame)),
      };
      machines.push(machine);
      queueMicrotask(() => {
        const text = answer(head, ip);
        if (text !== null) socket.receive(new TextEncoder().encode(text));
      });
    };
  }
  const pool = createPool({
    resolver: staticResolver({ "a.test": ["192.0.2.1", "192.0.2.2"] }),
    balancer: "roundRobin",
    ...options.pool,
    dialer,
    plainDialer: dialer,
    clock,
  });
  return {
    pool,
    clock,
    machines,
    async open(options = {}) {
      const socket = pool.webSocket("wss://a.test/", options);
      await socket.opened;
      return { socket, machine: machines.at(-1)! };
    },
    async [Symbol.asyncDispose]() {
      pool.manager.checkInvariants();
      await pool.close({ graceMs: 0 });
      if (dialer.sockets.size > 0) throw new Error(`${dialer.sockets.size} sockets were left open`);
      if (clock.timers > 0) throw new Error(`${clock.timers} timers were left set`);
    },
  };
}

/** Waits for an event. */
export function next<Name extends "open" | "message" | "error" | "close">(
  socket: PooledWebSocket,
  name: Name,
): Promise<Event & { [field: string]: unknown }> {
  return new Promise((resolve) => {
    socket.addEventListener(name, (event) => resolve(event as never), { once: true });
  });
}
