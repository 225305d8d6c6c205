/**
 * The calls of a soak: each is checked, or given up in one of the ways in which callers do.
 *
 * @module
 */

import type { HttpPool } from "../../../mod.ts";

/** Makes calls of every kind at a server, and notes what was wrong. */
export class Calls {
  /** How many were made, and how many of them were given up on purpose. */
  made = 0;
  givenUp = 0;
  /** What was not as it should be. */
  readonly wrong: string[] = [];
  readonly #pools: readonly HttpPool[];
  readonly #base: string;
  readonly #random: () => number;

  /** Makes it; nothing is called yet. */
  constructor(pools: readonly HttpPool[], base: string, random: () => number) {
    this.#pools = pools;
    this.#base = base;
    this.#random = random;
  }

  /** Makes one, of a kind that chance chooses. Never rejects. */
  async one(): Promise<void> {
    const number = ++this.made;
    const kind = KINDS[Math.floor(this.#random() * KINDS.length)]!;
    const pool = this.#pools[number % this.#pools.length]!;
    try {
      await this.#call(kind, pool, number);
    } catch (error) {
      this.#note(kind, number, error instanceof Error ? `${error.name}: ${error.message}` : error);
    }
  }

  async #call(kind: Kind, pool: HttpPool, number: number): Promise<void> {
    const url = (route: string) => `${this.#base}/${route}/${number}`;
    const expect = (text: string, wanted: string) => {
      if (text !== wanted) this.#note(kind, number, `answered ${text.slice(0, 40)}`);
    };
    switch (kind) {
      case "get":
        expect(await (await pool.request(url("small"))).text(), `${number}`);
        break;
      case "post": {
        const body = `${number} `.repeat(1 + Math.floor(this.#random() * 2_000));
        const sent = { method: "POST", body } as const;
        expect(await (await pool.request(`${this.#base}/echo`, sent)).text(), body);
        break;
      }
      case "mebibyte": {
        const text = await (await pool.request(url("mib"))).text();
        if (text.length !== 1_048_576) this.#note(kind, number, `${text.length} characters`);
        expect(text.slice(0, `${number} `.length), `${number} `);
        break;
      }
      case "redirect":
        expect(await (await pool.fetch(url("moved"))).text(), `${number}`);
        break;
      case "gzip":
      case "br":
        expect(await (await pool.fetch(url(kind))).text(), `${number} `.repeat(500));
        break;
      case "abort":
        await this.#abort(pool, url(this.#random() < 0.5 ? "slow" : "mib"));
        break;
      case "unread":
        // It is let go, or found by the pool some time later.
        this.givenUp++;
        await this.#leave(pool, url("mib"));
    }
  }

  async #abort(pool: HttpPool, url: string): Promise<void> {
    const stop = new AbortController();
    const timer = setTimeout(() => stop.abort(), this.#random() * 15);
    try {
      await (await pool.request(url, { signal: stop.signal })).text();
    } catch (error) {
      if (error !== stop.signal.reason) throw error;
      this.givenUp++;
    } finally {
      clearTimeout(timer);
    }
  }

  async #leave(pool: HttpPool, url: string): Promise<void> {
    if (this.#random() < 0.5) {
      await (await pool.fetch(url)).body?.cancel();
      return;
    }
    const response = await pool.request(url);
    if (response.status !== 200) throw new Error(`status ${response.status}`);
  }

  #note(kind: Kind, number: number, what: unknown): void {
    if (this.wrong.length < 20) this.wrong.push(`call ${number}, ${kind}: ${what}`);
  }
}

type Kind = "get" | "post" | "mebibyte" | "redirect" | "gzip" | "br" | "abort" | "unread";

/** How often each is drawn: most calls of a program are small. */
const KINDS: readonly Kind[] = [
  ...Array.from({ length: 8 }, () => "get" as const),
  "post",
  "post",
  "mebibyte",
  "redirect",
  "gzip",
  "br",
  "abort",
  "unread",
];
