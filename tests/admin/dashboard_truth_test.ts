/// <reference lib="dom" />

import { assert, assertEquals, assertMatch } from "@std/assert";
import type { Page } from "playwright-core";
import { testVisit } from "../support/dashboard_browser.ts";
import { recentWith } from "../support/dashboard_recent.ts";
import { quietScene } from "../support/dashboard_scenes.ts";
import {
  ejectedScene,
  errorsScene,
  refusedScene,
  slowScene,
  statesScene,
} from "../support/dashboard_troubles.ts";

const headline = (page: Page, text: string | RegExp) =>
  page.locator("h1", { hasText: text }).waitFor();

/** Goes to a pool by its link. */
async function goTo(page: Page, pool: string): Promise<void> {
  await page.evaluate((pool) => void (location.hash = `#/${pool}`), pool);
  await page.locator("#page[data-place=pool]").waitFor();
  await page.locator("#subline:not(:empty)").waitFor();
}

/** What the tab tells: its title, and its sign. */
const tab = (page: Page) =>
  page.evaluate(() => {
    const icon = document.querySelector("link[rel=icon]")?.getAttribute("href") ?? "";
    return [document.title, /(\w+)\.svg$/.exec(icon)?.[1]];
  });

const after = (page: Page, selector: string) =>
  page.locator(selector).first().evaluate((node) => getComputedStyle(node, "::after").content);

