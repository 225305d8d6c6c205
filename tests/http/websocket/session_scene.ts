/**
 * A session over a socket without a network, whose user sends back each message.
 *
 * @module
 */

import { type MemorySocket, memorySocket } from "../../../adapters/memory.ts";
import { joinBytes } from "../../../src/core/bytes.ts";
import { ManualClock } from "../../../src/core/clock.ts";
import type { MessageCompression } from "../../../src/http/websocket/compression.ts";
import {
  checkTerms,
  type WebSocketOptions,
} from "../../../src/http/websocket/web_socket_options.ts";
import {
  type SocketEnd,
  WebSocketSession,
} from "../../../src/http/websocket/web_socket_session.ts";
import { Connection } from "../../../src/map/connection.ts";
import { Lease } from "../../../src/pool/lease/lease.ts";
import { type ClientFrame, readFrames } from "./server_frames.ts";

const NAMES: { readonly [opcode: number]: string } = {
  1: "text",
  2: "binary",
  8: "close",
  9: "ping",
  10: "pong",
};

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** See the module. */
export class SessionScene {
  readonly clock: ManualClock = new ManualClock();
  readonly socket: MemorySocket = memorySocket();
  readonly lease: Lease;
  readonly session: WebSocketSession;
  /** What the user heard, in order. */
  readonly heard: (string | Uint8Array)[] = [];
  end: SocketEnd | undefined;

  constructor(options: WebSocketOptions = {}, echoes = true, compression?: MessageCompression) {
    const { clock, socket } = this;
    const connection = new Connection({ host: "a.test", address: "192.0.2.1", socket, clock });
    connection.beginLease(clock.now());
    this.lease = new Lease(connection, clock.now(), 0, () => connection.close());
    const hear = (message: string | Uint8Array) => {
      this.heard.push(message);
      if (echoes) this.session.send(message);
    };
    this.session = new WebSocketSession(clock, this.lease, checkTerms(options), {
      onText: hear,
      onBinary: hear,
      onClosing: () => {},
      onEnd: (end) => {
        if (this.end) throw new Error("It ended twice");
        this.end = end;
      },
    }, compression);
    this.lease.attach(this.session);
  }

  /** Lets the server send bytes, in pieces that are changed when they were read. */
  receive(bytes: Uint8Array, cuts: readonly number[] = []): void {
    let at = 0;
    for (const cut of [...cuts, bytes.length]) {
      if (at >= bytes.length) break;
      const piece = bytes.slice(at, at + cut);
      this.socket.receive(piece);
      piece.fill(0xee);
      at += cut;
    }
  }

  /** The frames that were sent. */
  get frames(): ClientFrame[] {
    return readFrames(joinBytes(this.socket.written));
  }

  /** The frames that were sent, as text: `text hello`, `pong 00ff`, `close 1000 bye`. */
  get said(): string[] {
    return this.frames.map(({ fin, opcode, payload, rsv }) => {
      if (!fin || rsv !== 0) throw new Error("A frame is not what was agreed upon");
      const name = NAMES[opcode] ?? `${opcode}`;
      if (opcode === 1) return `${name} ${decoder.decode(payload)}`;
      if (opcode === 8 && payload.length >= 2) {
        return `${name} ${payload[0]! * 256 + payload[1]!}`;
      }
      const digits = Array.from(payload, (byte) => byte.toString(16).padStart(2, "0")).join("");
      return digits === "" ? name : `${name} ${digits}`;
    });
  }
}
