/**
 * The dialer contract: how a socket ends, by either side, and what is told of it.
 *
 * @module
 */

import { assert, assertEquals, assertInstanceOf, assertStrictEquals } from "@std/assert";
import test from "node:test";
import { SocketError } from "../../../src/core/errors.ts";
import type { ConnectionReport, Origin } from "../../support/origin_process.ts";
import { pattern } from "../../support/pattern.ts";
import { RecordingSink } from "../../support/recording_sink.ts";
import {
  type DialerUnderTest,
  type Dialled,
  honours,
  IMPATIENT_MS,
  settled,
  withOrigin,
} from "./support.ts";

const megabyte = 1_048_576;

/**
 * More than anybody on the way takes for a peer that reads nothing: the systems' buffers and a proxy's
 * own are full after 4 to 12 MiB.
 */
const STUCK_BYTES = 16 * megabyte;

/** Registers this part's tests. */
export function testEndings(name: string, under: DialerUnderTest): void {
  const versions = honours(under, "maxVersion")
    ? ["TLSv1.3", "TLSv1.2"] as const
    : ["TLSv1.3"] as const;
  for (const version of versions) testPeersEndings(`${name}, ${version}`, under, version);
  testOwnEndings(name, under);
}

function testPeersEndings(
  name: string,
  under: DialerUnderTest,
  maxVersion: "TLSv1.2" | "TLSv1.3",
): void {
  const endings = [
    { kind: "end", what: "close_notify and FIN", failure: undefined },
    { kind: "close_notify", what: "close_notify without FIN (trap 9)", failure: undefined },
    {
      kind: "fin",
      what: "FIN without close_notify (trap 9)",
      failure: under.tellsTruncation ? "truncated" : undefined,
    },
    { kind: "reset", what: "RST", failure: under.tellsReset ? "reset" : undefined },
  ] as const;
  for (const { kind, what, failure } of endings) {
    test(`${name}: onClose reports the peer's ${what} once and rightly, and the socket lets go`, () =>
      withOrigin(under, {
        behaviour: { kind: "discard" },
        maxVersion,
      }, async ({ origin, dial }) => {
        const { socket, sink } = await dial();
        await origin.until({ handshakes: 1 });
        await origin.act({ kind });
        const error = await sink.closed();
        if (failure === undefined) assertStrictEquals(error, undefined);
        else assertEquals(assertSocketError(error).failure, failure);
        assertEquals(socket.write(pattern(0, 1)), false);
        await origin.until({ openSockets: 0 });
        await settled(origin);
        assertEquals(sink.closes.length, 1);
        assertEquals(sink.late, 0);
      }));
  }

  test(`${name}: onClose comes after the last bytes`, () =>
    withOrigin(under, {
      behaviour: { kind: "source", bytes: megabyte, end: true },
      maxVersion,
    }, async ({ dial }) => {
      const { sink } = await dial();
      assertStrictEquals(await sink.closed(), undefined);
      assertEquals(sink.received, megabyte);
      assertEquals(sink.mismatch, -1);
    }));
}

