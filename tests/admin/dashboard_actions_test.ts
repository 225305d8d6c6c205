import { assert, assertEquals, assertRejects } from "@std/assert";
import { Hono } from "hono";
import type { Page } from "playwright-core";
import { adminRouter } from "../../adapters/hono.ts";
import { type MemoryDial, memoryDialer } from "../../adapters/memory.ts";
import { type ConnectionPool, createPool, type DialTarget, staticResolver } from "../../mod.ts";
import { testVisit, type Visit } from "../support/dashboard_browser.ts";
import { answer, memoryHttp } from "../support/memory_http.ts";

const TOKENS = { act: "a-token-that-may-act", read: "a-token-that-only-reads" };

interface PoolVisit extends Visit {
  readonly dialog: ReturnType<Page["getByRole"]>;
}

/** Looks at a real pool through a real router. */
function testPool<T extends ConnectionPool>(
  name: string,
  make: () => T,
  body: (visit: PoolVisit, pool: T) => Promise<void>,
  { token = TOKENS.act, mayComplain = false } = {},
): void {
  let pool: T | undefined;
  let app: Hono | undefined;
  const ending = new AbortController();
  // Made when it is first asked for: a test that is skipped leaves no pool behind.
  const open = () => {
    pool ??= make();
    return app ??= new Hono().route(
      "/admin",
      adminRouter({ main: pool }, { auth: TOKENS, signal: ending.signal }),
    );
  };
  const router = { fetch: (request: Request) => open().fetch(request) };
  testVisit(name, { router, path: "/admin", token, mayComplain }, async (visit) => {
    assert(pool);
    try {
      await body({ ...visit, dialog: visit.page.getByRole("dialog") }, pool);
    } finally {
      ending.abort();
      await pool.close({ graceMs: 0 });
    }
  });
}

const HOSTS = { "a.test": ["192.0.2.1", "192.0.2.2"], "b.test": ["192.0.2.1"] };

function quietPool(): ConnectionPool {
  return createPool({ dialer: memoryDialer(), resolver: staticResolver(HOSTS) });
}

async function openMenu(page: Page, action: string): Promise<void> {
  await page.getByRole("button", { name: "Actions" }).click();
  await page.getByRole("button", { name: action }).click();
}

const tile = (page: Page, label: string) =>
  page.locator("#tiles .tile").filter({ has: page.getByText(label, { exact: true }) });

testPool("warm, evict, drain and limits act on the pool", quietPool, async (visit, pool) => {
  const { dialog, page } = visit;
  const toast = (text: string) => page.locator("#toast", { hasText: text }).waitFor();
  const confirm = (verb: string) => dialog.getByRole("button", { name: verb, exact: true }).click();

  await openMenu(page, "Warm a host…");
  await dialog.getByLabel("Host").fill("a.test");
  await dialog.getByLabel("Connections to keep open").fill("4");
  assertEquals(pool.stats().dials, 0);
  await confirm("Warm");
  await toast("Warm: 4 connections");
  assertEquals(pool.stats().hosts["a.test"]?.warmTarget, 4);
  assertEquals(pool.stats().idle, 4);
  await page.locator("#subline", { hasText: "4 connections" }).waitFor();

  await openMenu(page, "Warm a host…");
  await dialog.getByLabel("Host").fill("a.test");
  await dialog.getByLabel("Connections to keep open").fill("0");
  await confirm("Warm");
  await dialog.waitFor({ state: "hidden" });
  assertEquals(pool.stats().hosts["a.test"]?.warmTarget ?? 0, 0);

  const lease = await pool.acquire("a.test", { ip: "192.0.2.2" });
  const connectionId = lease.connection.id;
  await page.getByRole("gridcell", { name: "a.test at 192.0.2.2" }).click();
  await page.getByRole("button", { name: `Evict connection ${connectionId}`, exact: true }).click();
  await confirm("Cancel");
  await dialog.waitFor({ state: "hidden" });
  assert(pool.manager.getConnectionById(connectionId), "a cancelled action acts");
  await page.getByRole("button", { name: `Evict connection ${connectionId}`, exact: true }).click();
  await confirm("Evict");
  await toast("Evicted");
  assertEquals(pool.manager.getConnectionById(connectionId), undefined);
  await page.locator("#conns-count", { hasText: "of 2" }).waitFor();
  lease.release();

  await page.getByRole("button", { name: "Drain the address…" }).click();
  await confirm("Drain");
  await toast("Drained: 2 connections");
  await page.locator("#conns-count", { hasText: "none" }).waitFor();
  assertEquals(pool.stats().hosts["a.test"]?.addresses["192.0.2.2"]?.connections ?? 0, 0);
  await page.keyboard.press("Escape");

  await openMenu(page, "Drain a host or address…");
  await dialog.getByLabel("Host or address").fill("a.test");
  await confirm("Drain");
  await toast("Drained: 2 connections");
  assertEquals(pool.stats().connections, 0);
  await page.locator("#subline", { hasText: "0 connections" }).waitFor();

  await openMenu(page, "Change limits…");
  await dialog.getByLabel("Connections to one host").fill("3");
  await confirm("Change");
  await toast("Limits changed");
  const { maxConnections, maxConnectionsPerHost } = pool.manager.accountant.limits;
  assertEquals(maxConnectionsPerHost, 3);
  assert(maxConnections > 3, "a limit that was left empty has changed");

  await openMenu(page, "Change limits…");
  await confirm("Change");
  await dialog.getByRole("alert").getByText("Change at least one of them").waitFor();
  await confirm("Cancel");
  await page.locator("#log", { hasText: "limits" }).waitFor();
});

