import { assertEquals, assertRejects } from "@std/assert";
import test from "node:test";
import { detectRuntime } from "../../adapters/detect.ts";
import { memoryDialer } from "../../adapters/memory.ts";
import { nodeDialer } from "../../adapters/node.ts";
import { Sessions } from "../../adapters/node/node_sessions.ts";
import { ConnectionPool, ManualClock, staticResolver } from "../../mod.ts";
import type { Dialer, TlsOptions } from "../../src/core/dialer.ts";
import { DialError } from "../../src/core/errors.ts";
import { type Origin, startRemoteOrigin } from "../support/origin_process.ts";
import { createAuthority } from "../support/pki.ts";
import { RecordingSink } from "../support/recording_sink.ts";
import { targetOf } from "./contract/support.ts";

const onNodeAndBun = {
  skip: detectRuntime() !== "deno" ? false : "Deno says of sessions what its servers deny",
};
const authority = await createAuthority();
const certificate = await authority.issue({ names: ["a.test", "b.test"] });
const options: TlsOptions = { ca: authority.cert };

interface Dial {
  readonly host?: string;
  readonly serverName?: string;
  readonly tls?: TlsOptions;
}

/** Dials, has a byte echoed so that the session's tickets have come, and ends. */
async function visit(origin: Origin, dialer: Dialer, dial: Dial = {}): Promise<void> {
  const { host = "a.test", serverName = host, tls = options } = dial;
  const target = { ...targetOf(origin.port), host, serverName, tls };
  const socket = await dialer.dial(target, new AbortController().signal);
  const sink = new RecordingSink();
  socket.attach(sink);
  socket.write(new Uint8Array(1));
  await sink.bytes(1);
  socket.close();
  await sink.closed();
}

async function resumed(
  dials: readonly Dial[],
  maxVersion: "TLSv1.2" | "TLSv1.3" = "TLSv1.3",
): Promise<boolean[][]> {
  await using origin = await startRemoteOrigin({
    certificates: [{ ...certificate, names: ["a.test", "b.test"] }],
    behaviour: { kind: "echo" },
    maxVersion,
  });
  const dialer = nodeDialer();
  for (const dial of dials) await visit(origin, dialer, dial);
  const { connections } = await origin.until({ openSockets: 0 });
  return connections.map(({ hello, resumed }) => [hello!.offersSession, resumed]);
}

test(
  "nodeDialer() resumes the session of an earlier dial, as the server says (trap 25)",
  onNodeAndBun,
  async () => {
    for (const version of ["TLSv1.3", "TLSv1.2"] as const) {
      const seen = await resumed([{}, {}, {}], version);
      assertEquals(seen, [[false, false], [true, true], [true, true]], version);
    }
  },
);

test(
  "nodeDialer() offers no session to another host, name or TLS options (traps 15 and 16)",
  onNodeAndBun,
  async () => {
    const others: Dial[] = [
      { host: "b.test" },
      { serverName: "b.test" },
      { host: "b.test", serverName: "a.test" },
      { tls: { ...options } },
      { tls: { ...options, alpn: ["http/1.1"] } },
    ];
    const offers = await resumed([{}, ...others, {}]);
    assertEquals(offers, [...[...Array(6)].map(() => [false, false]), [true, true]]);
  },
);

test(
  "nodeDialer() verifies who answers where the session that it offers is not resumed",
  onNodeAndBun,
  async () => {
    const impostor = await (await createAuthority()).issue({ names: ["a.test"] });
    const other = await authority.issue({ names: ["b.test"] });
    const behaviour = { kind: "echo" } as const;
    const names = ["a.test"];
    for (const maxVersion of ["TLSv1.3", "TLSv1.2"] as const) {
      for (const shown of [impostor, other]) {
        const dialer = nodeDialer();
        let port = 0;
        {
          const certificates = [{ ...certificate, names }];
          await using origin = await startRemoteOrigin({ certificates, behaviour, maxVersion });
          port = origin.port;
          await visit(origin, dialer);
        }
        const certificates = [{ ...shown, names }];
        await using origin = await startRemoteOrigin({ certificates, behaviour, maxVersion, port });
        const error = await assertRejects(() => visit(origin, dialer), DialError);
        assertEquals(error.failure, "certificate");
        const { connections: [seen] } = await origin.until({ openSockets: 0 });
        assertEquals([seen!.hello!.offersSession, seen!.resumed], [true, false]);
      }
    }
  },
);