testVisit(
  "of several pools all are shown first, trouble before the others, and a link leads to each",
  {
    scenes: {
      calm: quietScene(),
      payments: errorsScene(),
      slow: slowScene(),
      refused: refusedScene(),
      ejected: ejectedScene(),
      states: statesScene(),
    },
  },
  async ({ page, router }) => {
    await headline(page, "Something is wrong in 5 of 6 pools");
    const pools = page.locator("#pools > li");
    assertEquals(
      (await pools.locator(".name").allInnerTexts()).map((text) => text.trim()),
      ["payments", "refused", "slow", "states", "ejected", "calm"],
    );
    assertMatch(await pools.nth(0).innerText(), /api\.example: 30 % of answers are 5xx/);
    assertMatch(await pools.nth(5).innerText(), /All is well/);
    assertEquals(await tab(page), [
      "\u2715 payments: api.example: 30 % of answers are 5xx in the last minute \u00b7 hotconn",
      "critical",
    ]);
    assert(!(await page.locator("#map").isVisible()), "A pool is shown as well");

    // Three of ten answers are 500.
    await pools.nth(0).getByRole("link").click();
    await headline(page, "Something is wrong");
    assertMatch(page.url(), /#\/payments$/);
    const tile = (label: string) =>
      page.locator(".tile").filter({ has: page.locator("dt", { hasText: label }) });
    await tile("Answers").getByText("2,350 2xx \u00b7 44 3xx \u00b7 12 4xx \u00b7 360 5xx")
      .waitFor();
    assertEquals(await tile("Answers").getAttribute("data-bad"), "critical");
    await page.getByRole("button", { name: "api.example: 30 % of answers are 5xx" }).waitFor();
    await page.locator("#others", { hasText: "4 in trouble" }).waitFor();
    assert(
      !/100(\.0)? %/.test(
        await page.locator("#tiles").innerText().then((text) => text.replace("100 % reuse", "")),
      ),
    );

    // What was slow is slow in the figures of its minute, and well again once that has passed.
    await goTo(page, "slow");
    await tile("Latency").getByText("9,900 ms").waitFor();
    await tile("Sent again").getByText("320 retries \u00b7 260 hedges").waitFor();
    await tile("Waiting").getByText("31 timed out").waitFor();
    await tile("Ended").getByText("120 error \u00b7 40 unhealthy").waitFor();
    for (const text of ["31 callers got no connection", "Requests were sent again 320 times"]) {
      await page.locator("#findings", { hasText: text }).waitFor();
    }

    // One address is ejected: no "nothing found" beside it.
    await goTo(page, "ejected");
    await headline(page, "Worth a look");
    assertMatch(await page.locator("#findings").innerText(), /1 address ejected/);
    assertMatch((await tab(page))[0]!, /^\u25b3 1 address ejected \u00b7 ejected \u00b7 hotconn$/);

    // Every host that cannot serve looks so, and comes first.
    await goTo(page, "states");
    await page.getByRole("button", { name: "By host" }).click();
    const groups = page.locator(".list .row.line");
    await groups.first().waitFor();
    const rows = await groups.evaluateAll((nodes) =>
      nodes.map((node) => [
        (node.querySelector(".name .clip") as HTMLElement).innerText.trim(),
        node.querySelector("use")?.getAttribute("href"),
      ])
    );
    const bad = ["auth.example", "empty.example", "zebra.example"];
    assertEquals(rows.slice(0, 3).sort(), bad.map((host) => [host, "#i-ejected"]));
    assertEquals(rows.slice(3, 5).sort(), [
      ["api.example", "#i-doubtful"],
      ["images.cdn.example", "#i-doubtful"],
    ]);
    await page.getByLabel("State").selectOption("In trouble");
    const shown = page.locator(".list .row.line .name > .clip:not(.sub)");
    await page.getByRole("rowheader", { name: "files.example" }).waitFor({ state: "detached" });
    const names = (await shown.allInnerTexts()).map((text) => text.trim());
    assertEquals(names.sort(), [...bad, "api.example", "images.cdn.example"].sort());
    await page.getByText(/^resting, again in \d+ s$/).first().waitFor();
    await page.getByText(/^doubtful for 3 min$/).first().waitFor();
    await page.getByLabel("State").selectOption("Not tried");
    await page.getByRole("rowheader", { name: "search.example" }).waitFor();

    // Back leads back, and a link that leads nowhere to all of them.
    await page.getByRole("link", { name: /^All pools/ }).click();
    await headline(page, "in 5 of 6 pools");
    await page.goBack();
    await page.locator("#page[data-place=pool]").waitFor();
    assertEquals(await page.getByLabel("Pool", { exact: true }).inputValue(), "states");
    await page.evaluate(() => void (location.hash = "#/nowhere"));
    await page.getByText("There is no pool \u201cnowhere\u201d").waitFor();
    await headline(page, "in 5 of 6 pools");
    await page.getByLabel("Pool", { exact: true }).selectOption("calm");
    await headline(page, "All is well");
    await page.locator("#findings", { hasText: "Nothing found" }).waitFor();
    router.tick();
  },
);

const incident = quietScene();

testVisit(
  "what is stale looks stale, whatever the reason, until there are figures again",
  { scenes: { default: incident }, mayComplain: true },
  async ({ page, router }) => {
    await page.clock.install();
    await page.reload();
    await headline(page, "All is well");
    assertEquals(await tab(page), ["hotconn", "fine"]);
    const isStale = async (why: string) => {
      await headline(page, /^No figures for \d+ (s|min)$/);
      await page.locator("#subline", { hasText: `${why}. All below is as of` }).waitFor();
      const [title, sign] = await tab(page);
      assertMatch(title!, /^\? No figures for \d+ (s|min) \u00b7 hotconn$/);
      assertEquals(sign, "stale");
      for (const selector of [".tile dt", "#map h2", "#findings-title", "#events-title"]) {
        assertMatch(await after(page, selector), /as of \d+ (s|min) ago/, selector);
      }
      assertEquals(await page.locator("#glance").getAttribute("data-worst"), "stale");
      assertEquals(await page.getByText("All is well").count(), 0);
    };
    const isFresh = async () => {
      router.fail(undefined);
      await page.clock.runFor(3_000);
      router.tick();
      await headline(page, "All is well");
      assertEquals(await tab(page), ["hotconn", "fine"]);
      assertEquals(await after(page, "#map h2"), "none");
    };
    const colour = () =>
      page.locator(".tile dd").first().evaluate((node) => getComputedStyle(node).color);
    const fresh = await colour();

    // The program, or the way to it, is suspended: no answer comes, and no error.
    router.fail("silent");
    await page.clock.runFor(8_000);
    await isStale("The server is silent");
    assert(await colour() !== fresh, "The figures look as they did");
    await page.locator("#alarm", { hasText: "no new figures" }).waitFor({ state: "attached" });
    await page.clock.runFor(9_000);
    await isFresh();

    // It answers, and not as it should.
    router.fail(500);
    await page.clock.runFor(6_000);
    await isStale("The server answered 500");
    await isFresh();

    // It is gone.
    await page.context().setOffline(true);
    await page.clock.runFor(6_000);
    await isStale("The server does not answer");
    await page.context().setOffline(false);
    await isFresh();

    // The machine slept: what it shows as it wakes is old.
    router.fail("silent");
    await page.clock.fastForward(3_600_000);
    await page.evaluate(() => document.dispatchEvent(new Event("visibilitychange")));
    await isStale("The server is silent");
    await isFresh();

    // An incident is seen as it begins, and is over with its minute.
    incident.recent = recentWith({ "api.example": { "2xx": 70, "5xx": 30 } });
    router.tick();
    await headline(page, "Something is wrong");
    incident.recent = recentWith({ "api.example": { "2xx": 100 } });
    await isFresh();

    // Whoever may not look any more is shown nothing that is old.
    router.fail(401);
    await page.clock.runFor(6_000);
    await page.getByText("The token is not accepted any more").waitFor();
    assertMatch((await tab(page))[0]!, /^\? Signed out/);
  },
);
