/**
 * The floor: each runtime's own sockets, one request in flight on each, and no more parsing than
 * it takes to find the end of a response.
 *
 * @module
 */

import tls from "node:tls";
import type { BenchTarget, Client, OpenClient, Stop } from "./client.ts";

const ZERO = 0x30;
const encoder = new TextEncoder();
const CONTENT_LENGTH = encoder.encode("\r\nContent-Length: ");

/** Counts a response's bytes down, and nothing else. */
export class Countdown {
  readonly #bodyBytes: number;
  #left = 0;

  /** Makes one for responses with bodies of so many bytes. */
  constructor(bodyBytes: number) {
    this.#bodyBytes = bodyBytes;
  }

  /** Takes bytes; says whether the response is over. */
  take(bytes: Uint8Array): boolean {
    if (this.#left === 0) this.#left = responseLength(bytes, this.#bodyBytes);
    this.#left -= bytes.length;
    return this.#left === 0;
  }
}

/** The length of a response whose head is in `bytes`: nginx sends a head in one piece. */
function responseLength(bytes: Uint8Array, bodyBytes: number): number {
  let length = -1;
  for (let i = 0; i < bytes.length - 3; i++) {
    if (bytes[i] !== 0x0d) continue;
    if (bytes[i + 2] === 0x0d) {
      if (length !== bodyBytes) throw new Error(`A body of ${length} bytes, not ${bodyBytes}`);
      return i + 4 + length;
    }
    if (length >= 0 || bytes[i + 10] !== CONTENT_LENGTH[10]) continue;
    if (CONTENT_LENGTH.some((byte, at) => bytes[i + at] !== byte)) continue;
    length = 0;
    for (let at = i + CONTENT_LENGTH.length; bytes[at] !== 0x0d; at++) {
      length = length * 10 + bytes[at]! - ZERO;
    }
  }
  throw new Error("The head of a response came in pieces");
}

/** One connection. */
export interface Lane {
  /** Writes bytes: the request, where they are left out. */
  write(bytes?: Uint8Array): void;
  end(): void;
}

/** What lanes report to. */
export interface Lanes {
  /** Takes bytes of a lane. */
  received(index: number, bytes: Uint8Array): void;
  /** A lane has broken. */
  failed(error: unknown): void;
}

export type OpenLane = (
  target: BenchTarget,
  request: Uint8Array,
  index: number,
  lanes: Lanes,
) => Promise<Lane>;

async function openLanes(
  openLane: OpenLane,
  target: BenchTarget,
  path: string,
  bodyBytes: number,
  connections: number,
): Promise<Client> {
  const request = encoder.encode(`GET ${path} HTTP/1.1\r\nhost: ${target.host}\r\n\r\n`);
  const countdowns = Array.from({ length: connections }, () => new Countdown(bodyBytes));
  let count = 0;
  let running = 0;
  let stop: Stop = { now: true };
  let settle: { done(count: number): void; failed(error: unknown): void } | undefined;
  const lanes: Lanes = {
    received(index, bytes) {
      try {
        if (!countdowns[index]!.take(bytes)) return;
      } catch (error) {
        settle?.failed(error);
        return;
      }
      count++;
      if (!stop.now) opened[index]!.write();
      else if (--running === 0) settle?.done(count);
    },
    failed: (error) => settle?.failed(error),
  };
  const opened = await Promise.all(
    countdowns.map((_, index) => openLane(target, request, index, lanes)),
  );
  return {
    run(until) {
      stop = until;
      count = 0;
      running = connections;
      return new Promise((done, failed) => {
        settle = { done, failed };
        for (const lane of opened) lane.write();
      });
    },
    close: () => opened.forEach((lane) => lane.end()),
  };
}

const nodeBuffer = new Uint8Array(65_536);

/** Over `node:tls`, read into one buffer. */
export const openNode: OpenLane = (target, request, index, lanes) =>
  new Promise((resolve, reject) => {
    const options: tls.ConnectionOptions & { onread: object } = {
      host: target.ip,
      port: target.port,
      servername: target.host,
      ca: target.ca,
      ...target.alpn && { ALPNProtocols: [...target.alpn] },
      onread: {
        buffer: nodeBuffer,
        callback: (length: number, buffer: Uint8Array) => {
          lanes.received(index, buffer.subarray(0, length));
          return true;
        },
      },
    };
    const socket = tls.connect(options);
    socket.setNoDelay(true);
    socket.once("error", reject);
    socket.once("secureConnect", () => {
      socket.off("error", reject);
      socket.on("error", lanes.failed);
      resolve({
        write: (bytes = request) => void socket.write(bytes),
        end: () => void socket.end(),
      });
    });
  });

/** What this file uses of Deno. */
interface DenoTls {
  connect(options: object): Promise<{ setNoDelay(): void }>;
  startTls(conn: unknown, options: object): Promise<DenoConn>;
}
interface DenoConn {
  handshake(): Promise<unknown>;
  read(buffer: Uint8Array): Promise<number | null>;
  write(bytes: Uint8Array): Promise<number>;
  close(): void;
}

/** Over `Deno.startTls`. */
export const openDeno: OpenLane = async (target, request, index, lanes) => {
  const { Deno } = globalThis as unknown as { Deno: DenoTls };
  const { ca, host, port } = target;
  // Deno.connectTls would leave Nagle's algorithm on.
  const tcp = await Deno.connect({ hostname: host, port });
  tcp.setNoDelay();
  const conn = await Deno.startTls(tcp, {
    hostname: host,
    caCerts: [ca],
    ...target.alpn && { alpnProtocols: [...target.alpn] },
  });
  await conn.handshake();
  let ended = false;
  async function read(): Promise<void> {
    const buffer = new Uint8Array(65_536);
    for (;;) {
      const length = await conn.read(buffer);
      if (length === null) return;
      lanes.received(index, buffer.subarray(0, length));
    }
  }
  read().catch((error) => ended || lanes.failed(error));
  return {
    write: (bytes = request) => void conn.write(bytes),
    end() {
      ended = true;
      conn.close();
    },
  };
};

/** Protocols as they stand in the ClientHello, which is how Bun takes them. */
function wireForm(protocols: readonly string[]): Uint8Array {
  return encoder.encode(
    protocols.map((name) => String.fromCharCode(name.length) + name).join(""),
  );
}

/** What this file uses of Bun. */
interface BunTls {
  connect(options: object): Promise<BunConn>;
}
interface BunConn {
  write(bytes: Uint8Array): number;
  end(): void;
}

/** Over `Bun.connect`. */
export const openBun: OpenLane = async (target, request, index, lanes) => {
  const { Bun } = globalThis as unknown as { Bun: BunTls };
  const { ca, host, ip, port } = target;
  let ready = () => {};
  const shaken = new Promise<void>((resolve) => ready = resolve);
  const socket = await Bun.connect({
    hostname: ip,
    port,
    tls: { ca, serverName: host, ...target.alpn && { ALPNProtocols: wireForm(target.alpn) } },
    socket: {
      handshake: () => ready(),
      data: (_socket: unknown, bytes: Uint8Array) => lanes.received(index, bytes),
      error: (_socket: unknown, error: unknown) => lanes.failed(error),
    },
  });
  await shaken;
  return { write: (bytes = request) => void socket.write(bytes), end: () => socket.end() };
};

function floor(openLane: OpenLane): OpenClient {
  return (target, path, bodyBytes, connections) =>
    openLanes(openLane, target, path, bodyBytes, connections);
}

/** `node:tls`, read into one buffer. */
export const nodeFloor: OpenClient = floor(openNode);
/** `Deno.startTls`. */
export const denoFloor: OpenClient = floor(openDeno);
/** `Bun.connect`. */
export const bunFloor: OpenClient = floor(openBun);
