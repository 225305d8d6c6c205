/**
 * The floor of HTTP/2: bare frames over each runtime's own sockets, the same header block for each
 * request, and no more reading than it takes to count the ends of streams.
 *
 * @module
 */

import type { BenchTarget, Client, OpenClient, Stop } from "./client.ts";
import { type Lane, openBun, openDeno, type OpenLane, openNode } from "./floor.ts";

const encoder = new TextEncoder();
const HEADER = 9;
const WINDOW = 0x7fff_0000;

function frame(type: number, flags: number, id: number, payload: readonly number[]): number[] {
  const { length } = payload;
  return [length >> 16, length >> 8, length, type, flags, id >>> 24, id >> 16, id >> 8, id]
    .map((byte) => byte & 0xff).concat(payload);
}

const word = (value: number) => [value >>> 24, value >> 16 & 255, value >> 8 & 255, value & 255];
const text = (value: string) => [value.length, ...encoder.encode(value)];

/** One connection, and what is under way on it. */
class FrameLane {
  lane: Lane | undefined;
  readonly #block: readonly number[];
  readonly #done: (lane: FrameLane, count: number) => void;
  #id = -1;
  #left = new Uint8Array(0);
  #received = 0;

  constructor({ host, port }: BenchTarget, path: string, done: FrameLane["done"]) {
    this.#block = [0x82, 0x87, 0x04, ...text(path), 0x01, ...text(`${host}:${port}`)];
    this.#done = done;
  }

  get done(): (lane: FrameLane, count: number) => void {
    return this.#done;
  }

  begin(): void {
    const settings = frame(4, 0, 0, [0, 2, 0, 0, 0, 0, 0, 4, ...word(WINDOW)]);
    const preface = encoder.encode("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    this.lane!.write(Uint8Array.from([...preface, ...settings, ...frame(8, 0, 0, word(WINDOW))]));
  }

  /** Makes so many requests, in one write. */
  ask(count: number): void {
    const length = HEADER + this.#block.length;
    const bytes = new Uint8Array(count * length);
    for (let at = 0; at < bytes.length; at += length) {
      this.#id += 2;
      bytes[at + 2] = this.#block.length;
      bytes[at + 3] = 1;
      bytes[at + 4] = 5;
      bytes[at + 5] = this.#id >>> 24;
      bytes[at + 6] = this.#id >>> 16;
      bytes[at + 7] = this.#id >>> 8;
      bytes[at + 8] = this.#id;
      bytes.set(this.#block, at + HEADER);
    }
    this.lane!.write(bytes);
  }

  take(chunk: Uint8Array): void {
    let bytes = chunk;
    if (this.#left.length > 0) {
      bytes = new Uint8Array(this.#left.length + chunk.length);
      bytes.set(this.#left);
      bytes.set(chunk, this.#left.length);
    }
    let ends = 0;
    let at = 0;
    while (at + HEADER <= bytes.length) {
      const length = bytes[at]! << 16 | bytes[at + 1]! << 8 | bytes[at + 2]!;
      if (at + HEADER + length > bytes.length) break;
      const type = bytes[at + 3]!;
      const flags = bytes[at + 4]!;
      if (type === 0) this.#received += length;
      if (type <= 1 && (flags & 1) !== 0) ends++;
      else if (type === 4 && (flags & 1) === 0) {
        this.lane!.write(Uint8Array.from(frame(4, 1, 0, [])));
      } else if (type === 3 || type === 7) throw new Error("The server has ended a stream");
      at += HEADER + length;
    }
    this.#left = at < bytes.length ? bytes.slice(at) : new Uint8Array(0);
    if (this.#received > WINDOW / 2) {
      this.lane!.write(Uint8Array.from(frame(8, 0, 0, word(this.#received))));
      this.#received = 0;
    }
    if (ends > 0) this.#done(this, ends);
  }
}

function floor(openLane: OpenLane): OpenClient {
  return async (target, path, _bodyBytes, connections, callers): Promise<Client> => {
    let count = 0;
    let running = 0;
    let stop: Stop = { now: true };
    let settle: { done(count: number): void; failed(error: unknown): void } | undefined;
    const done = (lane: FrameLane, ends: number) => {
      count += ends;
      if (!stop.now) lane.ask(ends);
      else if ((running -= ends) === 0) settle?.done(count);
    };
    const lanes = Array.from({ length: connections }, () => new FrameLane(target, path, done));
    const secured = { ...target, alpn: ["h2"] };
    await Promise.all(lanes.map(async (lane, index) => {
      lane.lane = await openLane(secured, new Uint8Array(0), index, {
        received(_index, bytes) {
          try {
            lane.take(bytes);
          } catch (error) {
            settle?.failed(error);
          }
        },
        failed: (error) => settle?.failed(error),
      });
      lane.begin();
    }));
    return {
      run(until) {
        stop = until;
        count = 0;
        running = callers;
        return new Promise((done, failed) => {
          settle = { done, failed };
          lanes.forEach((lane, index) => {
            const share = Math.ceil((callers - index) / connections);
            if (share > 0) lane.ask(share);
          });
        });
      },
      close: () => lanes.forEach(({ lane }) => lane?.end()),
    };
  };
}

/** Over `node:tls`. */
export const nodeFrames: OpenClient = floor(openNode);
/** Over `Deno.startTls`. */
export const denoFrames: OpenClient = floor(openDeno);
/** Over `Bun.connect`. */
export const bunFrames: OpenClient = floor(openBun);
