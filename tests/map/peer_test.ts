import { assert, assertEquals, assertFalse } from "@std/assert";
import test from "node:test";
import { MapWorld, peerOf } from "../support/map_world.ts";
import { turns } from "../support/turns.ts";

test("bytes on an idle connection take it out of both maps at once (trap 6)", async () => {
  await using it = new MapWorld();
  const { manager } = it;
  const connection = it.add("a.example", "192.0.2.1");
  peerOf(connection).receive(new TextEncoder().encode("HTTP/1.1 200 OK\r\n\r\n"));
  // Within the very turn in which they came: nobody can take it any more.
  assertEquals(manager.take("a.example"), undefined);
  assertEquals(manager.getConnectionCount(), 0);
  assertEquals(it.evicted(), [[connection.id, "unsolicited"]]);
  assertFalse(connection.healthy);
  assertFalse(peerOf(connection).open);
  manager.checkInvariants();
  peerOf(connection).receive(new Uint8Array(1));
  await turns();
  assertEquals(it.evicted(), []);
});

test("bytes after the end of a lease take the connection out, those before it do not (trap 6)", async () => {
  await using it = new MapWorld();
  const { manager } = it;
  const connection = it.add("a.example", "192.0.2.1");
  manager.take("a.example");
  let bytes = 0;
  connection.setSink({
    onData: ({ length }) => void (bytes += length),
    onDrain() {},
    onClose() {},
  });
  peerOf(connection).receive(new Uint8Array(5));
  assert(manager.give(connection));
  peerOf(connection).receive(new Uint8Array(1));
  assertEquals(bytes, 5);
  assertEquals(it.evicted(), [[connection.id, "unsolicited"]]);
});

test("bytes that came between handshake and addConnection() are not overlooked (trap 6)", async () => {
  await using it = new MapWorld();
  const { manager } = it;
  const socket = it.socket();
  socket.receive(new Uint8Array(1));
  const connection = it.add("a.example", "192.0.2.1", { socket });
  await turns();
  assertEquals(it.evicted(), [[connection.id, "unsolicited"]]);
  assertEquals(manager.getConnectionCount(), 0);
});

test("a peer that hangs up, or breaks off, takes its connection out of both maps (trap 6)", async () => {
  await using it = new MapWorld();
  const { manager } = it;
  const [orderly, broken, leased] = [
    it.add("a.example", "192.0.2.1"),
    it.add("a.example", "192.0.2.2"),
    it.add("b.example", "192.0.2.2"),
  ];
  manager.take("b.example");
  const error = new Error("reset");
  peerOf(orderly).end();
  peerOf(broken).end(error);
  peerOf(leased).end();
  await turns();
  manager.checkInvariants();
  assertEquals(it.evictions.map((eviction) => eviction.error), [undefined, error, undefined]);
  assertEquals(it.evicted(), [[orderly.id, "peer"], [broken.id, "error"], [leased.id, "peer"]]);
  assertEquals(manager.getHostMapping().size, 0);
  assertEquals([orderly.state, broken.state, leased.state], ["closed", "closed", "closed"]);
  assertEquals(manager.take("a.example"), undefined);
});

test("a connection that its holder ends leaves the maps as removed, not as its peer's doing", async () => {
  await using it = new MapWorld();
  const { manager } = it;
  const [closed, destroyed] = [it.add("a.example", "192.0.2.1"), it.add("b.example", "192.0.2.1")];
  manager.take("b.example");
  const error = new Error("a bad answer");
  closed.close();
  destroyed.destroy(error);
  manager.checkInvariants();
  assertEquals(it.evictions.map((eviction) => eviction.error), [undefined, error]);
  assertEquals(it.evicted(), [[closed.id, "removed"], [destroyed.id, "removed"]]);
  assertEquals(manager.getConnectionCount(), 0);
  assertEquals(manager.endingCount, 2);
  await turns();
  assertEquals(manager.endingCount, 0);
  assertEquals(it.evicted(), []);
});
