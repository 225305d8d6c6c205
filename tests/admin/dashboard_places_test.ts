/// <reference lib="dom" />

import { assert, assertEquals, assertMatch } from "@std/assert";
import type { Page } from "playwright-core";
import { testVisit } from "../support/dashboard_browser.ts";
import { troubledScene } from "../support/dashboard_scenes.ts";

/** Waits until the address says so. */
const untilAt = (page: Page, hash: string) => page.waitForURL((url) => url.hash === hash);

const boxOf = async (page: Page, place: string) => {
  const box = await page.locator(place).boundingBox();
  assert(box, place);
  return box;
};

testVisit(
  "a link leads to a host at an address, and back leads to where one was",
  {
    scenes: { default: troubledScene() },
    path: "/#/default?view=hosts&order=-name&host=api.example&address=192.0.2.12",
    width: 1_440,
  },
  async ({ page }) => {
    const title = page.locator("#drawer-title");
    assertEquals(await title.innerText(), "api.example");
    await page.getByRole("button", { name: "By host", exact: true, pressed: true }).waitFor();
    assertMatch(await page.getByRole("rowheader").first().innerText(), /^search\.example/);

    // Beside the map, not above it.
    await page.waitForFunction(() => {
      const [map, drawer] = ["map", "drawer"].map((id) =>
        document.getElementById(id)!.getBoundingClientRect()
      );
      return map!.right <= drawer!.left
        && document.querySelector(".grid")!.scrollWidth <= map!.width;
    });
    await page.keyboard.press("Escape");
    await title.waitFor({ state: "detached" });
    await untilAt(page, "#/default?view=hosts&order=-name");
    await page.getByRole("rowheader", { name: /^auth\.example/ }).click();
    await page.waitForURL(({ hash }) => hash.includes("host=auth.example"));
    await page.goBack();
    await title.waitFor({ state: "detached" });
    await page.goForward();
    await title.waitFor();
    assertEquals(await title.innerText(), "auth.example");

    // Below the map on a narrower screen, and over most of a phone's.
    await page.setViewportSize({ width: 768, height: 900 });
    const sheet = await boxOf(page, "#drawer");
    assert(sheet.y > 400 && sheet.width === 768, JSON.stringify(sheet));
    await page.setViewportSize({ width: 390, height: 844 });
    const tall = await boxOf(page, "#drawer");
    assert(tall.y > 60 && tall.height > 600 && tall.width === 390, JSON.stringify(tall));
  },
);

testVisit(
  "a link leads to one connection of a host at an address, and to a panel",
  {
    path: "/#/default?view=hosts&host=api.example&address=192.0.2.10",
    width: 1_440,
    mayComplain: true,
  },
  async ({ page }) => {
    const rows = page.locator("#conns tr");
    await rows.nth(1).waitFor();
    const all = await rows.count();
    const id = await rows.nth(1).locator("a").innerText();
    await rows.nth(1).locator("a").click();
    await page.getByRole("button", { name: "Show all" }).waitFor();
    await page.waitForFunction(() => document.querySelectorAll("#conns tr").length === 1);
    assertEquals(await rows.locator("a").innerText(), id);
    await untilAt(
      page,
      `#/default?view=hosts&host=api.example&address=192.0.2.10&connection=${id}`,
    );
    await page.reload();
    await page.waitForFunction(() => document.querySelectorAll("#conns tr").length === 1);
    await page.evaluate(
      "location.hash = location.hash.replace(/connection=.*/, 'connection=999999')",
    );
    await page.getByText("Connection 999999 is not there any more").waitFor();
    await page.getByRole("button", { name: "Show all" }).click();
    await page.waitForFunction(
      (count) => document.querySelectorAll("#conns tr").length === count,
      all,
    );
    await page.keyboard.press("Escape");

    await page.getByRole("link", { name: "Link to Options" }).focus();
    await page.keyboard.press("Enter");
    await untilAt(page, "#/default?view=hosts&panel=options");
    await page.evaluate("scrollTo(0, 0)");
    // What the panel shows may come long after the first figures.
    let goOn = () => {};
    const late = new Promise<void>((resolve) => goOn = resolve);
    await page.route("**/options", async (route) => {
      await late;
      await route.continue();
    });
    await page.reload();
    await page.locator("#tiles .tile").first().waitFor();
    goOn();
    await page.waitForFunction(() => {
      const at = document.getElementById("options-title")?.getBoundingClientRect();
      return at !== undefined && at.top > 0 && at.bottom < innerHeight && scrollY > 0;
    });
  },
);

testVisit("errors that are alike have one line, and each of its own where asked for", {}, async ({
  page,
  router,
}) => {
  const at = { host: "api.example", address: "192.0.2.10" };
  for (let count = 0; count < 37; count++) {
    router.tell("dialError", { ...at, error: { message: "refused" } });
    if (count % 5 === 0) router.tell("dialError", { ...at, error: { message: "timed out" } });
  }
  const lines = page.locator("#log li");
  const line = page.locator("#log li", { hasText: "refused" });
  await page.locator("#log .times", { hasText: "×37" }).waitFor();
  assertMatch(await line.innerText(), /refused · last \d+ s ago, first at \d\d:\d\d:\d\d/);
  assertEquals(await lines.count(), 2);
  await page.getByLabel("Kind of event").selectOption("dialError");
  await lines.nth(44).waitFor();
  assertEquals(await lines.count(), 45);
});

testVisit(
  "limits are shown beside what is used, and changed from what holds",
  {},
  async (visit) => {
    const { page, router } = visit;
    const uses = page.locator("#limits-list");
    assertMatch(await uses.innerText(), /Connections\s+84 of 256/);
    assertMatch(await uses.innerText(), /To one host\s+api\.example\s+24 of 64/);
    assertMatch(await uses.innerText(), /To one address\s+192\.0\.2\.10\s+18 of 32/);
    // Nothing is full where all is well.
    assertEquals(await page.locator(".use.full, .use.near").count(), 0);
    const options = page.locator("#options");
    assertMatch(
      await options.innerText(),
      /ejectionMs\s+30 s\s+failoverStatuses\s+502, 503\s+proxy\s+http: none; https: http:.*3128\s+api\.example\s+minIdle: 4; tls: clientCertificate/,
    );
    await options.getByText("3 defaults").click();
    assertMatch(await options.innerText(), /hedge\s+yes.*60 s\s+maxIdleConnections\s+no limit/s);
    await page.getByRole("button", { name: "Actions" }).click();
    await page.getByRole("button", { name: "Change limits…" }).click();
    const dialog = page.getByRole("dialog");
    const field = dialog.getByLabel("Connections to one host");
    assertEquals(await field.inputValue(), "64");
    await dialog.getByText("Nothing changes so far.").waitFor();
    await dialog.getByRole("button", { name: "Change" }).click();
    await dialog.getByText("Change at least one of them").waitFor();
    await field.fill("32");
    await dialog.getByText("Connections to one host: 64 → 32").waitFor();
    await dialog.getByRole("button", { name: "Change" }).click();
    await dialog.waitFor({ state: "detached" });
    assertEquals(router.actions, [{ name: "limits", body: { maxConnectionsPerHost: 32 } }]);
  },
);
