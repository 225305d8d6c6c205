/// <reference lib="dom" />

import { assert, assertEquals } from "@std/assert";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import type { Page } from "playwright-core";
import { testVisit, type Visit } from "../support/dashboard_browser.ts";
import { hugeScene, quietScene, troubledScene } from "../support/dashboard_scenes.ts";
import { errorsScene, slowScene } from "../support/dashboard_troubles.ts";

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

async function violations(page: Page): Promise<string[]> {
  await page.evaluate(axe);
  const found = await page.evaluate("axe.run({ resultTypes: ['violations'] })") as {
    readonly violations: readonly {
      readonly id: string;
      readonly nodes: readonly { readonly html: string; readonly failureSummary: string }[];
    }[];
  };
  return found.violations.flatMap(({ id, nodes }) =>
    nodes.map(({ failureSummary, html }) => `${id}: ${html.slice(0, 160)} ${failureSummary}`)
  );
}

for (const theme of ["light", "dark"] as const) {
  testVisit(`axe finds nothing in the form, ${theme}`, { theme, token: null }, async ({ page }) => {
    assertEquals(await violations(page), []);
  });

  const scenes = { default: troubledScene() };
  testVisit(`axe finds nothing in the page, ${theme}`, { theme, scenes }, async (visit) => {
    const { page, router } = visit;
    router.tell("eject", { host: "a.example", address: "192.0.2.1", reason: "refused", forMs: 1 });
    router.tell("evict", { host: "a.example", address: "192.0.2.1", connectionId: 1 });
    await page.locator("#log", { hasText: "evict" }).waitFor();
    for (const name of ["Map", "By host", "By address"]) {
      await page.getByRole("button", { name, exact: true }).click();
      assertEquals(await violations(page), [], name);
    }
    await page.locator("#chips button").first().click();
    await page.locator("#conns tr").first().waitFor();
    assertEquals(await violations(page), [], "the drawer");
    await page.getByRole("button", { name: "Drain the host…" }).click();
    assertEquals(await violations(page), [], "the dialog");
  });
}

testVisit(
  "axe finds nothing in the pools at a glance, nor in a page that is stale, in either theme",
  { scenes: { well: quietScene(), errors: errorsScene(), slow: slowScene() }, mayComplain: true },
  async ({ page, router }) => {
    const look = async (name: string) => {
      for (const colorScheme of ["light", "dark"] as const) {
        await page.emulateMedia({ colorScheme });
        assertEquals(await violations(page), [], `${name}, ${colorScheme}`);
      }
    };
    await look("the pools");
    await page.getByRole("link", { name: /^errors/ }).click();
    await page.locator(".tile[data-bad=critical]").waitFor();
    await look("a pool whose answers are bad");
    router.fail(500);
    await page.locator("h1", { hasText: "No figures for" }).waitFor();
    await look("a pool of old figures");
  },
);

testVisit(
  "the theme can be chosen, whatever the system prefers",
  { theme: "dark" },
  async (visit) => {
    const { page } = visit;
    const paper = () =>
      page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor);
    const dark = await paper();
    await page.getByRole("button", { name: "Theme: as the system" }).click();
    const light = await paper();
    assert(light !== dark, light);
    await page.reload();
    await page.getByRole("button", { name: "Theme: light" }).waitFor();
    assertEquals(await paper(), light);
  },
);

for (const width of [360, 820]) {
  testVisit(
    `nothing is wider than a window of ${width} px`,
    { width, scenes: { default: troubledScene() } },
    async ({ page }) => {
      const overflow = () => page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      for (const name of ["Map", "By host", "By address"]) {
        await page.getByRole("button", { name, exact: true }).click();
        assertEquals(await overflow(), 0, name);
        const rows = page.locator(".list [role=row]");
        if (name !== "Map") assert(await rows.count() > 0, name);
        const cut = await rows.evaluateAll((rows) =>
          rows.filter((row) => row.scrollWidth > row.clientWidth).map((row) => row.textContent)
        );
        assertEquals(cut, [], name);
      }
      await page.locator("#chips button").first().click();
      await page.locator("#conns tr").first().waitFor();
      assertEquals(await overflow(), 0, "the drawer");
      const { left = -1, right = 0 } = await page.locator("#drawer").evaluate((node) => {
        const { left, right } = node.getBoundingClientRect();
        return { left, right };
      });
      assert(left >= 0 && right <= width, `The drawer reaches from ${left} to ${right}`);
    },
  );
}

