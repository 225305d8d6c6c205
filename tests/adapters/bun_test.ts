import { assertEquals, assertInstanceOf, assertRejects, assertThrows } from "@std/assert";
import { once } from "node:events";
import net from "node:net";
import test from "node:test";
import { bunDialer } from "../../adapters/bun.ts";
import type { NativeSocket } from "../../adapters/bun/bun_api.ts";
import { BunSocket } from "../../adapters/bun/bun_socket.ts";
import type { DialTarget, TlsInfo, TlsOptions } from "../../src/core/dialer.ts";
import { SocketError, UnsupportedOptionError } from "../../src/core/errors.ts";
import { startRemoteOrigin } from "../support/origin_process.ts";
import { pattern } from "../support/pattern.ts";
import { createAuthority } from "../support/pki.ts";
import { RecordingSink } from "../support/recording_sink.ts";
import { withoutVersion6 } from "../support/version6.ts";

const isBun = "Bun" in globalThis;
const onBun = { skip: isBun ? false : "needs Bun's own sockets" };
const megabyte = 1_048_576;
const never = new AbortController().signal;

const ca = await createAuthority();
const leaf = await ca.issue({ names: ["a.test", "127.0.0.1", "::1"] });
const client = await ca.issueClient("a client");
const emptyCertificate = "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n";

function targetOf(port: number, tls: TlsOptions = {}, ip = "127.0.0.1"): DialTarget {
  const serverName = tls.serverName ?? "a.test";
  return {
    host: "a.test",
    serverName,
    address: `${ip}:${port}`,
    ip,
    port,
    tls: { ca: [ca.cert], ...tls },
  };
}

test("bunDialer() says on another runtime what to use there", {
  skip: isBun && "this is Bun",
}, () => {
  assertThrows(() => bunDialer(), Error, "nodeDialer()");
});

test("bunDialer() refuses times that are none, and options that it does not know", () => {
  assertThrows(() => bunDialer({ lingerMs: -1 }), RangeError, "lingerMs must be a number of at");
  assertThrows(() => bunDialer({ closeTimeoutMs: NaN }), TypeError, "closeTimeoutMs must be");
  assertThrows(() => bunDialer({ linger: 1 } as object), TypeError, "did you mean lingerMs?");
});

test(
  "Bun itself opens a socket, and lets it be written to, before it has checked the certificate (trap 22)",
  onBun,
  async () => {
    await using origin = await startRemoteOrigin({ certificates: [leaf] });
    const calls: string[] = [];
    await new Promise<void>((resolve) => {
      const handlers = {
        open: () => calls.push("open"),
        handshake: (_: unknown, success: boolean) => calls.push(`handshake ${success}`),
        data: () => {},
        close: () => {
          calls.push("close");
          resolve();
        },
      };
      const { Bun } = globalThis as unknown as {
        Bun: { connect(options: object): Promise<unknown> };
      };
      Bun.connect({
        hostname: "127.0.0.1",
        port: origin.port,
        tls: { ca: ca.cert, serverName: "b.test" },
        socket: handlers,
      });
    });
    // When the first two change places, or the second says true, the dialer must be looked at again.
    assertEquals(calls, ["open", "handshake false", "close"]);
  },
);

test(
  "dial() shows no client certificate to a server whose key is not pinned (trap 22)",
  onBun,
  async () => {
    await using origin = await startRemoteOrigin({ certificates: [leaf], clientCa: ca.cert });
    const tls = { clientCertificate: client, pins: [client.pin] };
    await assertRejects(() => bunDialer().dial(targetOf(origin.port, tls), never), Error, "(pin)");
    const report = await origin.until({ openSockets: 0, accepted: 1 });
    assertEquals(report.handshakes, 0);
    assertEquals(report.connections[0]?.clientCertificate, null);
  },
);

test("dial() prefers the server's choice among many protocols (trap 24)", onBun, async () => {
  await using origin = await startRemoteOrigin({
    certificates: [leaf],
    alpn: ["http/1.1", "h2"],
  });
  const socket = await bunDialer().dial(
    targetOf(origin.port, { alpn: ["x".repeat(255), "h2", "http/1.1"] }),
    never,
  );
  assertEquals(socket.info.alpn, "http/1.1");
  const { connections: [seen] } = await origin.until({ handshakes: 1 });
  assertEquals(seen?.hello?.alpn, ["x".repeat(255), "h2", "http/1.1"]);
  socket.close();
});

