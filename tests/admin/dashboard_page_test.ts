import { assert, assertEquals, assertThrows } from "@std/assert";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import test from "node:test";
import { CLIENT, dashboardPage } from "../../adapters/dashboard/page.ts";
import { run } from "../support/programs.ts";

test("the page has its style and its script under the nonce, and nothing from elsewhere", () => {
  const page = dashboardPage("q83vEjRWeJA+/w==");
  assertEquals(page.match(/<script[^>]*>/g), ["<script nonce=\"q83vEjRWeJA+/w==\">"]);
  assertEquals(page.match(/<style[^>]*>/g), ["<style nonce=\"q83vEjRWeJA+/w==\">"]);
  assertEquals(page.match(/<\/script/g)?.length, 1);
  assertEquals(page.match(/\s(style|on\w+)=/g), null);
  assertEquals(page.match(/(src|href)="(?!#|data:)[^"]*"/g), null);
  // The one address is a namespace's name, which nothing is loaded from.
  const addresses = page.match(/\w+:\/\/[^"'\s%]+/g) ?? [];
  assertEquals(addresses.filter((address) => address !== "http://www.w3.org/2000/svg"), []);
});

test("the page is in ASCII: Bun would change other characters", () => {
  assertEquals(dashboardPage("nonce").match(/[^\n -~].{0,20}/), null);
});

test("a nonce that would end its attribute is refused", () => {
  for (const nonce of ["", "a\"b", "a b", "a>", "=="]) {
    assertThrows(() => dashboardPage(nonce), TypeError, "nonce must be of letters");
  }
});

test("the script puts no markup together", () => {
  for (const name of ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval("]) {
    assert(!CLIENT.includes(name), name);
  }
});

async function complaints(script: string): Promise<string> {
  const folder = await mkdtemp(path.join(tmpdir(), "hotconn-dashboard-"));
  try {
    const file = path.join(folder, "client.js");
    await writeFile(file, script);
    const { output } = await run("tsc", [
      ...["--ignoreConfig", "--noEmit", "--allowJs", "--checkJs", "--strict"],
      ...["--noFallthroughCasesInSwitch", "--noUnusedLocals", "--noUnusedParameters"],
      ...["--target", "ES2022", "--lib", "ES2024,DOM,DOM.Iterable", "--types", "", file],
    ]);
    return output.split("\n").filter((line) => line.includes("error TS")).join("\n");
  } finally {
    await rm(folder, { recursive: true });
  }
}

test("the script is as its types say", { timeout: 120_000 }, async () => {
  assertEquals(await complaints(CLIENT), "");
  // The proof that this can fail.
  const wrong = await complaints(`${CLIENT}\nsetText(byId("drawer"), 1);`);
  assert(wrong.includes("TS2345"), wrong);
});
