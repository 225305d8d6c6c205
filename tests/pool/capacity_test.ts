/**
 * Machines that take only so many connections, and machines that come back, over real sockets.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { ok, type Scene, withScene } from "../support/http_scene.ts";
import type { Capacity } from "../support/origin_types.ts";
import { testSideBySide } from "../support/side_by_side.ts";

const TAKES = 24;
const CALLERS = 40;

const SCRIPTS = { "*": [{ wait: "body" }, { waitMs: 250 }, { send: ok("fine") }] } as const;

interface Outcome {
  readonly answered: number;
  readonly others: readonly string[];
}

/** Has many callers ask, one request after another each, for a while, and until something holds. */
async function ask(
  { pool, url }: Scene,
  ms: number,
  holds: () => boolean = () => true,
): Promise<Outcome> {
  const target = url("/");
  const end = performance.now() + ms;
  const others: string[] = [];
  let answered = 0;
  const caller = async () => {
    while (performance.now() < end || !holds()) {
      try {
        const response = await pool.request(target);
        await response.dump();
        if (response.status === 200) answered++;
        else others.push(`${response.status}`);
      } catch (error) {
        others.push(`${error}`);
      }
    }
  };
  await Promise.all(Array.from({ length: CALLERS }, caller));
  return { answered, others };
}

function takesSoMany(beyond: Capacity["beyond"]): Promise<void> {
  return withScene({
    origin: {
      behaviour: { kind: "script", scripts: SCRIPTS },
      capacity: { connections: TAKES, beyond },
    },
    pool: {
      maxConnectionsPerIp: 64,
      failoverStatuses: [503],
    },
  }, async (scene) => {
    const { pool, origin } = scene;
    const ceilings: number[] = [];
    const standings: string[] = [];
    pool.on("ceiling", ({ connections }) => ceilings.push(connections));
    pool.on("eject", ({ reason }) => standings.push(reason));
    const host = `a.test:${origin.port}`;
    const ceiling = () => Object.values(pool.stats().hosts[host]!.addresses)[0]!.ceiling ?? 0;
    // It may take a slow machine longer, which sees fewer connections served until then.
    const isKnown = () => ceilings.length > 0 && ceiling() >= TAKES - 2;
    const first = await ask(scene, 1_500, isKnown);
    const { accepted } = await origin.report();
    const { dials } = pool.stats();
    const second = await ask(scene, 4_000);
    const later = await origin.report();
    const others = [...first.others, ...second.others];
    assertEquals([others.length, [...new Set(others)].slice(0, 3)], [0, []]);
    assertEquals(standings, []);
    const dialled = pool.stats().dials - dials;
    assert(dialled <= 12, `${dialled} dials within 4 s, ${accepted} and ${later.accepted} came`);
    assert(second.answered > 200, `${second.answered} answers`);
    assert(pool.stats().connections >= TAKES - 1, `${pool.stats().connections} connections`);
    assert([...ceilings, ceiling()].every((n) => n <= TAKES) && isKnown(), `${ceilings}`);
  });
}

function endsAfterHandshake(): Promise<void> {
  return withScene({
    origin: { behaviour: { kind: "http" }, capacity: { connections: 0, beyond: "hang up" } },
  }, async ({ origin, pool, url }) => {
    const target = url("/");
    // What waits, and what is to be kept warm, asks for more without end.
    pool.warm(`a.test:${origin.port}`, { connections: 4 }).catch(() => {});
    const end = performance.now() + 4_000;
    let failed = 0;
    const caller = async () => {
      while (performance.now() < end) {
        await pool.request(target, { timeoutMs: 1_000 }).catch(() => failed++);
      }
    };
    await Promise.all(Array.from({ length: 8 }, caller));
    const { accepted } = await origin.report();
    assert(accepted >= 5 && accepted <= 50, `${accepted} connections in 4 s`);
    assert(failed > 8, `${failed} failed`);
    const { addresses } = pool.stats().hosts[`a.test:${origin.port}`]!;
    const [address] = Object.values(addresses);
    assertEquals(address?.standing, "doubtful");
    assert(address?.health.verdict?.reason.includes("before it served"));
    await pool.warm(`a.test:${origin.port}`, { connections: 0 });
  });
}

/** Notes how long after a moment each machine answers again. */
async function backAfter(
  { pool, url }: Scene,
  addresses: readonly string[],
  since: number,
): Promise<Map<string, number>> {
  const back = new Map<string, number>();
  const target = url("/");
  while (back.size < addresses.length && performance.now() < since + 8_000) {
    await Promise.all(Array.from({ length: 8 }, async () => {
      const response = await pool.request(target).catch(() => undefined);
      if (!response) return;
      const { address } = response.connection;
      if (!back.has(address)) back.set(address, performance.now() - since);
      await response.dump();
    }));
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  return back;
}

function comesBack(): Promise<void> {
  return withScene({
    origin: {
      behaviour: { kind: "script", scripts: { "*": [{ wait: "body" }, { send: ok("fine") }] } },
      addresses: ["127.0.0.2", "127.0.0.3", "127.0.0.4", "127.0.0.5"],
    },
    pool: { slowStartMs: 0 },
  }, async (scene) => {
    const { origin, pool, url } = scene;
    const addresses = origin.addresses.map((ip) => `${ip}:${origin.port}`);
    assertEquals((await backAfter(scene, addresses, performance.now())).size, 4);
    await origin.stop();
    let stop = false;
    const caller = async () => {
      while (!stop) {
        await (await pool.request(url("/")).catch(() => undefined))?.dump();
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    };
    const all = Promise.all(Array.from({ length: 8 }, caller));
    await new Promise((resolve) => setTimeout(resolve, 7_000));
    await origin.start();
    const back = await backAfter(scene, addresses, performance.now());
    stop = true;
    await all;
    assertEquals(back.size, 4);
    const times = [...back.values()].map(Math.round);
    assert(Math.max(...times) <= 3_500, `back after ${times} ms`);
  });
}

const BEYOND: readonly Capacity["beyond"][] = ["refuse", "reset", "hang up", "503"];

testSideBySide({
  ...Object.fromEntries(BEYOND.map((beyond) => [
    `A server takes ${TAKES} connections, and with what is beyond it does this: ${beyond}`,
    () => takesSoMany(beyond),
  ])),
  "A server that ends each connection after its handshake is dialled a few times a second":
    endsAfterHandshake,
  "When all machines were dead for a while, each is used again within about two seconds": comesBack,
});