test(
  "nodeDialer() drops the sessions of a machine that is forgotten, and no others",
  onNodeAndBun,
  async () => {
    await using origin = await startRemoteOrigin({
      certificates: [{ ...certificate, names: ["a.test", "b.test"] }],
      behaviour: { kind: "echo" },
    });
    const dialer = nodeDialer();
    await visit(origin, dialer);
    await visit(origin, dialer, { host: "b.test" });
    dialer.forget!({ ...targetOf(origin.port), host: "a.test", tls: options });
    await visit(origin, dialer);
    await visit(origin, dialer, { host: "b.test" });
    const { connections } = await origin.until({ openSockets: 0 });
    assertEquals(connections.map(({ resumed }) => resumed), [false, false, false, true]);
  },
);

test(
  "nodeDialer() resumes all connections that a server has ended at once",
  onNodeAndBun,
  async () => {
    await using origin = await startRemoteOrigin({
      certificates: [{ ...certificate, names: ["a.test"] }],
      behaviour: { kind: "echo" },
    });
    const dialer = nodeDialer();
    for (let round = 0; round < 2; round++) {
      const target = { ...targetOf(origin.port), tls: options };
      const sockets = await Promise.all(
        Array.from({ length: 12 }, () => dialer.dial(target, new AbortController().signal)),
      );
      // With the echo the tickets have come.
      const sinks = await Promise.all(sockets.map(async (socket) => {
        const sink = new RecordingSink();
        socket.attach(sink);
        socket.write(new Uint8Array(1));
        await sink.bytes(1);
        return sink;
      }));
      for (const socket of sockets) socket.close();
      await Promise.all(sinks.map((sink) => sink.closed()));
    }
    const { connections } = await origin.until({ openSockets: 0 });
    assertEquals(connections.map(({ resumed }) => resumed), [
      ...Array(12).fill(false),
      ...Array(12).fill(true),
    ]);
  },
);

test(
  "A pool's TLS sessions go with the TLS parameters that nobody uses any more",
  onNodeAndBun,
  async () => {
    await using origin = await startRemoteOrigin({
      certificates: [{ ...certificate, names: ["a.test"] }],
      behaviour: { kind: "echo" },
    });
    const clock = new ManualClock();
    await using pool = new ConnectionPool({
      clock,
      dialer: nodeDialer(),
      resolver: staticResolver({ "a.test": ["127.0.0.1"] }),
    });
    const visit = async () => {
      const lease = await pool.acquire(`a.test:${origin.port}`, { tls: { ...options } });
      const sink = new RecordingSink();
      lease.attach(sink);
      lease.write(new Uint8Array(1));
      await sink.bytes(1);
      lease.release({ reuse: false });
      await lease.connection.closed;
      return lease.connection.tlsProfile;
    };
    const profiles = [await visit(), await visit()];
    clock.advance(120_000);
    profiles.push(await visit());
    assertEquals(profiles, ["tls-1", "tls-1", "tls-2"]);
    const { connections } = await origin.until({ openSockets: 0 });
    const seen = connections.map(({ hello, resumed }) => [hello!.offersSession, resumed]);
    assertEquals(seen, [[false, false], [true, true], [false, false]]);
    pool.manager.checkInvariants();
  },
);

test("A pool has its dialer forget a machine that its host has no more, or may not use", async () => {
  const clock = new ManualClock();
  const forgotten: string[] = [];
  const inner = memoryDialer({ clock });
  const dialer: Dialer = {
    name: inner.name,
    capabilities: inner.capabilities,
    dial: (target, signal) => inner.dial(target, signal),
    forget: ({ address, host, tls }) => forgotten.push(`${host} ${address} ${Object.keys(tls)}`),
  };
  let addresses = ["192.0.2.1", "192.0.2.2"];
  await using pool = new ConnectionPool({
    clock,
    dialer,
    resolver: { name: "scripted", resolve: () => Promise.resolve({ addresses, ttlMs: 60_000 }) },
    tls: { minVersion: "TLSv1.2" },
  });
  await pool.warm("a.test", { connections: 2 });
  assertEquals(forgotten, []);
  addresses = ["192.0.2.2", "192.0.2.3"];
  const changed = new Promise((resolve) => pool.on("addresses", resolve));
  clock.advance(60_000);
  await changed;
  assertEquals(forgotten, ["a.test 192.0.2.1 minVersion"]);
  pool.block("192.0.2.3");
  assertEquals(forgotten[1], "a.test 192.0.2.3 minVersion");
  pool.manager.checkInvariants();
});

