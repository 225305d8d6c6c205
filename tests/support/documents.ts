/**
 * The documents for people: which there are, where their links lead, and their tables.
 *
 * @module
 */

import { existsSync, readdirSync, readFileSync } from "node:fs";

const root = new URL("../../", import.meta.url);

/** Every document, by its path from the root. */
export function documents(): string[] {
  const inFolder = (folder: string): string[] =>
    readdirSync(new URL(folder || ".", root))
      .filter((name) => name.endsWith(".md"))
      .map((name) => `${folder}${name}`)
      .sort();
  return [...inFolder(""), ...inFolder("docs/"), "bench/RESULTS.md"];
}

/** The text of a document, or of any other file. */
export function readDocument(path: string): string {
  return readFileSync(new URL(path, root), "utf8");
}

/** Whether there is a file or a folder. */
export function isThere(path: string): boolean {
  return existsSync(new URL(path, root));
}

/** A document without its code blocks, whose lines stay, empty. */
export function proseOf(text: string): string {
  return text.replace(
    /^```[\s\S]*?^```$/gm,
    (block) => "\n".repeat(block.split("\n").length - 1),
  );
}

/** Where a document's links lead within the repository: such as `docs/a.md#b`, `#b` or `LICENSE`. */
export function linksOf(text: string): string[] {
  const links = proseOf(text).replace(/`[^`\n]*`/g, "").matchAll(/\]\(([^)\s]+)\)/g);
  return [...links].map(([, target = ""]) => target).filter((target) => !/^\w+:/.test(target));
}

/** The anchors that a document's headings have on GitHub. */
export function anchorsOf(text: string): string[] {
  const seen = new Map<string, number>();
  return [...proseOf(text).matchAll(/^#{1,6} +(.+)$/gm)].map(([, heading = ""]) => {
    const anchor = heading.toLowerCase().replace(/[^\p{L}\p{N}\s_-]/gu, "").trim()
      .replaceAll(" ", "-");
    const times = seen.get(anchor) ?? 0;
    seen.set(anchor, times + 1);
    return times === 0 ? anchor : `${anchor}-${times}`;
  });
}

/** Links of a document that lead nowhere. */
export function brokenLinks(path: string, text: string): string[] {
  return linksOf(text).filter((link) => {
    const url = new URL(link, new URL(path, root));
    const file = url.pathname.slice(root.pathname.length);
    if (!url.href.startsWith(root.href) || (file !== path && !isThere(file))) return true;
    const anchor = decodeURIComponent(url.hash.slice(1));
    if (anchor === "") return false;
    const target = file === path ? text : file.endsWith(".md") ? readDocument(file) : "";
    return !anchorsOf(target).includes(anchor);
  }).map((link) => `${path} links to ${link}, which is not there`);
}

/** How many cases of a suite the document on conformance tells of: in all, alike, and different. */
export function casesTold(suite: string): number[] {
  const rows = tableOf(readDocument("docs/conformance.md"), "suite");
  const row = rows.find(([name]) => name?.startsWith(suite)) ?? [];
  return row.slice(1, 4).map(Number);
}

/** The rows of the first table whose first column has this head, cell by cell; none without one. */
export function tableOf(text: string, head: string): string[][] {
  return tablesOf(text, head)[0] ?? [];
}

/** The rows of each table whose first column has this head, cell by cell. */
export function tablesOf(text: string, head: string): string[][][] {
  const lines = text.split("\n");
  return lines.flatMap((line, begin) => {
    if (cells(line)[0] !== head) return [];
    const rows: string[][] = [];
    for (let i = begin + 2; lines[i]?.startsWith("|"); i++) rows.push(cells(lines[i]!));
    return [rows];
  });
}

function cells(line: string): string[] {
  // A bar within a cell is escaped.
  return line.split(/(?<!\\)\|/).slice(1, -1).map((cell) => cell.trim().replaceAll("\\|", "|"));
}

/** The files and folders that a document names, as code or in a drawing, by their paths from the root. */
export function pathsOf(text: string): string[] {
  const folders = "adapters|bench|docs|examples|links|src|tests|tools";
  const path = new RegExp(`^(?:(?:${folders})/[\\w./-]*|[\\w-]+\\.(?:ts|md|json))$`);
  const told = [...proseOf(text).matchAll(/`([^`\n]+)`/g)].map(([, code = ""]) => code);
  const drawn = [...text.matchAll(/^```text\n([\s\S]*?)^```$/gm)]
    .flatMap(([, block = ""]) => block.split(/[\s,]+/));
  return [...told, ...drawn].filter((code) => path.test(code));
}

/** The members of an interface with their defaults, where their comments tell them. */
export function optionsOf(text: string, name: string): Map<string, string | undefined> {
  const body = new RegExp(`^export interface ${name}\\b[^{]*\\{\\n([\\s\\S]*?)^\\}`, "m")
    .exec(text)?.[1] ?? "";
  const options = new Map<string, string | undefined>();
  let fallback: string | undefined;
  for (const line of body.split("\n")) {
    fallback = /@default \{(.*)\}/.exec(line)?.[1] ?? fallback;
    const member = /^ {2}(?:readonly )?(\w+)\??:(?: |$)/.exec(line)?.[1];
    if (member === undefined) continue;
    options.set(member, fallback);
    fallback = undefined;
  }
  return options;
}
