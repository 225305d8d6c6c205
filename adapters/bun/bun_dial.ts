/**
 * One dial: from nothing to a verified socket, or to nothing again.
 *
 * @module
 */

import type { DialTarget, TlsSocket } from "../../src/core/dialer.ts";
import {
  DialError,
  type DialFailure,
  type DialPhase,
  UnsupportedOptionError,
} from "../../src/core/errors.ts";
import { type Negotiation, tunnelError } from "../../src/core/tunnel.ts";
import type { CloseTimes } from "../sockets/close_times.ts";
import { explain } from "../sockets/explain.ts";
import type { ShownServer } from "../sockets/verifier.ts";
import {
  builtin,
  bun,
  type ConnectingSocket,
  type NativeError,
  type NativeSocket,
  type NativeTlsOptions,
  type SocketHandlers,
  type SocketOwner,
} from "./bun_api.ts";
import { handshakeFailure, systemFailure } from "./bun_errors.ts";
import { BunSocket } from "./bun_socket.ts";
import { describeSession, nativeServerName, type Profile, profileOf } from "./bun_tls.ts";

// One set for all sockets: Bun is quickest so.
const handlers: SocketHandlers = {
  binaryType: "uint8array",
  open: (socket) => socket.data.opened(socket),
  handshake: (socket, success, error) => socket.data.shaken(socket, success, error),
  data: (socket, bytes) => socket.data.received(bytes),
  drain: (socket) => socket.data.drained(),
  end: (socket) => socket.data.ended(),
  error: (socket, error) => socket.data.failed(error),
  close: (socket, error) => socket.data.closed(error),
  // The promise of `Bun.connect` says so, too.
  connectError: () => {},
};

// A handler is required; one for data would get everything a second time, encrypted.
const ignoreCiphertext = { drain: () => {} };

/** Opens a socket. Aborted or failed, it leaves none behind. */
export function dial(
  target: DialTarget,
  signal: AbortSignal,
  times: CloseTimes,
): Promise<TlsSocket> {
  const profile = profileOf(target.tls);
  return new Promise((resolve, reject) => {
    new Dial(target, profile, signal, times, resolve, reject).start();
  });
}

class Dial implements SocketOwner {
  readonly #target: DialTarget;
  readonly #profile: Profile;
  readonly #tls: NativeTlsOptions;
  readonly #signal: AbortSignal;
  readonly #times: CloseTimes;
  readonly #resolve: (socket: TlsSocket) => void;
  readonly #reject: (reason: unknown) => void;
  readonly #startedAt = performance.now();
  #openedAt = 0;
  #connecting: ConnectingSocket | null = null;
  #native: NativeSocket | null = null;
  #settled = false;

  constructor(
    target: DialTarget,
    profile: Profile,
    signal: AbortSignal,
    times: CloseTimes,
    resolve: (socket: TlsSocket) => void,
    reject: (reason: unknown) => void,
  ) {
    this.#target = target;
    this.#profile = profile;
    this.#tls = { ...profile.native, serverName: nativeServerName(target) };
    this.#signal = signal;
    this.#times = times;
    this.#resolve = resolve;
    this.#reject = reject;
  }

