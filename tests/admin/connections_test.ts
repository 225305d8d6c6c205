import { assertEquals, assertStringIncludes } from "@std/assert";
import test from "node:test";
import { connectionPage } from "../../adapters/admin/connection_page.ts";
import { memorySocket } from "../../adapters/memory.ts";
import { Connection } from "../../src/map/connection.ts";
import { ConnectionManager } from "../../src/map/manager.ts";
import { adminScene, type Json } from "../support/admin_scene.ts";

test("connections are paged, filtered and sorted", async () => {
  await using scene = adminScene();
  await scene.pool.warm("a.test", { connections: 4 });
  await scene.pool.warm("b.test", { connections: 2 });
  scene.clock.advance(10);
  const lease = await scene.pool.acquire("a.test");
  const list = async (query: string): Promise<Json> =>
    await scene.json(`/api/pools/default/connections?${query}`);
  const all = await list("");
  assertEquals([all.total, all.offset, all.limit, all.connections.length], [6, 0, 100, 6]);
  const ids = all.connections.map(({ id }: Json) => id);
  assertEquals(ids, [...ids].sort((a, b) => a - b));
  const page = await list("offset=2&limit=3&order=desc");
  assertEquals(page.connections.map(({ id }: Json) => id), ids.toReversed().slice(2, 5));
  assertEquals([page.total, page.offset, page.limit], [6, 2, 3]);
  assertEquals((await list("offset=100")).connections, []);
  assertEquals((await list("host=B.test")).total, 2);
  assertEquals((await list("host=c.test")).total, 0);
  assertEquals((await list("address=192.0.2.2")).total, 2);
  assertEquals((await list("host=b.test&address=192.0.2.2")).total, 0);
  assertEquals((await list("address=192.0.2.2:8443")).total, 0);
  const leased = await list("state=leased");
  assertEquals(leased.connections.map(({ id }: Json) => id), [lease.connection.id]);
  const busiest = await list("sort=requestCount&order=desc&limit=1");
  assertEquals(busiest.connections[0].id, lease.connection.id);
  const byHost = await list("sort=host&order=desc");
  assertEquals(byHost.connections[0].host, "b.test");
  const one = await scene.json(`/api/pools/default/connections/${lease.connection.id}`);
  assertEquals(one, leased.connections[0]);
  // It is found by its number alone, not by whatever has its value.
  for (const id of [`0${one.id}`, `${one.id}e0`, `${one.id}.0`, `%20${one.id}`]) {
    await scene.json(`/api/pools/default/connections/${id}`, 404);
  }
  lease.release();
});

test("an IP address alone filters all its ports, one with a port that port", async () => {
  await using scene = adminScene({}, { hosts: { "a.test": ["192.0.2.1", "192.0.2.1:8443"] } });
  await scene.pool.warm("a.test", { connections: 4 });
  const total = async (address: string): Promise<number> =>
    (await scene.json(`/api/pools/default/connections?address=${address}`)).total;
  assertEquals(await total("192.0.2.1"), 4);
  assertEquals(await total("::ffff:192.0.2.1"), 4);
  assertEquals(await total("192.0.2.1:8443"), 2);
  assertEquals(await total("192.0.2.1:443"), 2);
});

test("a query that makes no sense is 400, and says why", async () => {
  await using scene = adminScene();
  for (
    const [query, part] of [
      ["limit=0", "from 1 to 1000"],
      ["limit=1001", "from 1 to 1000"],
      ["limit=-1", "from 1 to 1000"],
      ["limit=1e2", "from 1 to 1000"],
      ["limit=", "from 1 to 1000"],
      ["offset=99999999999999999999", "offset"],
      ["offset=1.5", "offset"],
      ["sort=socket", "one of id, host"],
      ["sort=__proto__", "one of id, host"],
      ["order=up", "asc, desc"],
      ["state=closed", "idle, leased, draining"],
      ["host=%3Cscript%3E", "neither a host name nor"],
      ["address=example.com", "is not an IP address"],
      ["limit=1&limit=2", "stands twice"],
      ["limt=5", "Unknown parameter \"limt\""],
      ["__proto__=1", "Unknown parameter"],
    ]
  ) {
    const { error } = await scene.json(`/api/pools/default/connections?${query}`, 400);
    assertEquals(error.code, "bad_request");
    assertStringIncludes(error.message, part!);
  }
  assertStringIncludes((await scene.json("/api/pools?x=1", 400)).error.message, "there is none");
});

test("a connection's number that is none is 404", async () => {
  await using scene = adminScene();
  for (const id of ["0", "-1", "1e3", "999999999999999999999999", "NaN", "%3Cscript%3E", "1.0"]) {
    await scene.json(`/api/pools/default/connections/${id}`, 404);
  }
});

test("a page of a hundred thousand connections is the same as of all of them sorted", async () => {
  const count = 100_000;
  const manager = new ConnectionManager({
    maxConnections: count,
    maxConnectionsPerHost: count,
    maxConnectionsPerIp: count,
  });
  for (let index = 0; index < count; index++) {
    const address = `10.0.${index * 7 % 250}.${index * 13 % 250}`;
    const connection = new Connection({ host: "a.test", address, socket: memorySocket() });
    connection.requestCount = index * 7_919 % 10_007;
    manager.addConnection(connection);
  }
  let copies = 0;
  const stats = Connection.prototype.stats;
  Connection.prototype.stats = function() {
    copies++;
    return stats.call(this);
  };
  try {
    const query = { sort: "requestCount", order: "desc", offset: "2500", limit: "50" };
    const page = connectionPage(manager, query);
    assertEquals([page.total, page.connections.length, copies], [count, 50, 50]);
    const sorted = [...manager.connections()]
      .sort((a, b) => b.requestCount - a.requestCount || b.id - a.id)
      .slice(2_500, 2_550);
    assertEquals(page.connections.map(({ id }) => id), sorted.map(({ id }) => id));
  } finally {
    Connection.prototype.stats = stats;
  }
  await manager.close();
});
