/**
 * A TLS server to dial in tests and demos, which tells what it sees of its clients.
 *
 * With `inspect` (Node only) TLS runs over a {@linkcode WireTap}, so that the report knows every
 * ClientHello, close_notify, FIN and RST. Without, it is a plain server, which every runtime runs;
 * then the actions `fin`, `close_notify` and `reset` are not to be relied on.
 *
 * @module
 */

import { randomBytes, X509Certificate } from "node:crypto";
import net from "node:net";
import tls from "node:tls";
import { OriginConnection } from "./origin_connection.ts";
import { ScriptedOrigin } from "./origin_script.ts";
import { StaleOrigin } from "./origin_stale.ts";
import type {
  Action,
  Behaviour,
  Condition,
  ConnectionReport,
  Origin,
  OriginOptions,
  OriginReport,
} from "./origin_types.ts";
import { WireTap } from "./wire_tap.ts";

export type * from "./origin_types.ts";

/** Starts an origin. */
export async function startOrigin(
  options: OriginOptions & { readonly inspect?: boolean } = {},
): Promise<Origin> {
  const origin = new LocalOrigin(options);
  await origin.start();
  return origin;
}

const BUSY = {
  "*": [
    { wait: "body" },
    { send: "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 4\r\n\r\nbusy" },
  ],
} as const;

interface Waiter {
  readonly condition: Condition;
  readonly resolve: (report: OriginReport) => void;
}

class LocalOrigin implements Origin {
  readonly addresses: readonly string[];
  readonly #options: OriginOptions;
  readonly #behaviour: Behaviour;
  readonly #inspect: boolean;
  readonly #contexts: ReadonlyMap<string, tls.SecureContext>;
  readonly #waiters = new Set<Waiter>();
  readonly #connections: OriginConnection[] = [];
  readonly #handshakeErrors: string[] = [];
  readonly #served: ScriptedOrigin | StaleOrigin | null;
  #servers: net.Server[] = [];
  #port: number;

  constructor(options: OriginOptions & { readonly inspect?: boolean }) {
    this.#options = options;
    this.#behaviour = options.behaviour ?? { kind: "http" };
    this.#served = this.#behaviour.kind === "script"
      ? new ScriptedOrigin(this.#behaviour.scripts)
      : this.#behaviour.kind === "stale"
      ? new StaleOrigin(this.#behaviour)
      : null;
    this.#inspect = options.inspect ?? false;
    this.addresses = options.addresses ?? ["127.0.0.1"];
    this.#port = options.port ?? 0;
    this.#contexts = createContexts(options);
  }

  get port(): number {
    return this.#port;
  }

  async start(): Promise<void> {
    // A port that is free on one address may be taken on the next: then another one is tried.
    for (let tries = 1;; tries++) {
      const wanted = this.#port;
      try {
        for (const address of this.addresses) await this.#listen(address);
        return;
      } catch (error) {
        await this.stop();
        this.#port = wanted;
        if (wanted !== 0 || tries === 10) throw error;
      }
    }
  }

  async stop(): Promise<void> {
    const servers = this.#servers;
    this.#servers = [];
    const closed = servers.map((server) => new Promise((resolve) => server.close(resolve)));
    for (const connection of this.#connections) if (connection.open) connection.kill();
    await Promise.all(closed);
  }

  report(): Promise<OriginReport> {
    return Promise.resolve(this.#report());
  }

  until(condition: Condition): Promise<OriginReport> {
    const report = this.#report();
    if (holds(condition, report)) return Promise.resolve(report);
    return new Promise((resolve, reject) => {
      const waiter = {
        condition,
        resolve: (reached: OriginReport) => {
          clearTimeout(timer);
          resolve(reached);
        },
      };
      const timer = setTimeout(() => {
        this.#waiters.delete(waiter);
        // Without the hellos, which are long.
        const seen = JSON.stringify(this.#report(), (key, value) => key === "hello" ? 0 : value);
        reject(new Error(`The origin waited for ${JSON.stringify(condition)} and saw ${seen}`));
      }, condition.timeoutMs ?? 10_000);
      this.#waiters.add(waiter);
    });
  }

  act(action: Action, connectionId?: number): Promise<void> {
    for (const connection of this.#connections) {
      if (!connection.open) continue;
      if (connectionId === undefined || connectionId === connection.id) connection.act(action);
    }
    return Promise.resolve();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      await this.until({ openSockets: 0 });
    } finally {
      await this.stop();
    }
  }

  async #listen(address: string): Promise<void> {
    const server = this.#createServer(address);
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen(this.#port, address, () => {
        server.off("error", reject);
        resolve();
      });
    });
    this.#servers.push(server);
    const bound = server.address();
    if (bound !== null && typeof bound === "object") this.#port = bound.port;
  }

