/**
 * A crawler that decides itself which machine serves each page: those of a host are asked in turn,
 * each over one connection, and no IP address is asked again before its pause is over, whatever
 * host it is asked for. Pages that a machine fails to give are asked of the next one.
 *
 *     deno run --allow-all examples/crawler.ts https://example.com/
 *     bun run examples/crawler.ts https://example.com/
 *     node --import tsx examples/crawler.ts https://example.com/
 *
 * `MAX_PAGES` (20) and `PAUSE_MS` (1000) say how far and how fast it goes; see also
 * `surroundings.ts`.
 *
 * @module
 */

import process from "node:process";
import { createPool, type HttpPool, type PooledResponse } from "../mod.ts";
import { explain, surroundings } from "./surroundings.ts";

const { MAX_PAGES = "20", PAUSE_MS = "1000" } = process.env;

/** What is longer than this is not read to its end. */
const MAX_PAGE_LENGTH = 1_000_000;

/** Lets each IP address rest between two requests. */
class Politeness {
  readonly #pauseMs: number;
  readonly #freeAt = new Map<string, number>();

  constructor(pauseMs: number) {
    this.#pauseMs = pauseMs;
  }

  /** Waits until an IP address may be asked, and takes that turn. */
  async turn(ip: string): Promise<void> {
    const now = performance.now();
    const at = Math.max(now, this.#freeAt.get(ip) ?? 0);
    // Before the wait: whoever comes meanwhile stands behind.
    this.#freeAt.set(ip, at + this.#pauseMs);
    if (at > now) await new Promise((resolve) => setTimeout(resolve, at - now));
  }
}

/** What is known of one host: its machines, and the pages that wait to be asked for. */
class Site {
  readonly #pool: HttpPool;
  readonly #politeness: Politeness;
  readonly #waiting: URL[];
  readonly #known = new Set<string>();
  #next = 0;

  constructor(pool: HttpPool, politeness: Politeness, start: URL) {
    this.#pool = pool;
    this.#politeness = politeness;
    this.#waiting = [start];
    this.#known.add(start.href);
  }

  async crawl(maxPages: number): Promise<void> {
    const { host } = this.#waiting[0]!;
    await this.#pool.warm(host, { connections: 1 });
    const machines = Object.keys(this.#pool.stats().hosts[host]?.addresses ?? {});
    console.log(`${host} has ${machines.length} machines: ${machines.join(", ")}`);
    for (let pages = 0; pages < maxPages; pages++) {
      const url = this.#waiting.shift();
      if (!url) return;
      await this.#visit(url, machines);
    }
  }

  async #visit(url: URL, machines: readonly string[]): Promise<void> {
    for (let tries = 0; tries < machines.length; tries++) {
      const machine = machines[this.#next++ % machines.length]!;
      await this.#politeness.turn(machine.replace(/:\d+$/, ""));
      try {
        await this.#ask(url, machine);
        return;
      } catch (error) {
        console.log(
          `--- ${machine} ${url.href}: ${error instanceof Error ? error.message : error}`,
        );
      }
    }
  }

  async #ask(url: URL, machine: string): Promise<void> {
    const response = await this.#pool.request(url, {
      ip: machine,
      timeoutMs: 10_000,
      headers: { "user-agent": "hotconn-example-crawler", accept: "text/html" },
    });
    const { headers, status } = response;
    const isPage = status === 200 && /^text\/html\b/.test(headers.get("content-type") ?? "");
    const found = isPage ? this.#follow(url, await this.#read(response)) : 0;
    if (!isPage) await response.dump();
    console.log(`${status} ${response.connection.address} ${url.href} ${found} new links`);
  }

  /** Reads a page, or as much of it as anybody would write by hand. */
  async #read(response: PooledResponse): Promise<string> {
    const decoder = new TextDecoder();
    let page = "";
    for await (const bytes of response.body) {
      page += decoder.decode(bytes, { stream: true });
      // Leaving the loop ends the connection: the rest is not wanted.
      if (page.length > MAX_PAGE_LENGTH) break;
    }
    return page;
  }

  /** Notes a page's links to the same host; tells how many were not known. */
  #follow(base: URL, page: string): number {
    let found = 0;
    for (const [, link = ""] of page.matchAll(/<a\s[^>]*?href="([^"#]*)/gi)) {
      if (!URL.canParse(link, base.href)) continue;
      const url = new URL(link, base);
      if (url.origin !== base.origin || this.#known.has(url.href)) continue;
      this.#known.add(url.href);
      this.#waiting.push(url);
      found++;
    }
    return found;
  }
}

const starts = process.argv.slice(2).map((text) => new URL(text));
if (starts.length === 0) {
  explain(`Crawls hosts, and decides itself which of their machines serves each page.

  crawler.ts URL…    such as https://example.com/

MAX_PAGES (20) is how many pages of each host it asks for, PAUSE_MS (1000) how long each IP address
rests between two. CA_FILE and ADDRESSES: see surroundings.ts.`);
}
await using pool = createPool(surroundings());
const politeness = new Politeness(Number(PAUSE_MS));
// Hosts that share a machine share its pauses.
await Promise.all(starts.map((url) => new Site(pool, politeness, url).crawl(Number(MAX_PAGES))));
