/**
 * One connection at the test origin.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import type { TLSSocket } from "node:tls";
import { type ClientHello, parseClientHello } from "./client_hello.ts";
import { serveHttp2 } from "./origin_h2.ts";
import { serveHttp } from "./origin_http.ts";
import { type ScriptedConnection, ScriptedOrigin } from "./origin_script.ts";
import type { Action, Behaviour, ConnectionReport, Ending } from "./origin_types.ts";
import { pattern } from "./pattern.ts";
import type { WireTap } from "./wire_tap.ts";

/** Keeps what is known of a connection, and does what it is told to. */
export class OriginConnection {
  readonly id: number;
  readonly address: string;
  readonly ended: Ending[] = [];
  readonly #goaways: number[] = [];
  readonly #changed: () => void;
  readonly #raw: Socket;
  #tap: WireTap | null = null;
  #tls: TLSSocket | null = null;
  #secured: ConnectionReport | null = null;
  #hello: ClientHello | null = null;
  #firstBytes: Uint8Array[] = [];
  #bytesReceived = 0;
  #requests = 0;
  #bytesSent = 0;
  #open = true;

  constructor(id: number, address: string, raw: Socket, changed: () => void) {
    this.id = id;
    this.address = address;
    this.#raw = raw;
    this.#changed = changed;
    raw.on("close", () => {
      this.#open = false;
      changed();
    });
    raw.on("error", () => {});
  }

  get hello(): ClientHello | null {
    return this.#hello;
  }

  get open(): boolean {
    return this.#open;
  }

  get secured(): boolean {
    return this.#secured !== null;
  }

  get bytesReceived(): number {
    return this.#bytesReceived;
  }

  get requests(): number {
    return this.#requests;
  }

  /** Says which tap its wire goes through. */
  tapped(tap: WireTap): void {
    this.#tap = tap;
  }

  /** Takes bytes off the wire, until they make a ClientHello. */
  heard(bytes: Uint8Array): void {
    if (this.#hello !== null) return;
    this.#firstBytes.push(bytes);
    this.#hello = parseClientHello(Buffer.concat(this.#firstBytes));
    if (this.#hello !== null) {
      this.#firstBytes = [];
      this.#changed();
    }
  }

  /** Notes how the client ended. */
  clientEnded(how: Ending): void {
    if (this.ended.includes(how)) return;
    this.ended.push(how);
    this.#changed();
  }

  /** Goes on after the handshake. */
  secure(tls: TLSSocket, clientCertificate: ConnectionReport["clientCertificate"]): void {
    this.#tls = tls;
    this.#secured = {
      ...this.report(),
      secured: true,
      sni: tls.servername || null,
      alpn: tls.alpnProtocol || null,
      version: tls.getProtocol(),
      cipher: tls.getCipher()?.name ?? null,
      resumed: tls.isSessionReused(),
      clientCertificate,
    };
    this.#changed();
  }

  /** Does with the application's bytes what the origin is for. */
  serve(
    behaviour: Behaviour,
    served: { serve(to: ScriptedConnection): (bytes: Uint8Array) => void } | null = null,
  ): void {
    const tls = this.#tls!;
    if (tls.alpnProtocol === "h2") {
      this.#serveHttp2(tls, served instanceof ScriptedOrigin ? served : undefined);
      return;
    }
    const onSent = (bytes: number) => {
      this.#bytesSent += bytes;
      this.#changed();
    };
    let take: (bytes: Buffer) => void = () => {};
    if (behaviour.kind === "echo") {
      take = (bytes) => {
        if (tls.write(bytes)) return;
        tls.pause();
        tls.once("drain", () => tls.resume());
      };
    } else if (served !== null) {
      take = served.serve({
        id: this.id,
        stream: tls,
        act: (action) => this.act(action),
        onRequest: () => void this.#requests++,
        onSent,
        changed: this.#changed,
      });
    } else if (behaviour.kind === "http") {
      take = serveHttp(tls, {
        address: this.address,
        sni: this.#secured!.sni,
        connection: this.id,
        onRequest: () => {
          this.#requests++;
          this.#changed();
          return this.#requests;
        },
      });
    } else if (behaviour.kind === "source") {
      pump(tls, behaviour.bytes, behaviour.end ?? false, onSent);
    }
    tls.on("data", (bytes: Buffer) => {
      this.#bytesReceived += bytes.length;
      this.#changed();
      take(bytes);
    });
  }

  #serveHttp2(tls: TLSSocket, scripted: ScriptedOrigin | undefined): void {
    serveHttp2(tls, {
      id: this.id,
      address: this.address,
      script: (path) => scripted?.next(path),
      onRequest: (record) => {
        scripted?.log.push(record);
        this.#requests++;
        this.#changed();
      },
      act: (action) => this.act(action),
      onGoaway: (lastId) => {
        this.#goaways.push(lastId);
        this.#changed();
      },
    });
  }

  /** See {@linkcode Action}. */
  act(action: Action): void {
    switch (action.kind) {
      case "send":
        this.#stream().write(Buffer.from(action.text, "latin1"));
        break;
      case "end":
        this.#stream().end();
        break;
      case "close_notify":
        this.#tap?.holdFin();
        this.#tls?.end();
        break;
      case "fin":
        this.#raw.end();
        break;
      case "reset":
        this.#raw.resetAndDestroy();
        break;
      case "pause":
      case "resume": {
        const paused = action.kind === "pause";
        if (this.#tap !== null) this.#tap.setPaused(paused);
        else if (paused) this.#tls?.pause();
        else this.#tls?.resume();
      }
    }
  }

  // In a handshake there is nothing to say that a client could make sense of.
  #stream(): Duplex {
    if (this.#tls !== null) return this.#tls;
    if (this.#tap === null) return this.#raw;
    throw new Error("The handshake is not done: wait for it first");
  }

  /** Lets go of the connection. */
  kill(): void {
    this.#tls?.destroy();
    this.#raw.destroy();
  }

  report(): ConnectionReport {
    return {
      secured: false,
      sni: null,
      alpn: null,
      version: null,
      cipher: null,
      resumed: false,
      clientCertificate: null,
      ...this.#secured,
      id: this.id,
      address: this.address,
      hello: this.#hello,
      bytesReceived: this.#bytesReceived,
      requests: this.#requests,
      bytesSent: this.#bytesSent,
      ended: [...this.ended],
      goaways: [...this.#goaways],
      open: this.#open,
    };
  }
}

function pump(
  stream: Duplex,
  bytes: number,
  end: boolean,
  onSent: (bytes: number) => void,
): void {
  let sent = 0;
  const more = () => {
    while (sent < bytes && !stream.destroyed) {
      const part = pattern(sent, Math.min(65_536, bytes - sent));
      sent += part.length;
      if (!stream.write(part, () => onSent(part.length)) && sent < bytes) return;
    }
    if (end && !stream.writableEnded) stream.end();
  };
  stream.on("drain", more);
  more();
}