  #createServer(address: string): net.Server {
    const { kind } = this.#behaviour;
    if (kind === "mute" || kind === "reset") {
      return net.createServer((raw) => this.#refuse(raw, address));
    }
    if (this.#inspect) {
      return net.createServer({ allowHalfOpen: true }, (raw) => this.#inspected(raw, address));
    }
    const server = tls.createServer(this.#tlsOptions(), (socket) => {
      // A handshake that was under way when the origin stopped.
      if (!this.#servers.includes(server)) {
        socket.destroy();
        return;
      }
      const connection = this.#add(socket, address);
      socket.on("error", (error: NodeJS.ErrnoException) => {
        if (error.code === "ECONNRESET") connection.clientEnded("reset");
      });
      socket.on("end", () => connection.clientEnded("fin"));
      this.#secured(connection, socket);
    });
    server.on("tlsClientError", (error) => this.#handshakeErrors.push(error.message));
    return server;
  }

  #tlsOptions(): tls.TlsOptions {
    const {
      certificates = [],
      alpn,
      clientCa,
      requiresClientCertificate = false,
      ciphers,
      groups,
    } = this.#options;
    return {
      ...certificates[0],
      ...this.#options.minVersion && { minVersion: this.#options.minVersion },
      ...this.#options.maxVersion && { maxVersion: this.#options.maxVersion },
      ...ciphers && { ciphers },
      ...groups && { ecdhCurve: groups },
      ...alpn && { ALPNProtocols: [...alpn] },
      ...clientCa
        && { requestCert: true, rejectUnauthorized: requiresClientCertificate, ca: [clientCa] },
      ...certificates.length > 1 && { SNICallback: this.#chooseContext },
    };
  }

  readonly #chooseContext = (
    name: string,
    done: (error: Error | null, context?: tls.SecureContext) => void,
  ): void => done(null, this.#contexts.get(name) ?? this.#contexts.get(""));

  #inspected(raw: net.Socket, address: string): void {
    const { capacity } = this.#options;
    const isBeyond = capacity !== undefined && this.#open >= capacity.connections;
    const connection = this.#add(raw, address);
    if (capacity?.beyond === "refuse") this.#listenWhileThereIsRoom(raw, capacity.connections);
    if (isBeyond && (capacity.beyond === "refuse" || capacity.beyond === "reset")) {
      raw.resetAndDestroy();
      return;
    }
    const tap = new WireTap(raw, {
      onBytes: (bytes) => connection.heard(bytes),
      onFin: () => connection.clientEnded("fin"),
      onReset: () => connection.clientEnded("reset"),
    });
    tap.on("error", () => {});
    connection.tapped(tap);
    const socket = new tls.TLSSocket(tap, {
      isServer: true,
      secureContext: this.#contexts.get("")!,
      SNICallback: this.#chooseContext,
      requestCert: this.#options.clientCa !== undefined,
      rejectUnauthorized: this.#options.requiresClientCertificate ?? false,
      ...this.#options.alpn && { ALPNProtocols: [...this.#options.alpn] },
    });
    // The end of TLS, when the tap has not yet told it of a FIN, can only be a close_notify.
    const push = socket.push.bind(socket);
    socket.push = (chunk, encoding) => {
      if (chunk === null && !tap.finPushed) connection.clientEnded("close_notify");
      return push(chunk, encoding);
    };
    socket.on("error", (error) => {
      if (!connection.secured) this.#handshakeErrors.push(error.message);
      raw.destroy();
    });
    // TLS over a stream that may stay half open stays half open itself.
    socket.on("end", () => socket.end());
    socket.on("secure", () => {
      if (!isBeyond) return this.#secured(connection, socket);
      connection.secure(socket, null);
      if (capacity.beyond === "503") connection.serve(this.#behaviour, new ScriptedOrigin(BUSY));
      else connection.act({ kind: "end" });
    });
  }

  /** How many connections are open. */
  get #open(): number {
    return this.#connections.filter(({ open }) => open).length;
  }