test("dial() takes a choice of TLS 1.2 suites for a choice of TLS 1.2", onBun, async () => {
  await using origin = await startRemoteOrigin({ certificates: [leaf] });
  const ciphers = ["ECDHE-ECDSA-AES256-GCM-SHA384"];
  const socket = await bunDialer().dial(targetOf(origin.port, { ciphers }), never);
  assertEquals(socket.info.version, "TLSv1.2");
  assertEquals(socket.info.cipher, ciphers[0]);
  socket.close();
  await assertRejects(
    () => bunDialer().dial(targetOf(origin.port, { ciphers, minVersion: "TLSv1.3" }), never),
    UnsupportedOptionError,
  );
  assertEquals((await origin.report()).accepted, 1);
});

test(
  "dial() rejects with a TypeError for options that Bun cannot read, and leaves no socket",
  onBun,
  async () => {
    await using origin = await startRemoteOrigin({ certificates: [leaf] });
    const wrong: TlsOptions[] = [
      { ca: emptyCertificate },
      { groups: ["no group"] },
      { ciphers: ["no cipher"] },
      { clientCertificate: { cert: client.cert, key: leaf.key } },
    ];
    for (const tls of wrong) {
      await assertRejects(
        () => bunDialer().dial(targetOf(origin.port, tls), never),
        TypeError,
        "The TLS options cannot be used",
      );
    }
    await origin.until({ openSockets: 0 });
  },
);

test("dial() verifies an IPv6 literal and sends no name for it", {
  skip: onBun.skip || withoutVersion6,
}, async () => {
  await using origin = await startRemoteOrigin({ certificates: [leaf], addresses: ["::1"] });
  const target = targetOf(origin.port, { serverName: "[::1]" }, "::1");
  const socket = await bunDialer().dial(target, never);
  assertEquals(socket.info.remoteAddress, `[::1]:${origin.port}`);
  const { connections: [seen] } = await origin.until({ handshakes: 1 });
  assertEquals(seen?.hello?.sni, null);
  socket.close();
});

test("onClose tells of a record that does not decrypt", onBun, async () => {
  await using origin = await startRemoteOrigin({
    certificates: [leaf],
    behaviour: { kind: "discard" },
  });
  await using relay = await startRelay(origin.port);
  const socket = await bunDialer().dial(targetOf(relay.port), never);
  const sink = new RecordingSink();
  socket.attach(sink);
  await origin.until({ handshakes: 1 });
  relay.inject(Uint8Array.of(23, 3, 3, 0, 32, ...new Uint8Array(32)));
  const error = await sink.closed();
  assertInstanceOf(error, SocketError);
  assertEquals(error.failure, "tls");
  assertEquals(sink.received, 0);
});

test(
  "close() waits lingerMs for a peer that does not hang up, and reports an orderly end",
  onBun,
  async () => {
    await using origin = await startRemoteOrigin({ certificates: [leaf] });
    await using relay = await startRelay(origin.port);
    const socket = await bunDialer({ lingerMs: 50 }).dial(targetOf(relay.port), never);
    const sink = new RecordingSink();
    socket.attach(sink);
    await origin.until({ handshakes: 1 });
    relay.holdServersEnd();
    socket.close();
    assertEquals(await sink.closed(), undefined);
    const { connections: [seen] } = await origin.until({ openSockets: 0 });
    assertEquals(seen?.ended, ["close_notify", "fin"]);
    // It has let go when whatever else is sent to it comes back as a reset.
    const gone = relay.clientGone();
    const prod = setInterval(() => relay.inject(new Uint8Array(1)), 10);
    await gone;
    clearInterval(prod);
  },
);

