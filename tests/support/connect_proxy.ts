/**
 * An HTTP proxy of the tests' own, that does as it is told: CONNECT, and absolute URLs.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { once } from "node:events";
import net from "node:net";
import tls from "node:tls";
import type { Credentials } from "./pki.ts";

/** How a proxy behaves. */
export interface ConnectProxyOptions {
  /** What it sends for an answer, once it has been asked; it opens no way then. */
  readonly answer?: string;
  /** Whether it hangs up when it has been asked. */
  readonly hangsUp?: boolean;
  /** Whether it says nothing after its `answer`, if it has one, and leaves the connection open. */
  readonly silent?: boolean;
  /** The value of Proxy-Authorization that it wants. */
  readonly authorization?: string;
  /** Its certificate, where it speaks TLS. */
  readonly credentials?: Credentials;
  /** @default {a free one} */
  readonly port?: number;
  /** Whether it lets the program end that it runs in. */
  readonly unref?: boolean;
  /** In how many pieces its answer comes. @default {1} */
  readonly pieces?: number;
}

/** A running proxy. */
export interface ConnectProxy extends AsyncDisposable {
  readonly port: number;
  /** The first lines of what it was asked. */
  readonly asked: string[];
  /** How many connections are open. */
  readonly open: number;
}

/** Starts a proxy on 127.0.0.1. */
export async function startConnectProxy(options: ConnectProxyOptions = {}): Promise<ConnectProxy> {
  const asked: string[] = [];
  const sockets = new Set<net.Socket>();
  const keep = (socket: net.Socket) => {
    sockets.add(socket);
    if (options.unref) socket.unref();
    socket.on("error", () => socket.destroy());
    socket.on("close", () => sockets.delete(socket));
  };

  function serve(socket: net.Socket): void {
    keep(socket);
    let head = "";
    const onData = (bytes: Uint8Array) => {
      head += Buffer.from(bytes).toString("latin1");
      const end = head.indexOf("\r\n\r\n");
      if (end < 0) return;
      socket.off("data", onData);
      const [line = ""] = head.split("\r\n");
      asked.push(line);
      if (options.silent) {
        if (options.answer !== undefined) socket.write(options.answer, "latin1");
        socket.on("end", () => socket.end()).resume();
        return;
      }
      if (options.hangsUp) {
        socket.end();
        return;
      }
      if (options.answer !== undefined) {
        socket.end(options.answer, "latin1");
        return;
      }
      const authorization = /^proxy-authorization: (.*)$/mi.exec(head.slice(0, end))?.[1]?.trim();
      if (options.authorization !== undefined && authorization !== options.authorization) {
        socket.end(
          "HTTP/1.1 407 Proxy Authentication Required\r\n"
            + "proxy-authenticate: Basic realm=\"x\"\r\ncontent-length: 0\r\n\r\n",
        );
        return;
      }
      const [method, target = ""] = line.split(" ");
      if (method === "CONNECT") connect(socket, new URL(`tcp://${target}`), "");
      else {
        const url = new URL(target);
        const rest = head.replace(target, url.pathname + url.search)
          .replace(/^proxy-authorization: .*\r\n/mi, "");
        connect(socket, url, rest);
      }
    };
    socket.on("data", onData);
  }

  function connect(socket: net.Socket, { hostname, port }: URL, first: string): void {
    const upstream = net.connect({
      port: Number(port || 80),
      host: hostname.replace(/^\[|\]$/g, ""),
      allowHalfOpen: true,
    });
    keep(upstream);
    let isOpen = false;
    upstream.on("connect", () => {
      isOpen = true;
      if (first !== "") upstream.write(first, "latin1");
      else answer(socket);
      upstream.pipe(socket);
      socket.pipe(upstream);
    });
    // What ends in disorder at one end does so at the other.
    upstream.on("error", () => {
      if (isOpen) reset(socket);
      else socket.end("HTTP/1.1 502 Bad Gateway\r\n\r\n");
    });
    upstream.on("close", (failed) => failed || letGo(socket));
    socket.on("error", () => upstream.destroy());
    socket.on("close", () => letGo(upstream));
  }

  function answer(socket: net.Socket): void {
    const text = "HTTP/1.1 200 Connection established\r\nproxy-agent: test\r\n\r\n";
    const size = Math.ceil(text.length / (options.pieces ?? 1));
    for (let at = 0; at < text.length; at += size) {
      socket.write(text.slice(at, at + size), "latin1");
    }
  }

  const server = options.credentials
    ? tls.createServer(options.credentials, serve)
    : net.createServer({ allowHalfOpen: true }, serve);
  server.on("tlsClientError", () => {});
  server.listen(options.port ?? 0, "127.0.0.1");
  await once(server, "listening");
  if (options.unref) server.unref();
  return {
    port: (server.address() as net.AddressInfo).port,
    asked,
    get open() {
      return sockets.size;
    },
    async [Symbol.asyncDispose]() {
      if (!server.listening) return;
      for (const socket of sockets) socket.destroy();
      const closed = once(server, "close");
      server.close();
      await closed;
    },
  };
}

/** Lets go at once; with RST, where there is no TLS. */
function reset(socket: net.Socket): void {
  if (socket instanceof tls.TLSSocket) socket.destroy();
  else socket.resetAndDestroy();
}

/** Lets go when all is written, or after a while: the other end may take nothing. */
function letGo(socket: net.Socket): void {
  socket.destroySoon();
  setTimeout(() => socket.destroy(), 2_000).unref();
}
