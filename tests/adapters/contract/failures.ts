/**
 * The dialer contract: dials that fail, and dials that are called off.
 *
 * @module
 */

import { assert, assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import { spawnSync } from "node:child_process";
import process from "node:process";
import test from "node:test";
import { startBlackHole } from "../../support/black_hole.ts";
import { RUN_ARGUMENTS } from "../../support/child_program.ts";
import type { LackTask } from "../../support/lack_main.ts";
import { run } from "../../support/programs.ts";
import { RecordingSink } from "../../support/recording_sink.ts";
import { assertDialFails, type DialerUnderTest, targetOf, withOrigin } from "./support.ts";

/** Gives a program a network of its own. */
const NAMESPACE = ["unshare", "--user", "--map-root-user", "--net"];

const PORTS = [40_000, 40_001];

/** Leaves that network so many ports. */
const FEW_PORTS = `ip link set lo up && echo ${
  PORTS.join(" ")
} >/proc/sys/net/ipv4/ip_local_port_range`;

const canTakePorts =
  spawnSync(NAMESPACE[0]!, [...NAMESPACE.slice(1), "sh", "-c", FEW_PORTS]).status === 0;
const NO_NAMESPACE = !canTakePorts && "needs ip, and the right to make a network namespace";

/** Runs a program that dials when it lacks something, after a command that sees to that. */
function runWithout(first: string, task: LackTask, within: readonly string[] = []) {
  const program = [
    process.execPath,
    ...RUN_ARGUMENTS,
    "tests/support/lack_main.ts",
    JSON.stringify(task),
  ];
  const [command, ...args] = [...within, "sh", "-c", `${first} && exec "$0" "$@"`, ...program];
  return run(command!, args, { timeoutMs: 30_000 });
}

/** Registers this part's tests. */
export function testFailures(name: string, under: DialerUnderTest): void {
  test(`${name}: dial() tells that nobody listens`, () =>
    withOrigin(under, {}, async ({ origin, dial }) => {
      await origin.stop();
      await assertDialFails(dial(), "tcp", "refused");
    }));

  test(`${name}: dial() tells that the program has no file descriptor left`, () =>
    withOrigin(under, {}, async ({ origin }) => {
      // A program may raise the soft limit, and the runtimes do.
      const first = "ulimit -n 256";
      const { output, stdout } = await runWithout(first, {
        ...under.factory,
        target: targetOf(origin.port),
      });
      assertEquals(
        stdout,
        `dialled,${under.tellsLackOfDescriptors ? "resources" : "refused"},dialled\n`,
        output,
      );
    }));

  const skip = NO_NAMESPACE;
  test(`${name}: dial() tells that the program has no local port left`, { skip }, async () => {
    const target = targetOf(443);
    const task = { ...under.factory, target, ports: PORTS };
    const { output, stdout } = await runWithout(FEW_PORTS, task, NAMESPACE);
    const told = under.tellsLackOfPorts ? "resources" : "other";
    assertEquals(stdout, `refused,${told},refused\n`, output);
  });

  test(`${name}: dial() tells of a reset on accept`, () =>
    withOrigin(under, { behaviour: { kind: "reset", at: "accept" } }, async ({ dial }) => {
      // Where the ClientHello's write is what meets the reset, the read after it sees a plain end.
      await assertDialFails(dial(), null, "reset", "closed");
    }));

  test(`${name}: dial() tells of a reset in the handshake`, () =>
    withOrigin(under, { behaviour: { kind: "reset", at: "hello" } }, async ({ dial }) => {
      await assertDialFails(dial(), "tls", under.tellsResetInHandshake ? "reset" : "closed");
    }));

  test(`${name}: dial() tells that the peer hung up in the handshake`, () =>
    withOrigin(under, { behaviour: { kind: "mute" } }, async ({ origin, dial }) => {
      const failing = assertDialFails(dial(), "tls", "closed");
      await origin.until({ hellos: 1 });
      await origin.act({ kind: "fin" });
      await failing;
    }));

  test(`${name}: dial() tells that the peer speaks no TLS`, () =>
    withOrigin(under, { behaviour: { kind: "mute" } }, async ({ origin, dial }) => {
      const dialling = dial();
      const failing = assertDialFails(dialling, "tls", "handshake");
      await origin.until({ hellos: 1 });
      await origin.act({ kind: "send", text: "HTTP/1.1 400 Bad Request\r\n\r\n" });
      await failing;
      await assertRejects(() => dialling, Error, "the server speaks no TLS on this port");
    }));

  test(`${name}: dial() rejects with the reason of a signal that has aborted, and dials nothing`, () =>
    withOrigin(under, {}, async ({ origin, dialer }) => {
      const reason = new Error("no longer wanted");
      assertStrictEquals(
        await reasonOf(dialer.dial(targetOf(origin.port), AbortSignal.abort(reason))),
        reason,
      );
      assertEquals((await origin.report()).accepted, 0);
    }));

  test(`${name}: dial() aborts in TCP with the signal's reason and leaves no socket (trap 19)`, async () => {
    await using hole = await startBlackHole();
    const before = hole.dialling();
    const abort = new AbortController();
    const dialling = reasonOf(under.create().dial(targetOf(hole.port), abort.signal));
    while (hole.dialling() === before) await new Promise((resolve) => setTimeout(resolve, 5));
    const reason = { not: "an error" };
    abort.abort(reason);
    assertStrictEquals(await dialling, reason);
    while (hole.dialling() > before) await new Promise((resolve) => setTimeout(resolve, 5));
  });

  test(`${name}: dial() aborts in TLS with the signal's reason and leaves no socket (trap 19)`, () =>
    withOrigin(under, { behaviour: { kind: "mute" } }, async ({ origin, dialer }) => {
      const abort = new AbortController();
      const dialling = reasonOf(dialer.dial(targetOf(origin.port), abort.signal));
      await origin.until({ hellos: 1 });
      const reason = new Error("no longer wanted");
      abort.abort(reason);
      assertStrictEquals(await dialling, reason);
      if (!under.endsAbortedHandshake) await origin.act({ kind: "fin" });
      await origin.until({ openSockets: 0 });
    }));

  test(`${name}: dial() lets a black hole be left by a timeout`, () =>
    withOrigin(under, { behaviour: { kind: "mute" } }, async ({ origin, dialer }) => {
      const signal = AbortSignal.timeout(50);
      const reason = await reasonOf(dialer.dial(targetOf(origin.port), signal));
      assertStrictEquals(reason, signal.reason);
      if (!under.endsAbortedHandshake) await origin.act({ kind: "fin" });
      await origin.until({ openSockets: 0 });
    }));

  test(`${name}: dial() takes its listeners off the signal, whichever way it ends`, () =>
    withOrigin(under, { behaviour: { kind: "echo" } }, async ({ origin, dialer }) => {
      const abort = new AbortController();
      const listeners = countListeners(abort.signal);
      const socket = await dialer.dial(targetOf(origin.port), abort.signal);
      assertEquals(listeners(), 0);
      await reasonOf(dialer.dial(targetOf(origin.port, {}, "b.test"), abort.signal));
      assertEquals(listeners(), 0);
      const sink = new RecordingSink();
      socket.attach(sink);
      abort.abort();
      socket.write(new Uint8Array(5));
      await sink.bytes(5);
      socket.destroy();
    }));
}

/** What a promise rejects with; fails when it does not. */
async function reasonOf(promise: Promise<unknown>): Promise<unknown> {
  let rejected = false;
  const reason = await promise.catch((error: unknown) => {
    rejected = true;
    return error;
  });
  assert(rejected, "The dial succeeded");
  return reason;
}

function countListeners(signal: AbortSignal): () => number {
  let count = 0;
  const { addEventListener, removeEventListener } = signal;
  signal.addEventListener = (...rest: Parameters<typeof addEventListener>) => {
    count++;
    addEventListener.apply(signal, rest);
  };
  signal.removeEventListener = (...rest: Parameters<typeof removeEventListener>) => {
    count--;
    removeEventListener.apply(signal, rest);
  };
  return () => count;
}