testVisit("everything is reached by the keyboard, and shows the focus", {}, async ({ page }) => {
  await page.evaluate(() => (document.activeElement as HTMLElement | null)?.blur());
  const seen: string[] = [];
  for (let step = 0; step < 40; step++) {
    await page.keyboard.press("Tab");
    const [name, outline] = await page.evaluate(() => {
      const node = document.activeElement;
      if (!node || node === document.body) return ["", ""];
      const { outlineStyle, outlineWidth } = getComputedStyle(node);
      const role = node.getAttribute("role");
      const own = role === "slider" ? node.getAttribute("aria-label") : role;
      const name = node.id || node.getAttribute("data-view") || own || "";
      return [name, `${outlineStyle} ${outlineWidth}`];
    });
    if (name === "") continue;
    if (seen.includes(name ?? "")) break;
    seen.push(name ?? "");
    assertEquals(outline, name === "log" ? outline : "solid 2px", `the focus on ${name}`);
  }
  const wanted = [
    "acts",
    "theme",
    "out",
    "matrix",
    "hosts",
    "addresses",
    "filter",
    "state",
    "order",
  ];
  for (const name of [...wanted, "rowheader", "findings", "events-kind", "events-pause", "log"]) {
    assert(seen.includes(name), `${name} is not among ${seen.join(", ")}`);
  }
});

testVisit("arrow keys walk the map, Enter opens, Escape leads back", {}, async ({ page }) => {
  const focused = () =>
    page.evaluate(() => {
      const node = document.activeElement;
      return node?.getAttribute("aria-label") ?? node?.textContent?.replace(/ +/g, " ") ?? "";
    });
  await page.getByRole("rowheader").first().focus();
  assertEquals((await focused()).slice(0, 16), "Host api.example");
  await page.keyboard.press("ArrowRight");
  await page.keyboard.press("ArrowDown");
  assertEquals((await focused()).slice(0, 30), "auth.example at 192.0.2.10: go");
  await page.keyboard.press("ArrowUp");
  await page.keyboard.press("ArrowUp");
  assertEquals((await focused()).slice(0, 18), "Address 192.0.2.10");
  await page.keyboard.press("Control+End");
  assert((await focused()).startsWith("search.example"), await focused());
  await page.keyboard.press("Home");
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: "search.example" }).waitFor();
  await page.keyboard.press("Escape");
  assertEquals((await focused()).slice(0, 19), "Host search.example");
});

const HUGE = { scenes: { default: hugeScene() } };
const CHANGES = 4;

/**
 * Shows a view and changes what is in it. Says how long changes keep the page's thread, as a multiple of
 * what it takes there to parse the figures and to write them again, and no more.
 */
async function costOfChange({ page, router }: Visit, view: string): Promise<number> {
  await page.getByRole("button", { name: view, exact: true }).click();
  const session = await page.context().newCDPSession(page);
  // The thread's own time, whatever else the machine has to do meanwhile.
  await session.send("Performance.enable", { timeDomain: "threadTicks" });
  const spentMs = async () => {
    const { metrics } = await session.send("Performance.getMetrics");
    return 1_000 * metrics.find(({ name }) => name === "TaskDuration")!.value;
  };
  let changesMs = 0;
  for (let tick = 0; tick < CHANGES; tick++) {
    const before = await spentMs();
    router.tick();
    for (let event = 0; event < 500; event++) {
      router.tell("evict", { host: "service-1", address: "10.0.0.1", connectionId: event });
    }
    const leased = new Intl.NumberFormat("en").format(HUGE.scenes.default.stats.leased);
    await page.locator(".tile", { hasText: `${leased} connections` }).waitFor();
    await page.locator(".grid").evaluate((grid) => grid.scrollBy(400, 300));
    await page.evaluate(() => new Promise((resolve) => setTimeout(resolve, 0)));
    changesMs += await spentMs() - before;
  }
  const before = await spentMs();
  await page.evaluate(([figures, times]) => {
    for (let time = 0; time < times; time++) JSON.stringify(JSON.parse(figures));
  }, [JSON.stringify(HUGE.scenes.default.stats), CHANGES] as const);
  const bareMs = await spentMs() - before;
  await session.detach();
  return changesMs / bareMs;
}

testVisit(
  "ten thousand connections at five hundred addresses do not freeze it",
  HUGE,
  async (visit) => {
    const { page } = visit;
    for (const view of ["Map", "By host", "By address"]) {
      const cost = await costOfChange(visit, view);
      assert(cost > 0 && cost < 4, `${view}: ${cost}`);
      const nodes = await page.locator("*").count();
      assert(nodes < 6_000, `${view} has ${nodes} elements`);
    }
    // Only those of one page are asked for, and shown.
    await page.locator(".grid").evaluate((grid) => grid.scrollTo(0, 0));
    await page.locator(".row.line .name").first().click();
    await page.locator("#conns-count", { hasText: "1 to 20 of 20" }).waitFor();
    assertEquals(await page.locator("#conns tr").count(), 20);
    await page.keyboard.press("Escape");
    await page.getByRole("button", { name: "By host", exact: true }).click();
    await page.locator(".row.line .name").first().click();
    await page.locator("#conns-count", { hasText: "1 to 25 of 500" }).waitFor();
    await page.getByRole("button", { name: "Next" }).click();
    await page.locator("#conns-count", { hasText: "26 to 50 of 500" }).waitFor();
    assertEquals(await page.locator("#conns tr").count(), 25);
  },
);