testPool(
  "the weight of an address is set, shown where it holds, changed and taken off",
  quietPool,
  async ({ dialog, page }, pool) => {
    await pool.warm("a.test", { connections: 2 });
    const weight = () => pool.stats().hosts["a.test"]!.addresses["192.0.2.1"]!.weight;
    const cell = page.getByRole("gridcell", { name: "a.test at 192.0.2.1" });
    const field = dialog.getByLabel(/^Weight/);
    const confirm = () => dialog.getByRole("button", { name: "Set", exact: true }).click();
    await cell.click();
    await page.getByRole("button", { name: "Weight…" }).click();
    assertEquals([await dialog.getByLabel("Address").inputValue(), await field.inputValue()], [
      "192.0.2.1",
      "1",
    ]);
    await field.fill("0.25");
    await confirm();
    await page.locator("#toast", { hasText: "Weight set: 0.25" }).waitFor();
    assertEquals(weight(), 0.25);
    await page.locator("#facts").getByText("0.25, set by hand").waitFor();
    await cell.getByText("weight 0.25").waitFor();
    await page.locator("#log", { hasText: "weight" }).first().waitFor();
    await page.keyboard.press("Escape");
    await page.locator("#waits").getByText(/^Weight 0\.25, set by hand for /).waitFor();
    await page.getByRole("button", { name: "Change 192.0.2.1" }).click();
    assertEquals(await field.inputValue(), "0.25");
    await field.fill("");
    await confirm();
    await page.locator("#toast", { hasText: "Weight taken off" }).waitFor();
    assertEquals([weight(), pool.stats().weights], [1, []]);
    await page.getByRole("button", { name: "Change 192.0.2.1" }).waitFor({ state: "detached" });
  },
);

testPool(
  "the page shows what became of requests",
  () =>
    memoryHttp(({ path }, socket) => {
      if (path !== "/broken") return answer("200 OK", {}, "hello");
      socket.end();
      return null;
    }, { retryShare: 0 }),
  async ({ page }, pool) => {
    for (let count = 0; count < 7; count++) await (await pool.request("https://a.test/")).text();
    await assertRejects(() => pool.request("https://a.test/broken", { method: "POST" }));
    const requests = tile(page, "Requests");
    await requests.getByText(/^8 in the last /).waitFor();
    // Of eight one failed.
    await tile(page, "Answers").getByText("13 %").waitFor();
    await tile(page, "Answers").getByText("7 2xx · 1 failed").waitFor();
    const cell = Object.values(pool.stats().hosts["a.test"]!.addresses)[0]!;
    assert(cell.p99Ms !== null);
    const latency = tile(page, "Latency, p99");
    await latency.getByText(/^p50 [\d.]+\sms · p90 [\d.]+\sms$/).waitFor();
    const place = page.getByRole("gridcell", { name: "a.test at 192.0.2.1" });
    await place.getByText(/^[\d.]+ ms$/).waitFor();
    await place.click();
    const fact = (label: string | RegExp, value: string) =>
      page.locator("#facts > div").filter({ has: page.getByText(label, { exact: true }) })
        .getByText(value, { exact: true }).waitFor();
    await fact("p99 of its last answers", shownMs(cell.p99Ms));
    await fact("Answers so far", "7 2xx");
    await page.getByRole("button", { name: "All of the host" }).click();
    await fact("Requests so far", "8");
    await fact(/^5xx or failed, last /, "13 %");
    await fact(/^Answers, last /, "7 2xx · 1 failed");
  },
);

