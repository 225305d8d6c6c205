import { assert, assertEquals } from "@std/assert";
import { Hono } from "hono";
import type { Page } from "playwright-core";
import { adminRouter } from "../../adapters/hono.ts";
import { memoryDialer } from "../../adapters/memory.ts";
import { type ConnectionPool, createPool, staticResolver } from "../../mod.ts";
import { fleetOver, readFleetOptions } from "../../src/pool/fleet/fleet_over.ts";
import { testVisit } from "../support/dashboard_browser.ts";
import { MemoryFleetStore } from "../support/memory_fleet_store.ts";
import { pause } from "../support/services.ts";

const TOKENS = { act: "a-token-that-may-act", read: "a-token-that-only-reads" };

/** Looks at the first of two real pools of one fleet through a real router. */
function testFleet(
  name: string,
  body: (page: Page, pools: readonly [ConnectionPool, ConnectionPool]) => Promise<void>,
  token: string = TOKENS.act,
): void {
  let pools: readonly [ConnectionPool, ConnectionPool] | undefined;
  let app: Hono | undefined;
  const ending = new AbortController();
  const open = () => {
    const store = new MemoryFleetStore();
    const times = { name: "shop", leaseMs: 600, goneAfterMs: 2_000 };
    const make = () =>
      createPool({
        dialer: memoryDialer(),
        resolver: staticResolver({ "a.test": ["192.0.2.1"], "b.test": ["192.0.2.2"] }),
        fleet: fleetOver(store, readFleetOptions("a fleet", times)),
        maxConnectionsPerIp: 100,
      });
    pools ??= [make(), make()];
    return app ??= new Hono().route(
      "/admin",
      adminRouter({ main: pools[0] }, { auth: TOKENS, signal: ending.signal }),
    );
  };
  const router = { fetch: (request: Request) => open().fetch(request) };
  testVisit(name, { router, path: "/admin", token }, async ({ page }) => {
    assert(pools);
    try {
      await body(page, pools);
    } finally {
      ending.abort();
      await Promise.all(pools.map((pool) => pool.close({ graceMs: 0 })));
    }
  });
}

/** The texts of a line of a table. */
async function line(page: Page, table: string, first: string): Promise<string[]> {
  const row = page.locator(`#${table} tr`).filter({ has: page.getByText(first, { exact: true }) });
  return (await row.locator("td").allInnerTexts()).slice(1, 5);
}

async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  const end = performance.now() + 30_000;
  while (!await holds()) {
    assert(performance.now() < end, "it did not come true in time");
    await pause(20);
  }
}

testFleet("the page shows the fleet, and what all members have where", async (page, pools) => {
  await pools[0].warm("a.test", { connections: 3 });
  await pools[1].warm("a.test", { connections: 2 });
  await pools[1].warm("b.test", { connections: 4 });
  const lease = await pools[1].acquire("b.test");
  await page.getByRole("heading", { name: "Fleet 2 members" }).waitFor();
  await page.getByText("shop · Joined · memory").waitFor();
  await until(async () => (await line(page, "fleet-addresses", "192.0.2.1"))[1] === "5");
  assertEquals(await line(page, "fleet-addresses", "192.0.2.1"), ["2", "5", "0", "100"]);
  await until(async () => (await line(page, "fleet-hosts", "b.test"))[2] === "1");
  // The lease is of HTTP/1.1 alone, and has its own connection.
  assertEquals((await line(page, "fleet-hosts", "b.test")).slice(0, 3), ["1", "5", "1"]);
  assertEquals(await page.locator("#fleet-members tr").count(), 2);
  const own = await line(page, "fleet-members", `${pools[0].fleet!.stats().member} (this pool)`);
  assertEquals(own.slice(1), ["3", "0"]);
  assert(/^\d+ s$/.test(own[0]!), own[0]);
  lease.release();
});

testFleet("a block, its end and a drain are for one pool or for all", async (page, pools) => {
  for (const pool of pools) await pool.warm("a.test", { connections: 2 });
  const dialog = page.getByRole("dialog");
  const scope = dialog.locator("select[name=scope]");
  const confirm = (verb: string) => dialog.getByRole("button", { name: verb, exact: true }).click();
  const blocked = () => pools.map((pool) => pool.stats().blocks.map(({ ip }) => ip).join());
  const menu = async (action: string) => {
    await page.getByRole("button", { name: "Actions" }).click();
    await page.getByRole("button", { name: action }).click();
  };

  await menu("Block an address…");
  await dialog.getByLabel("Address").fill("192.0.2.9");
  await confirm("Block");
  await dialog.waitFor({ state: "hidden" });
  assertEquals(blocked(), ["192.0.2.9", ""]);

  await menu("Block an address…");
  await dialog.getByLabel("Address").fill("192.0.2.8");
  await scope.selectOption("All pools of the fleet");
  await confirm("Block");
  await dialog.waitFor({ state: "hidden" });
  await until(() => blocked().join(" ") === "192.0.2.9,192.0.2.8 192.0.2.8");
  await page.getByRole("button", { name: "Unblock 192.0.2.8" }).click();
  await scope.selectOption("All pools of the fleet");
  await confirm("Unblock");
  await until(() => blocked().join(" ") === "192.0.2.9 ");

  await page.getByRole("button", { name: "Drain 192.0.2.1 in the whole fleet" }).click();
  assertEquals(await scope.inputValue(), "fleet");
  for (const pool of pools) await pool.warm("a.test", { connections: 0 });
  await confirm("Drain");
  await until(() => pools.every((pool) => pool.stats().connections === 0));
  await page.locator("#log", { hasText: "192.0.2.1 for the fleet" }).waitFor();
});

testFleet("who may only read sees the fleet, and cannot act on it", async (page, pools) => {
  await pools[1].warm("a.test", { connections: 2 });
  await page.locator("#fleet-addresses tr").first().waitFor();
  assertEquals(await page.getByRole("button", { name: /in the whole fleet/ }).count(), 0);
}, TOKENS.read);

testVisit("nothing of a fleet is shown of a pool that is in none", {}, async ({ page }) => {
  assertEquals(await page.locator("#fleet").isVisible(), false);
  await page.getByRole("button", { name: "Actions" }).click();
  await page.getByRole("button", { name: "Block an address…" }).click();
  await page.getByRole("dialog").getByLabel("Address").waitFor();
  assertEquals(await page.locator("select[name=scope]").count(), 0);
});
