import { assert, assertEquals } from "@std/assert";
import test from "node:test";
import { memoryDialer } from "../../adapters/memory.ts";
import type { ConnectionPool } from "../../src/pool/pool.ts";
import { FleetScene, standings } from "../support/fleet_scene.ts";

const DEAD = "192.0.2.2";

/** Has every pool ask for some connections, and give them back. */
async function use(scene: FleetScene, ms = 100): Promise<void> {
  for (const pool of scene.pools) {
    for (let caller = 0; caller < 8; caller++) {
      pool.acquire("b.test").then((lease) => lease.release(), () => {});
    }
  }
  await scene.pass(ms);
}

/** Lets a machine die that all have connections to, and gives how many dials failed in a while. */
async function failuresOf(scene: FleetScene, members: number, forMs: number): Promise<number> {
  for (let number = 0; number < members; number++) scene.add();
  for (let time = 0; time < 10; time++) await use(scene);
  scene.down.add(DEAD);
  for (const { manager } of scene.pools) {
    for (const connection of manager.getConnections(DEAD)) manager.removeConnection(connection);
  }
  for (let passed = 0; passed < forMs; passed += 100) await use(scene);
  return scene.refused.reduce((sum, count) => sum + count, 0);
}

const standing = (pool: ConnectionPool) => standings(pool)[DEAD];

test("Of a machine that dies, all pools learn by the dials of one, and one each", async () => {
  for (const forMs of [2_700, 20_000]) {
    await using one = new FleetScene();
    const alone = await failuresOf(one, 1, forMs);
    await using four = new FleetScene();
    const together = await failuresOf(four, 4, forMs);
    assert(together <= alone + 4, `${together} failed, and ${alone} of a pool alone`);
    for (const pool of four.pools) assert(standing(pool) !== "good");
  }
});

test("Of a machine that is back, all pools know as soon as one does, however long it was dead", async () => {
  await using scene = new FleetScene({ leaseMs: 1_000 });
  await failuresOf(scene, 4, 10_000);
  scene.down.clear();
  const isGood = (pool: ConnectionPool) => standing(pool) === "good";
  for (let time = 0; time < 1_000 && !scene.pools.some(isGood); time++) await use(scene, 20);
  await use(scene, 400);
  assertEquals(scene.pools.map(standing), Array(4).fill("good"));
});

test("Others hear of a machine that refuses one pool, and not of what that pool itself lacks", async () => {
  for (const failure of ["refused", "resources", "permission"] as const) {
    await using scene = new FleetScene();
    const { clock } = scene;
    const script = ({ address }: { readonly address: string }) =>
      address === DEAD ? { failure } : {};
    const hearer = scene.add();
    scene.add({ dialer: memoryDialer({ clock, script }) });
    for (let time = 0; time < 30; time++) await use(scene);
    const heard = hearer.fleet!.stats().verdicts.length > 0;
    assertEquals([failure, heard], [failure, failure === "refused"]);
  }
});

test("That an address works again is told after its verdict has run out, too, and once", async () => {
  await using scene = new FleetScene();
  const [teller, hearer] = [scene.add(), scene.add()];
  await scene.pass(100);
  teller.fleet!.condemn("b.test", DEAD, "refused", 5_000);
  await scene.pass(60_000, 1_000);
  assertEquals(hearer.fleet!.stats().verdicts, []);
  for (const told of [1, 0]) {
    const { hints } = hearer.fleet!.stats();
    teller.fleet!.reached("b.test", DEAD);
    await scene.pass(50);
    assertEquals(hearer.fleet!.stats().hints - hints, told);
  }
});

test("An answer that came with the end of its machine does not outweigh what others say of it", async () => {
  await using scene = new FleetScene();
  const [teller, hearer] = [scene.add(), scene.add()];
  for (let time = 0; time < 10; time++) await use(scene);
  const lease = await hearer.acquire("b.test", { ip: DEAD });
  teller.fleet!.condemn("b.test", DEAD, "refused", 5_000);
  lease.release();
  for (const connection of hearer.manager.getConnections(DEAD)) {
    hearer.manager.removeConnection(connection);
  }
  await scene.pass(20);
  assertEquals(standing(hearer), "doubtful");
});

test("An answer over a connection that is open still outweighs what others say", async () => {
  await using scene = new FleetScene();
  const [teller, hearer] = [scene.add(), scene.add()];
  for (let time = 0; time < 10; time++) await use(scene);
  const lease = await hearer.acquire("b.test", { ip: DEAD });
  teller.fleet!.condemn("b.test", DEAD, "refused", 5_000);
  lease.release();
  await scene.pass(20);
  assertEquals(standing(hearer), "good");
});
