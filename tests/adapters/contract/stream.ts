/**
 * The dialer contract: bytes both ways, and whoever is slow is felt by the other.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import test from "node:test";
import { pattern } from "../../support/pattern.ts";
import { RecordingSink } from "../../support/recording_sink.ts";
import { type DialerUnderTest, type Dialled, settled, withOrigin } from "./support.ts";

const megabyte = 1_048_576;

/** Registers this part's tests. */
export function testStream(name: string, under: DialerUnderTest): void {
  test(`${name}: write() and onData carry 8 MiB there and back intact (trap 23)`, () =>
    withOrigin(under, { behaviour: { kind: "echo" } }, async ({ dial }) => {
      const { socket, sink } = await dial();
      await writePattern({ socket, sink }, 8 * megabyte);
      await sink.bytes(8 * megabyte);
      assertEquals(sink.mismatch, -1);
      assertEquals(sink.received, 8 * megabyte);
    }));

  test(`${name}: write() takes 8 MiB at once, and small ones after it, in order (trap 23)`, () =>
    withOrigin(under, { behaviour: { kind: "echo" } }, async ({ dial }) => {
      const { socket, sink } = await dial();
      const length = 8 * megabyte;
      assertEquals(socket.write(pattern(0, length)), false);
      for (let i = 0; i < 100; i++) socket.write(pattern(length + i, 1));
      await sink.bytes(length + 100);
      assertEquals(sink.mismatch, -1);
      assert(sink.drains > 0);
    }));

  test(`${name}: write() of nothing does no harm`, () =>
    withOrigin(under, { behaviour: { kind: "echo" } }, async ({ dial }) => {
      const { socket, sink } = await dial();
      socket.write(new Uint8Array(0));
      socket.write(pattern(0, 3));
      await sink.bytes(3);
      assertEquals(sink.mismatch, -1);
    }));

  test(`${name}: write() says false to a peer that does not read, and onDrain when it reads again`, () =>
    withOrigin(under, { behaviour: { kind: "discard" } }, async ({ origin, dial }) => {
      const { socket, sink } = await dial();
      await origin.until({ handshakes: 1 });
      await origin.act({ kind: "pause" });
      const chunk = pattern(0, megabyte);
      let written = 0;
      let drains = 0;
      // The system's buffers take some megabytes before the peer's slowness is felt.
      for (let full = false; !full; full = await isStuck(sink, drains)) {
        assert(written < 64 * megabyte, "write() takes all, whatever the peer does");
        drains = sink.drains;
        const more = socket.write(chunk);
        written += chunk.length;
        if (more) drains = -1;
      }
      await origin.act({ kind: "resume" });
      await sink.drain(drains);
      await origin.until({ bytesReceived: written });
      assertEquals(sink.drains, drains + 1);
      assertEquals(sink.closes, []);
    }));

  test(`${name}: attach() reports an onDrain that was due before it`, () =>
    withOrigin(under, { behaviour: { kind: "discard" } }, async ({ origin, dialBare }) => {
      const socket = await dialBare();
      await origin.until({ handshakes: 1 });
      // The system alone would take it all, from a peer that is quick.
      await origin.act({ kind: "pause" });
      assertEquals(socket.write(pattern(0, 32 * megabyte)), false);
      await origin.act({ kind: "resume" });
      await origin.until({ bytesReceived: 32 * megabyte });
      await settled(origin);
      const sink = new RecordingSink();
      socket.attach(sink);
      assertEquals(sink.drains, 0);
      await sink.drain(0);
      await settled(origin);
      assertEquals(sink.drains, 1);
    }));

  test(`${name}: pause() holds the peer back and resume() loses nothing`, () =>
    withOrigin(under, {
      behaviour: { kind: "source", bytes: 32 * megabyte },
    }, async ({ origin, dial }) => {
      const { socket, sink } = await dial();
      await sink.bytes(1);
      socket.pause();
      const atPause = sink.received;
      await settled(origin);
      await settled(origin);
      assertEquals(sink.received, atPause);
      socket.resume();
      await sink.bytes(32 * megabyte);
      assertEquals(sink.mismatch, -1);
    }));

  for (const paused of [true, false]) {
    const when = paused ? "its sink pauses" : "it has no sink";
    test(`${name}: a socket keeps little of what its peer sends while ${when}`, () =>
      withOrigin(under, {
        behaviour: { kind: "source", bytes: 64 * megabyte },
      }, async ({ origin, dial, dialBare }) => {
        const { socket, sink } = paused ? await dial() : { socket: await dialBare(), sink: null };
        await sink?.bytes(1);
        if (paused) socket.pause();
        await origin.until({ bytesSent: 1 });
        // The system's buffers take some megabytes before the peer is held back.
        let sent = 0;
        for (let more = 1; more > 0;) {
          await new Promise((resolve) => setTimeout(resolve, 100));
          const [seen] = (await origin.report()).connections;
          more = seen!.bytesSent - sent;
          sent += more;
        }
        // Those of a proxy as well.
        const most = under.isTunnelled ? 56 : 32;
        assert(sent < most * megabyte, `The peer has sent ${sent} bytes`);
      }));
  }

  test(`${name}: pause() within onData, over and over, loses and doubles nothing`, () =>
    withOrigin(under, {
      behaviour: { kind: "source", bytes: 4 * megabyte },
    }, async ({ dial }) => {
      const { socket, sink } = await dial();
      let paused = false;
      let whilePaused = 0;
      sink.onChunk = () => {
        if (paused) whilePaused++;
        paused = true;
        socket.pause();
        setTimeout(() => {
          paused = false;
          socket.resume();
        });
      };
      await sink.bytes(4 * megabyte);
      assertEquals(sink.mismatch, -1);
      assertEquals(whilePaused, 0);
    }));

  test(`${name}: attach() reports what arrived before it, once and in order`, () =>
    withOrigin(under, { behaviour: { kind: "discard" } }, async ({ origin, dialBare }) => {
      const socket = await dialBare();
      await origin.until({ handshakes: 1 });
      await origin.act({ kind: "send", text: "one " });
      await origin.act({ kind: "send", text: "two" });
      await settled(origin);
      let text = "";
      socket.attach({
        onData: (bytes) => void (text += String.fromCharCode(...bytes)),
        onDrain: () => {},
        onClose: () => {},
      });
      assertEquals(text, "");
      while (text.length < 7) await settled(origin);
      assertEquals(text, "one two");
    }));

  test(`${name}: attach() names another sink in place of the first`, () =>
    withOrigin(under, { behaviour: { kind: "echo" } }, async ({ dial }) => {
      const first = await dial();
      first.socket.write(pattern(0, 4));
      await first.sink.bytes(4);
      const { sink } = await dial();
      first.socket.attach(sink);
      first.socket.write(pattern(0, 4));
      await sink.bytes(4);
      assertEquals(first.sink.received, 4);
    }));

  test(`${name}: an idle socket reports at once what the peer says unasked (trap 6)`, () =>
    withOrigin(under, { behaviour: { kind: "discard" } }, async ({ origin, dial }) => {
      const { sink } = await dial();
      await origin.until({ handshakes: 1 });
      await origin.act({ kind: "send", text: "unasked" });
      await sink.bytes(7);
      assertEquals(sink.text, "unasked");
      assertEquals(sink.closes, []);
    }));
}

/** Writes the pattern in chunks of many sizes, and waits whenever it is told to. */
async function writePattern({ socket, sink }: Dialled, length: number): Promise<void> {
  const sizes = [1, 100, 16_384, 16_385, 65_536, 300_001];
  for (let at = 0, i = 0; at < length; i++) {
    const size = Math.min(sizes[i % sizes.length]!, length - at);
    const { drains } = sink;
    if (!socket.write(pattern(at, size))) await sink.drain(drains);
    at += size;
  }
}

/** Whether no drain follows the given number of them: what was written finds no room. */
async function isStuck(sink: RecordingSink, drains: number): Promise<boolean> {
  // That nothing comes can only be seen by waiting.
  if (sink.drains === drains) await new Promise((resolve) => setTimeout(resolve, 50));
  return sink.drains === drains;
}