  start(): void {
    this.#signal.addEventListener("abort", this.#abort);
    try {
      if (!this.#connect()) this.#connectWithBun();
    } catch (error) {
      this.#refuseOptions(error as NativeError);
    }
  }

  opened(socket: NativeSocket): void {
    // Aborted while Bun itself was connecting.
    if (this.#settled) {
      socket.terminate();
      return;
    }
    this.#native = socket;
    this.#openedAt = performance.now();
    socket.setNoDelay(true);
  }

  // Bun hands over a refused certificate's socket just as it does an accepted one's.
  shaken(socket: NativeSocket, success: boolean, error: NativeError | null): void {
    if (this.#settled) return;
    const { tls } = this.#target;
    const accepted = tls.dangerouslyAcceptAnyCertificate
      // Without a cipher suite it is not the certificate that was wrong.
      ? Boolean(socket.getCipher()?.name)
      : success && socket.authorized;
    if (!accepted) {
      this.#fail("tls", handshakeFailure(error), error ?? "the certificate was not accepted");
      return;
    }
    const own = socket.getPeerX509Certificate();
    const shown: ShownServer = {
      fingerprint256: own?.fingerprint256,
      certificate: () => socket.getPeerCertificate(false),
      // To load `node:crypto` for it would take Bun longer than many handshakes.
      reader: () => own?.constructor ?? builtin("node:crypto").X509Certificate,
    };
    const { verifier } = this.#profile;
    let certificateEndsAt: number | undefined;
    try {
      certificateEndsAt = verifier.check(shown, this.#target);
    } catch (error) {
      if (error instanceof DialError) this.#giveUp(error);
      else this.#fail("tls", "other", error as NativeError);
      return;
    }
    const { tunnel } = this.#target;
    const info = describeSession(socket, {
      ...certificateEndsAt !== undefined && { certificateEndsAt },
      ...tunnel && { proxy: tunnel.proxy },
      tcpMs: this.#openedAt - this.#startedAt,
      tlsMs: performance.now() - this.#openedAt,
    });
    this.#settle();
    const live = new BunSocket(socket, info, this.#times);
    // Only options that may be used again need be remembered.
    if (info.alpn === "h2") {
      live.covers = (serverName) => verifier.covers(shown, { ...this.#target, serverName });
    }
    this.#resolve(socket.data = live);
  }

  received(): void {}

  drained(): void {}

  ended(): void {
    this.#fail("tls", "closed", "the server hung up in the middle of the handshake");
  }

  failed(error: NativeError): void {
    this.#fail("tls", handshakeFailure(error), error);
  }

  closed(error?: NativeError): void {
    if (error === undefined) this.ended();
    else this.#fail("tls", systemFailure(error), error);
  }

  // `Bun.connect` cannot be called off: against an address that never answers it would keep the
  // program alive for two minutes. What `node:net` connects can; its handle is the same socket.
  #connect(): boolean {
    const { ip: host, port } = this.#target.tunnel ?? this.#target;
    const connecting = builtin("node:net").connect({ host, port, noDelay: true });
    const handle = connecting._handle;
    if (typeof handle?.upgradeTLS !== "function") {
      connecting.destroy();
      return false;
    }
    this.#connecting = connecting;
    const { negotiate } = this.#target.tunnel ?? {};
    let isConnected = false;
    connecting.on("connect", () => {
      isConnected = true;
      if (negotiate) this.#openTunnel(connecting, negotiate(), () => this.#secure(handle));
      else this.#secure(handle);
    });
    connecting.on("error", (error) => {
      if (!isConnected || !negotiate) this.#fail("tcp", systemFailure(error, host), error);
      else this.#giveUp(tunnelError(this.#target, "closed", error.message, { cause: error }));
    });
    return true;
  }

  #openTunnel(connecting: ConnectingSocket, negotiation: Negotiation, onOpen: () => void): void {
    const onClose = () => {
      this.#giveUp(tunnelError(this.#target, "closed", "it hung up before the way was open"));
    };
    const onData = (bytes: Uint8Array) => {
      if (this.#settled) return;
      try {
        const next = negotiation.receive(bytes);
        if (next === "open") {
          connecting.off("data", onData);
          connecting.off("close", onClose);
          onOpen();
        } else if (next) connecting.write(next);
      } catch (error) {
        this.#giveUp(error);
      }
    };
    connecting.on("data", onData);
    connecting.on("close", onClose);
    connecting.write(negotiation.opening);
  }

  #secure(handle: NativeSocket): void {
    if (this.#settled) return;
    if (handle.readyState <= 0) {
      this.#fail("tcp", "reset", "the server let go as soon as it was connected");
      return;
    }
    try {
      const [raw] = handle.upgradeTLS({ data: this, tls: this.#tls, socket: handlers });
      raw.reload({ socket: ignoreCiphertext });
      // As long as it lives, it holds what `node:net` has made around it, which is no longer needed.
      raw.data = undefined;
    } catch (error) {
      this.#refuseOptions(error as NativeError);
    }
  }

  #connectWithBun(): void {
    if (this.#target.tunnel) {
      this.#giveUp(new UnsupportedOptionError("proxy", "bun", "take nodeDialer()"));
      return;
    }
    bun().connect({
      hostname: this.#target.ip,
      port: this.#target.port,
      tls: this.#tls,
      allowHalfOpen: true,
      data: this,
      socket: handlers,
    }).catch((error: NativeError) => {
      const { ip } = this.#target;
      if (error.syscall === "connect") this.#fail("tcp", systemFailure(error, ip), error);
      else this.#refuseOptions(error);
    });
  }

  readonly #abort = (): void => this.#giveUp(this.#signal.reason);

  #refuseOptions(cause: NativeError): void {
    this.#giveUp(new TypeError(`The TLS options cannot be used: ${cause.message}`, { cause }));
  }

  #fail(phase: DialPhase, failure: DialFailure, cause: NativeError | string): void {
    const { host, address } = this.#target;
    const fields = { host, address, phase, failure };
    this.#giveUp(
      typeof cause === "string"
        ? new DialError(fields, cause)
        : new DialError(fields, explain(cause.message, cause.code), { cause }),
    );
  }

  #giveUp(reason: unknown): void {
    if (this.#settled) return;
    this.#settle();
    if (this.#native !== null) this.#native.terminate();
    else this.#connecting?.destroy();
    this.#reject(reason);
  }

  #settle(): void {
    this.#settled = true;
    this.#signal.removeEventListener("abort", this.#abort);
  }
}