test("Sessions are offered once, the newest first, to whom they are of, and not for long", () => {
  const a = targetOf(443);
  const b = { ...a, address: "192.0.2.2" };
  const sessions = new Sessions();
  const bytes = (n: number) => Uint8Array.of(n);
  for (let n = 1; n <= 5; n++) sessions.keep(a, bytes(n), n);
  assertEquals(sessions.take(b, 10), undefined);
  const taken = [...Array(5)].map(() => sessions.take(a, 10)?.[0]);
  assertEquals(taken, [5, 4, 3, 2, undefined]);
  sessions.keep(a, bytes(6), 0);
  assertEquals(sessions.take(a, 600_000), undefined);
});

test("As many sessions of a machine are kept as connections were open at once", () => {
  const a = targetOf(443);
  const sessions = new Sessions();
  const keep = (count: number) => {
    for (let n = 0; n < count; n++) sessions.keep(a, Uint8Array.of(n), 0);
  };
  const takeAll = () => {
    let count = 0;
    while (sessions.take(a, 1)) count++;
    return count;
  };
  // A server sends two of them over each connection.
  const opened = Array.from({ length: 300 }, () => sessions.opened(a));
  keep(600);
  for (const machine of opened) sessions.closed(machine);
  assertEquals(takeAll(), 300);
  // All of it is over: what was needed once is forgotten.
  keep(600);
  assertEquals(takeAll(), 4);
  // Those that are too old make room for others.
  const machine = sessions.opened(a);
  keep(4);
  sessions.keep(a, Uint8Array.of(1), 600_000);
  assertEquals(sessions.take(a, 600_001)?.[0], 1);
  assertEquals(sessions.take(a, 600_001), undefined);
  sessions.closed(machine);
});

test("Of too many sessions in all, those go of the machine that was heard of longest ago", () => {
  const at = (address: string) => ({ ...targetOf(443), address });
  const sessions = new Sessions();
  const session = Uint8Array.of(1);
  // One without a session is in nobody's way.
  const idle = sessions.opened(at("idle"));
  for (let n = 0; n < 4_096; n++) sessions.keep(at(`${n}`), session, 0);
  sessions.keep(at("0"), session, 0);
  sessions.keep(at("new"), session, 0);
  assertEquals(sessions.take(at("1"), 1), undefined);
  assertEquals(sessions.take(at("2"), 1), undefined);
  for (const address of ["3", "0", "0", "new", "4095"]) {
    assertEquals(sessions.take(at(address), 1), session, address);
  }
  sessions.forget(at("4"));
  assertEquals(sessions.take(at("4"), 1), undefined);
  for (let n = 0; n < 5; n++) sessions.keep(at("more"), session, 0);
  assertEquals(sessions.take(at("5"), 1), session);
  sessions.closed(idle);
});

test(
  "A socket of a resumed session covers no name when it is closed, and says so without an error",
  { skip: detectRuntime() === "node" ? false : "their sockets tell of certificates in other ways" },
  async () => {
    await using origin = await startRemoteOrigin({
      certificates: [{ ...certificate, names: ["a.test", "b.test"] }],
      behaviour: { kind: "echo" },
      alpn: ["h2"],
    });
    const dialer = nodeDialer();
    const tls = { ...options, alpn: ["h2"] };
    const target = { ...targetOf(origin.port), host: "a.test", serverName: "a.test", tls };
    await visit(origin, dialer, { tls });
    const socket = await dialer.dial(target, new AbortController().signal);
    const sink = new RecordingSink();
    socket.attach(sink);
    socket.destroy();
    await sink.closed();
    assertEquals(socket.covers?.("b.test"), false);
    const { connections } = await origin.until({ openSockets: 0 });
    assertEquals(connections.map(({ hello }) => hello!.offersSession), [false, true]);
  },
);