function testOwnEndings(name: string, under: DialerUnderTest): void {
  test(`${name}: attach() reports the bytes and the end that came before it`, () =>
    withOrigin(under, { behaviour: { kind: "discard" } }, async ({ origin, dialBare }) => {
      const socket = await dialBare();
      await origin.until({ handshakes: 1 });
      await origin.act({ kind: "send", text: "last words" });
      await origin.act({ kind: "end" });
      await settled(origin);
      const sink = new RecordingSink();
      socket.attach(sink);
      assertEquals(sink.received, 0);
      assertEquals(sink.closes, []);
      assertStrictEquals(await sink.closed(), undefined);
      assertEquals(sink.text, "last words");
    }));

  test(`${name}: the peer's end releases a socket that has much to write`, () =>
    withOrigin(under, { behaviour: { kind: "discard" } }, async ({ origin, dial }) => {
      const { socket, sink } = await dial();
      await origin.until({ handshakes: 1 });
      await origin.act({ kind: "pause" });
      socket.write(pattern(0, STUCK_BYTES));
      await origin.act({ kind: "end" });
      await sink.closed();
      assertEquals(sink.drains, 0);
      // Not before the socket has let go: otherwise the peer would release it by taking everything.
      await new Promise((resolve) => setTimeout(resolve, 2 * IMPATIENT_MS));
      await origin.act({ kind: "resume" });
      const { connections: [seen] } = await origin.until({ openSockets: 0 });
      assert(seen!.bytesReceived < STUCK_BYTES);
      assertEquals(sink.closes.length, 1);
    }, under.createImpatient()));

  test(`${name}: write() to a peer that is gone ends the socket with an error`, () =>
    withOrigin(under, { behaviour: { kind: "discard" } }, async ({ origin, dial }) => {
      const { socket, sink } = await dial();
      await origin.until({ handshakes: 1 });
      await origin.act({ kind: "pause" });
      socket.write(pattern(0, STUCK_BYTES));
      await origin.act({ kind: "reset" });
      const error = await sink.closed();
      if (under.tellsReset) assertEquals(assertSocketError(error).failure, "reset");
      await settled(origin);
      assertEquals(sink.closes.length, 1);
    }));

  test(`${name}: close() sends close_notify and FIN, while it is reading (traps 10 and 21)`, () =>
    withOrigin(under, { behaviour: { kind: "discard" } }, async ({ origin, dial }) => {
      const { socket, sink } = await dial();
      await origin.until({ handshakes: 1 });
      socket.close();
      assertEquals(socket.write(pattern(0, 1)), false);
      socket.close();
      const { connections: [seen] } = await origin.until({ openSockets: 0 });
      assertEndedWell(under, seen);
      assertStrictEquals(await sink.closed(), undefined);
      socket.close();
      socket.destroy(new Error("too late"));
      await settled(origin);
      assertEquals(sink.closes, [undefined]);
    }));

  test(`${name}: close() first sends all that was written (trap 23)`, () =>
    withOrigin(under, { behaviour: { kind: "discard" } }, async ({ origin, dial }) => {
      const { socket, sink } = await dial();
      socket.write(pattern(0, 4 * megabyte));
      socket.write(pattern(0, 1));
      socket.close();
      const { connections: [seen] } = await origin.until({ openSockets: 0, accepted: 1 });
      assertEquals(seen?.bytesReceived, 4 * megabyte + 1);
      assertEndedWell(under, seen);
      assertStrictEquals(await sink.closed(), undefined);
    }));

  test(`${name}: close() gives up on a peer that takes nothing (trap 10)`, () =>
    withOrigin(under, { behaviour: { kind: "discard" } }, async ({ origin, dial }) => {
      const { socket, sink } = await closeUnread(origin, dial);
      assertEquals(assertSocketError(await sink.closed()).failure, "timeout");
      socket.destroy();
      // What the system has taken already still has to go out.
      await origin.act({ kind: "resume" });
      await origin.until({ openSockets: 0 });
      assertEquals(sink.closes.length, 1);
    }, under.createImpatient()));

  test(`${name}: close() ends a paused socket too`, () =>
    withOrigin(under, { behaviour: { kind: "echo" } }, async ({ origin, dial }) => {
      const { socket, sink } = await dial();
      socket.pause();
      socket.close();
      const { connections: [seen] } = await origin.until({ openSockets: 0, accepted: 1 });
      assertEndedWell(under, seen);
      assertStrictEquals(await sink.closed(), undefined);
    }));

  test(`${name}: close() of a socket without a sink releases it`, () =>
    withOrigin(under, {}, async ({ origin, dialBare }) => {
      (await dialBare()).close();
      const { connections: [seen] } = await origin.until({ openSockets: 0, accepted: 1 });
      assertEndedWell(under, seen);
    }));

  test(`${name}: destroy() lets go at once and reports its error once`, () =>
    withOrigin(under, { behaviour: { kind: "echo" } }, async ({ origin, dial }) => {
      const { socket, sink } = await dial();
      await origin.until({ handshakes: 1 });
      socket.write(pattern(0, 100));
      const error = new Error("enough");
      socket.destroy(error);
      assertEquals(sink.closes, []);
      assertEquals(socket.write(pattern(0, 1)), false);
      socket.destroy(new Error("again"));
      socket.close();
      assertStrictEquals(await sink.closed(), error);
      await origin.until({ openSockets: 0 });
      await settled(origin);
      assertEquals(sink.closes.length, 1);
      assertEquals(sink.late + sink.received, 0);
    }));

  test(`${name}: destroy() without an error reports none`, () =>
    withOrigin(under, {}, async ({ origin, dial }) => {
      const { socket, sink } = await dial();
      socket.destroy();
      assertStrictEquals(await sink.closed(), undefined);
      await origin.until({ openSockets: 0, accepted: 1 });
    }));

  test(`${name}: destroy() releases a socket whose close() waits for a slow peer`, () =>
    withOrigin(under, { behaviour: { kind: "discard" } }, async ({ origin, dial }) => {
      const { socket, sink } = await closeUnread(origin, dial);
      await settled(origin);
      assertEquals(sink.closes, []);
      const error = new Error("enough");
      socket.destroy(error);
      assertStrictEquals(await sink.closed(), error);
      await origin.act({ kind: "resume" });
      await origin.until({ openSockets: 0 });
      assertEquals(sink.closes.length, 1);
    }));

  test(`${name}: destroy() within onData stops the flow`, () =>
    withOrigin(under, {
      behaviour: { kind: "source", bytes: megabyte },
    }, async ({ origin, dialBare }) => {
      const socket = await dialBare();
      const sink = new RecordingSink();
      let chunks = 0;
      sink.onChunk = () => {
        chunks++;
        socket.destroy();
      };
      socket.attach(sink);
      await sink.closed();
      await origin.until({ openSockets: 0 });
      assertEquals(chunks, 1);
    }));
}

/** Writes more than the peer takes, which has stopped reading, and closes. */
async function closeUnread(origin: Origin, dial: () => Promise<Dialled>): Promise<Dialled> {
  const dialled = await dial();
  await origin.until({ handshakes: 1 });
  await origin.act({ kind: "pause" });
  dialled.socket.write(pattern(0, STUCK_BYTES));
  dialled.socket.close();
  return dialled;
}

function assertSocketError(error: unknown): SocketError {
  assert(error !== undefined, "onClose told of no error");
  assertInstanceOf(error, SocketError);
  return error;
}

/** Says that the peer saw close_notify and FIN. Of a proxy it sees the FIN when that passes it on. */
function assertEndedWell(under: DialerUnderTest, seen: ConnectionReport | undefined): void {
  const count = under.isTunnelled ? 1 : 2;
  assertEquals(seen?.ended.slice(0, count), ["close_notify", "fin"].slice(0, count));
}
