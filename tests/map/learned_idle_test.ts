import { assertEquals } from "@std/assert";
import test from "node:test";
import { Endpoint } from "../../src/map/endpoint.ts";
import { Lane } from "../../src/map/lane.ts";
import { MapWorld, peerOf } from "../support/map_world.ts";
import { turns } from "../support/turns.ts";

const HOST = "a.example";
const IP = "192.0.2.1";

function endpoint(): Endpoint {
  return new Endpoint(new Lane(HOST, "default"), IP);
}

/** Hangs up at moments after idle times, and says for how long a connection is trusted then. */
function taught(...hangUps: readonly (readonly [at: number, idleMs: number])[]): number {
  const it = endpoint();
  for (const [at, idleMs] of hangUps) it.noteHangUp(idleMs, at);
  return it.trustedIdleMs(hangUps.at(-1)![0]);
}

/** Adds a connection whose server hangs up when it was idle for so long. */
async function hangUpAfter(it: MapWorld, idleMs: number, error?: Error): Promise<void> {
  const connection = it.add(HOST, IP);
  it.clock.advance(idleMs);
  peerOf(connection).end(error);
  await turns();
}

test("Two hang-ups after the same idle time, at different moments, teach it", () => {
  assertEquals(taught([10_000, 5_000]), Infinity);
  assertEquals(taught([10_000, 5_000], [20_000, 5_000]), 3_000);
  // The shorter one counts, less two seconds, or less half of it.
  assertEquals(taught([10_000, 5_400], [20_000, 5_000]), 3_000);
  assertEquals(taught([10_000, 60_000], [80_000, 60_000]), 58_000);
  assertEquals(taught([10_000, 3_000], [20_000, 3_000]), 1_500);
  assertEquals(taught([10_000, 1_000], [20_000, 1_240]), 500);
});

test("Hang-ups that do not agree, or came at once, or too soon after use, teach nothing", () => {
  assertEquals(taught([10_000, 5_000], [20_000, 5_600]), Infinity);
  assertEquals(taught([10_000, 1_000], [20_000, 1_300]), Infinity);
  assertEquals(taught([10_000, 999], [20_000, 999]), Infinity);
  // A server that restarts.
  assertEquals(taught([10_000, 5_000], [10_000, 5_000], [11_249, 5_000]), Infinity);
  assertEquals(taught([10_000, 1_000], [10_249, 1_000]), Infinity);
  // Two in a row: what comes between them spoils it.
  assertEquals(taught([10_000, 5_000], [20_000, 9_000], [30_000, 5_000]), Infinity);
  // Of many at one moment the first one stands for all.
  assertEquals(taught([10_000, 5_000], [11_000, 5_000], [11_250, 5_000]), 3_000);
});

test("What was learned holds for ten minutes from the last time, and can be learned again", () => {
  const it = endpoint();
  it.noteHangUp(5_000, 10_000);
  it.noteHangUp(5_000, 20_000);
  assertEquals(it.trustedIdleMs(619_999), 3_000);
  assertEquals(it.trustedIdleMs(620_000), Infinity);
  it.noteHangUp(5_000, 700_000);
  assertEquals(it.trustedIdleMs(700_000), 3_000);
  // The server was told to keep them for longer.
  it.noteHangUp(30_000, 740_000);
  it.noteHangUp(30_000, 780_000);
  assertEquals(it.trustedIdleMs(780_000), 28_000);
});

test("take() and cleanup leave alone what a server was seen not to keep for so long", async () => {
  await using it = new MapWorld();
  it.manager.hosts.openLane(HOST, "default");
  await hangUpAfter(it, 5_000);
  await hangUpAfter(it, 5_000);
  assertEquals(it.evicted().map(([, reason]) => reason), ["peer", "peer"]);
  const elsewhere = it.add("b.example", IP);
  const [first, second] = [it.add(HOST, IP), it.add(HOST, IP)];
  it.clock.advance(2_999);
  assertEquals(it.manager.take(HOST), second);
  it.manager.give(second);
  it.clock.advance(1);
  assertEquals(it.manager.cleanupIdleConnections(), 1);
  assertEquals(it.evicted(), [[first.id, "idle"]]);
  it.clock.advance(2_999);
  assertEquals(it.manager.take(HOST), undefined);
  assertEquals(it.evicted(), [[second.id, "idle"]]);
  // What was learned of one host says nothing of another one on the same machine.
  assertEquals(it.manager.take("b.example"), elsewhere);
  it.manager.give(elsewhere);
});

test("The end of a lease, an error, and what this side ends teach nothing", async () => {
  await using it = new MapWorld();
  const lane = it.manager.hosts.openLane(HOST, "default");
  const trusted = () => lane.endpoint(IP).trustedIdleMs(it.clock.now());
  for (let i = 0; i < 3; i++) await hangUpAfter(it, 5_000, new Error("reset"));
  for (let i = 0; i < 3; i++) {
    const connection = it.add(HOST, IP);
    it.manager.take(HOST);
    it.clock.advance(5_000);
    peerOf(connection).end();
    await turns();
  }
  for (let i = 0; i < 3; i++) {
    const connection = it.add(HOST, IP);
    it.clock.advance(5_000);
    connection.close();
    await turns();
  }
  assertEquals(trusted(), Infinity);
  await hangUpAfter(it, 5_000);
  await hangUpAfter(it, 5_000);
  assertEquals(trusted(), 3_000);
});
