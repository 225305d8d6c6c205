/**
 * The site: the README as its start, the documents of `docs/`, and those at the root.
 *
 * @module
 */

import { existsSync, readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { defineConfig, type MarkdownRenderer } from "vitepress";

const root = fileURLToPath(new URL("../../", import.meta.url));

/** The pages in the order in which they are shown, by their paths from the root. */
const sections: { readonly [title: string]: readonly string[] } = {
  Start: ["README.md", "docs/getting-started.md", "docs/recipes.md", "docs/moving.md"],
  Guide: [
    "docs/the-two-maps.md",
    "docs/failover.md",
    "docs/health.md",
    "docs/resolution-and-access.md",
    "docs/tls-and-pins.md",
    "docs/http2.md",
    "docs/websocket.md",
    "docs/proxies.md",
    "docs/fleet.md",
    "docs/testing-with-memory.md",
  ],
  Production: [
    "docs/operating.md",
    "docs/reliability.md",
    "docs/performance.md",
    "bench/RESULTS.md",
    "SECURITY.md",
  ],
  Reference: [
    "docs/limits-and-timeouts.md",
    "docs/errors.md",
    "docs/events-and-findings.md",
    "docs/metrics.md",
    "docs/conformance.md",
    "CHANGELOG.md",
  ],
  Inside: ["ARCHITECTURE.md", "CONTRIBUTING.md"],
};

/** What has documents of its own, but none for the site. */
const elsewhere = readdirSync(root, { withFileTypes: true })
  .filter((entry) => entry.isDirectory() && !["bench", "docs"].includes(entry.name))
  .map(({ name }) => `${name}/**`);

const pages = Object.values(sections).flat().filter((page) => existsSync(path.join(root, page)));
const missing = readdirSync(path.join(root, "docs"))
  .filter((name) => name.endsWith(".md") && !pages.includes(`docs/${name}`));
if (missing.length > 0) throw new Error(`The site's sections leave out ${missing.join(", ")}`);

/** A page's own heading, as plain text. */
function titleOf(page: string): string {
  const heading = /^# (.+)$/m.exec(readFileSync(path.join(root, page), "utf8"))?.[1] ?? page;
  return heading.replaceAll("`", "");
}

/** Where the site has a page. */
function placeOf(page: string): string {
  return page === "README.md" ? "index.md" : page.replace(/^docs\//, "").toLowerCase();
}

/** The anchor that GitHub gives a heading, so that links lead there on both. */
function slugify(heading: string): string {
  return heading.toLowerCase().replace(/[^\p{L}\p{N}\s_-]/gu, "").trim().replaceAll(" ", "-");
}

/**
 * Leads links between documents to the pages they became. Links to files that are no pages, such as
 * sources, become plain text.
 */
function resolveLinks(md: MarkdownRenderer): void {
  md.core.ruler.after("inline", "resolve-links", ({ env, tokens }) => {
    const folder = path.posix.dirname(path.relative(root, env.realPath ?? env.path));
    for (const token of tokens) {
      let isFile = false;
      token.children = token.children?.filter((child) => {
        if (child.type === "link_close" && isFile) {
          isFile = false;
          return false;
        }
        if (child.type !== "link_open") return true;
        const href = child.attrGet("href") ?? "";
        if (/^(?:\w+:|#)/.test(href)) return true;
        const [target = "", anchor] = href.split("#");
        const page = path.posix.join(folder, target);
        isFile = !page.endsWith(".md");
        const hash = anchor === undefined ? "" : `#${anchor}`;
        child.attrSet("href", `/${pages.includes(page) ? placeOf(page) : page}${hash}`);
        return !isFile;
      }) ?? null;
    }
  });
}

export default defineConfig({
  title: "hotconn",
  description: "Hot TLS connections, mapped by IP address and by host, on Deno, Bun and Node",
  srcDir: "..",
  srcExclude: elsewhere,
  rewrites: Object.fromEntries(pages.map((page) => [page, placeOf(page)])),
  markdown: { anchor: { slugify }, config: resolveLinks },
  themeConfig: {
    nav: [
      { text: "Getting started", link: "/getting-started" },
      { text: "API reference", link: "/reference/index.html", target: "_self" },
    ],
    sidebar: Object.entries(sections).map(([text, all]) => ({
      text,
      items: all.filter((page) => pages.includes(page)).map((page) => ({
        text: titleOf(page),
        link: `/${placeOf(page).replace(/(?:index)?\.md$/, "")}`,
      })),
    })),
    outline: "deep",
    search: { provider: "local" },
  },
});
