/**
 * Writes the reference, which is made of the doc comments, as a site of static pages.
 *
 *     node --import tsx tools/reference.ts
 *
 * @module
 */

import { appendFileSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import process from "node:process";
import { root, run } from "../tests/support/programs.ts";

const folder = path.join(root, "reference");
const { exports, name }: {
  readonly exports: { readonly [entry: string]: string };
  readonly name: string;
} = JSON.parse(readFileSync(path.join(root, "deno.json"), "utf8"));

/** The entry points besides the main one, such as `node`. */
const entries = Object.keys(exports).filter((entry) => entry !== ".")
  .map((entry) => entry.replace("./", ""));

/** What a phone needs besides: nothing wider than it is, but for code that scrolls by itself. */
const PHONE_STYLE = `
.ddoc > div:not(#categoryPanel), #content > main { min-width: 0; max-width: 100%; }
#content pre, #content table { max-width: 100%; overflow-x: auto; }
@media (width < 640px) {
  .ddoc { padding: 0.25rem; }
  .ddoc > div:not(#categoryPanel) { padding-left: 0.75rem; padding-right: 0.75rem; }
  #content { display: block; }
  #content main { overflow-wrap: anywhere; }
  #topnav > div { gap: 0.5rem; }
  #searchbar { min-width: 0; width: 9rem; }
}
`;

/** Names the package in a page's imports, where the generator names the entry point alone. */
function withImports(html: string): string {
  return html.replace(/ from &quot;([\w.]+)&quot;/g, (text, entry: string) => {
    if (entry === ".") return ` from &quot;${name}&quot;`;
    return entries.includes(entry) ? ` from &quot;${name}/${entry}&quot;` : text;
  });
}

/** The first page, with a link to each entry point. */
function withEntries(html: string): string {
  const links = entries.map((entry) =>
    `<li><a href="${entry}/index.html">${name}/${entry}</a></li>`
  );
  const list = `<h2 id="entry-points">Entry points</h2>\n<ul>${links.join("\n")}</ul>`;
  return html.replace("</main>", `<section class="markdown">${list}</section></main>`);
}

// Pages of what is there no more would stay.
rmSync(folder, { recursive: true, force: true });
const { broken, code, output } = await run("deno", [
  "doc",
  "--html",
  "--name=hotconn",
  `--output=${folder}`,
  ...Object.values(exports),
]);
if (code === 0 && broken === undefined) {
  for (const page of readdirSync(folder, { recursive: true, encoding: "utf8" })) {
    if (!page.endsWith(".html")) continue;
    const file = path.join(folder, page);
    const html = withImports(readFileSync(file, "utf8"));
    writeFileSync(file, page === "index.html" ? withEntries(html) : html);
  }
  appendFileSync(path.join(folder, "page.css"), PHONE_STYLE);
  console.log("Written to reference/index.html");
} else {
  console.error(output, broken ?? "");
  process.exitCode = 1;
}