test("dial() works where node:net has no handle to give, through Bun.connect", onBun, async () => {
  await using origin = await startRemoteOrigin({
    certificates: [leaf],
    behaviour: { kind: "echo" },
  });
  await withoutHandles(async () => {
    const dialer = bunDialer();
    const socket = await dialer.dial(targetOf(origin.port), never);
    const sink = new RecordingSink();
    socket.attach(sink);
    socket.write(pattern(0, megabyte));
    await sink.bytes(megabyte);
    assertEquals(sink.mismatch, -1);
    socket.close();
    assertEquals(await sink.closed(), undefined);
    const wrongName = targetOf(origin.port, { serverName: "b.test" });
    await assertRejects(() => dialer.dial(wrongName, never), Error, "(certificate)");
    const wrongOptions = targetOf(origin.port, { ca: emptyCertificate });
    await assertRejects(() => dialer.dial(wrongOptions, never), TypeError, "Invalid CA");
    await origin.until({ openSockets: 0, accepted: 2 });
    await origin.stop();
    await assertRejects(() => dialer.dial(targetOf(origin.port), never), Error, "(refused)");
  });
});

test("dial() through Bun.connect releases what connects after the abort", onBun, async () => {
  await using origin = await startRemoteOrigin({ certificates: [leaf] });
  await withoutHandles(async () => {
    const abort = new AbortController();
    const dialling = bunDialer().dial(targetOf(origin.port), abort.signal);
    const reason = new Error("no longer wanted");
    abort.abort(reason);
    assertEquals(await dialling.catch((error) => error), reason);
    const report = await origin.until({ accepted: 1, openSockets: 0 });
    assertEquals(report.handshakes, 0);
  });
});

test("a large read is freed as soon as the sink has had it, and no other one", onBun, async () => {
  const native = { resume() {} } as unknown as NativeSocket;
  const socket = new BunSocket(native, {} as TlsInfo, { closeTimeoutMs: 1, lingerMs: 1 });
  const lengths: number[] = [];
  socket.attach({
    onData: (bytes) => void lengths.push(bytes.length),
    onDrain: () => {},
    onClose: () => {},
  });
  await Promise.resolve();
  const large = new Uint8Array(65_536);
  const small = new Uint8Array(65_535);
  // Bun might give a part of something larger one day: that would not be the read's own.
  const part = new Uint8Array(2 * 65_536).subarray(65_536);
  for (const bytes of [large, small, part]) socket.received(bytes);
  assertEquals(lengths, [65_536, 65_535, 65_536]);
  assertEquals([large.length, small.length, part.length], [0, 65_535, 65_536]);
});

/** A port between a client and an origin, where the bytes can be meddled with. */
interface Relay extends AsyncDisposable {
  readonly port: number;
  /** Sends bytes to the client, in clear. */
  inject(bytes: Uint8Array): void;
  /** Keeps from the client that the origin hangs up. */
  holdServersEnd(): void;
  /** Resolves when the client's socket is no more. */
  clientGone(): Promise<unknown>;
}

async function startRelay(originPort: number): Promise<Relay> {
  let client: net.Socket | undefined;
  let held = false;
  const server = net.createServer({ allowHalfOpen: true }, (socket) => {
    client = socket;
    const upstream = net.connect({ port: originPort, host: "127.0.0.1", allowHalfOpen: true });
    socket.on("data", (bytes) => upstream.write(bytes));
    socket.on("end", () => upstream.end());
    socket.on("error", () => upstream.destroy());
    upstream.on("data", (bytes) => void (held || socket.write(bytes)));
    upstream.on("end", () => void (held || socket.end()));
    upstream.on("error", () => socket.destroy());
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    port: (server.address() as net.AddressInfo).port,
    inject: (bytes) => {
      if (client?.destroyed === false) client.write(bytes);
    },
    holdServersEnd: () => {
      held = true;
    },
    clientGone: () => new Promise((resolve) => client?.on("close", resolve)),
    [Symbol.asyncDispose]: async () => {
      client?.destroy();
      server.close();
      await once(server, "close");
    },
  };
}

/** Runs `body` as on a Bun that does not let a socket be taken over from `node:net`. */
async function withoutHandles(body: () => Promise<void>): Promise<void> {
  const { connect } = net;
  net.connect = (() => ({ destroy: () => {} })) as unknown as typeof connect;
  try {
    await body();
  } finally {
    net.connect = connect;
  }
}