function shownMs(ms: number): string {
  return `${ms < 9.95 ? ms.toFixed(1) : Math.round(ms)} ms`;
}

testPool(
  "who may only read sees what the diagnosis finds, with its advice, and cannot act",
  () => {
    const script = ({ address }: DialTarget): MemoryDial =>
      address === "192.0.2.3" ? {} : { failure: "refused" };
    const addresses = ["192.0.2.1", "192.0.2.2", "192.0.2.3"];
    return createPool({
      dialer: memoryDialer({ script }),
      resolver: staticResolver({ "a.test": addresses, "b.test": ["192.0.2.9"] }),
      maxRetries: 0,
      ejectAfterFailures: 1,
      // However long the browser takes, what nobody uses is not forgotten meanwhile.
      cleanupIntervalMs: 600_000,
    });
  },
  async ({ origin, page }, pool) => {
    await page.getByText("Neither the figures nor the diagnosis see anything to mend.").waitFor();
    for (const ip of ["192.0.2.1", "192.0.2.2"]) {
      await assertRejects(() => pool.acquire("a.test", { ip }));
    }
    await page.locator("h1", { hasText: "Worth a look" }).waitFor();
    pool.block("192.0.2.9");
    await assertRejects(() => pool.acquire("b.test"));
    await page.locator("h1", { hasText: "Something is wrong" }).waitFor();
    const found = pool.diagnose();
    assertEquals(found.map(({ severity, what }) => [severity, what]), [
      ["critical", "allDenied"],
      ["warning", "panic"],
    ]);
    const items = page.locator("#findings > li");
    await items.nth(1).getByText(found[1]!.message).waitFor();
    for (const [index, { advice, message }] of found.entries()) {
      await items.nth(index).getByText(message, { exact: true }).waitFor();
      await items.nth(index).getByText(advice, { exact: true }).waitFor();
    }
    // What is counted at the top is found as well.
    await items.filter({ hasText: /^\d address(es)? ejected/ }).waitFor();
    assertEquals(await page.locator("#findings-count").innerText(), `${await items.count()}`);
    await page.getByRole("button", { name: "Show b.test", exact: true }).click();
    await page.locator("#drawer-title", { hasText: "b.test" }).waitFor();
    await page.keyboard.press("Escape");
    const place = page.getByRole("gridcell", { name: "a.test at 192.0.2.1: ejected" });
    // Once for its caller, and then for dials that look whether it is back.
    await place.getByText(/^\d+ in a row$/).waitFor();
    assert(pool.stats().hosts["a.test"]!.addresses["192.0.2.1"]!.failures >= 1);

    (await pool.acquire("a.test", { ip: "192.0.2.3" })).release();
    await page.getByRole("gridcell", { name: "a.test at 192.0.2.3" }).click();
    await page.locator("#conns tr").first().waitFor();
    await page.locator("#waits", { hasText: "192.0.2.9" }).waitFor();
    for (
      const verb of ["Actions", "Warm", "Drain", "Evict", "Block", "Unblock", "Close the pool"]
    ) {
      assertEquals(await page.getByRole("button", { name: verb }).count(), 0, verb);
    }
    const status = await page.evaluate(async ([url = "", token = ""]) => {
      const response = await fetch(url, {
        method: "POST",
        headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
        body: JSON.stringify({ target: "a.test" }),
      });
      return response.status;
    }, [`${origin}/admin/api/pools/main/actions/drain`, TOKENS.read]);
    assertEquals(status, 403);
    assertEquals(pool.stats().connections, 1);
    await page.locator("#log", { hasText: "denied" }).waitFor();
  },
  { token: TOKENS.read, mayComplain: true },
);