  #listenWhileThereIsRoom(raw: net.Socket, connections: number): void {
    if (this.#open >= connections) {
      for (const server of this.#servers) if (server.listening) server.close();
    }
    raw.on("close", () => {
      if (this.#open >= connections || this.#servers.length === 0) return;
      if (this.#servers.some(({ listening }) => listening)) return;
      this.#servers = [];
      for (const address of this.addresses) void this.#listen(address);
    });
  }

  #refuse(raw: net.Socket, address: string): void {
    const connection = this.#add(raw, address);
    const { behaviour } = this.#options;
    if (behaviour?.kind === "reset" && behaviour.at === "accept") {
      raw.resetAndDestroy();
      return;
    }
    raw.on("data", (bytes) => {
      connection.heard(bytes);
      if (behaviour?.kind === "reset" && connection.hello !== null) raw.resetAndDestroy();
    });
    raw.on("end", () => connection.clientEnded("fin"));
    raw.on("error", (error: NodeJS.ErrnoException) => {
      if (error.code === "ECONNRESET") connection.clientEnded("reset");
    });
  }

  #add(raw: net.Socket, address: string): OriginConnection {
    raw.setNoDelay(true);
    const id = this.#connections.length + 1;
    const connection = new OriginConnection(id, address, raw, this.#changed);
    this.#connections.push(connection);
    this.#changed();
    return connection;
  }

  #secured(connection: OriginConnection, socket: tls.TLSSocket): void {
    connection.secure(socket, this.#clientCertificate(socket));
    connection.serve(this.#behaviour, this.#served);
  }

  #clientCertificate(socket: tls.TLSSocket): ConnectionReport["clientCertificate"] {
    if (this.#options.clientCa === undefined) return null;
    const certificate = socket.getPeerX509Certificate();
    if (certificate === undefined) return null;
    return {
      commonName: certificate.subject.replace(/^CN=/, ""),
      trusted: certificate.verify(new X509Certificate(this.#options.clientCa).publicKey),
    };
  }

  #report(): OriginReport {
    const connections = this.#connections.map((connection) => connection.report());
    const count = (of: (connection: ConnectionReport) => number) =>
      connections.reduce((sum, connection) => sum + of(connection), 0);
    return {
      openSockets: count((connection) => Number(connection.open)),
      accepted: connections.length,
      handshakes: count((connection) => Number(connection.secured)),
      requests: count((connection) => connection.requests),
      bytesReceived: count((connection) => connection.bytesReceived),
      connections,
      handshakeErrors: [...this.#handshakeErrors],
      log: this.#served instanceof ScriptedOrigin ? [...this.#served.log] : [],
      stale: this.#served instanceof StaleOrigin ? this.#served.report() : null,
    };
  }

  readonly #changed = (): void => {
    if (this.#waiters.size === 0) return;
    const report = this.#report();
    for (const waiter of this.#waiters) {
      if (!holds(waiter.condition, report)) continue;
      this.#waiters.delete(waiter);
      waiter.resolve(report);
    }
  };
}

function holds(condition: Condition, report: OriginReport): boolean {
  const { openSockets, accepted = 0, handshakes = 0, requests = 0, bytesReceived = 0 } = condition;
  const { bytesSent = 0, complete = 0, ended = 0, hellos = 0 } = condition;
  return (openSockets === undefined || report.openSockets === openSockets)
    && report.accepted >= accepted && report.handshakes >= handshakes
    && report.requests >= requests && report.bytesReceived >= bytesReceived
    && report.log.filter((record) => record.complete).length >= complete
    && report.connections.reduce((sum, connection) => sum + connection.bytesSent, 0) >= bytesSent
    && report.connections.filter((connection) => connection.ended.length > 0).length >= ended
    && report.connections.filter((connection) => connection.hello !== null).length >= hellos;
}

// One ticket key for all names: a client that offers a session across names would have it taken.
function createContexts(options: OriginOptions): Map<string, tls.SecureContext> {
  const contexts = new Map<string, tls.SecureContext>();
  const ticketKeys = randomBytes(48);
  for (const { cert, key, names = [] } of options.certificates ?? []) {
    const context = tls.createSecureContext({
      cert,
      key,
      sessionIdContext: "origin",
      ticketKeys,
      ...options.clientCa && { ca: [options.clientCa] },
      ...options.minVersion && { minVersion: options.minVersion },
      ...options.maxVersion && { maxVersion: options.maxVersion },
      ...options.ciphers && { ciphers: options.ciphers },
      ...options.groups && { ecdhCurve: options.groups },
    });
    for (const name of names) contexts.set(name, context);
    if (!contexts.has("")) contexts.set("", context);
  }
  return contexts;
}
