/**
 * An SDK that knows nothing of this library: its client takes any `fetch`, as many do. Given that of
 * a pool, its calls go over hot connections, and each can be told apart by the machine that served.
 *
 *     deno run --allow-all examples/sdk.ts https://api.example.com/
 *     bun run examples/sdk.ts https://api.example.com/
 *     node --import tsx examples/sdk.ts https://api.example.com/
 *
 * See also `surroundings.ts`.
 *
 * @module
 */

import process from "node:process";
import { connectionOf, createPool } from "../mod.ts";
import { explain, surroundings } from "./surroundings.ts";

/** A thing that the service keeps. */
export interface Item {
  readonly id: string;
  readonly title: string;
}

/** Options of {@linkcode ItemsClient}. */
export interface ItemsClientOptions {
  /** Where the service is. */
  readonly baseUrl: string;
  /** @default {the runtime's own} */
  readonly fetch?: typeof globalThis.fetch;
}

/** The service said no. */
export class ItemsError extends Error {
  override readonly name = "ItemsError";
  readonly status: number;

  constructor(status: number, detail: string) {
    super(`The service answered ${status}: ${detail}`);
    this.status = status;
  }
}

/** The service's client, as an SDK would have it. */
export class ItemsClient {
  readonly #baseUrl: string;
  readonly #fetch: typeof globalThis.fetch;

  constructor({ baseUrl, fetch = globalThis.fetch }: ItemsClientOptions) {
    this.#baseUrl = baseUrl;
    this.#fetch = fetch;
  }

  /** Gets an item. */
  async get(id: string): Promise<Item> {
    return await this.#call("GET", `items/${encodeURIComponent(id)}`);
  }

  /** Makes an item. */
  async create(item: Item): Promise<Item> {
    return await this.#call("POST", "items", item);
  }

  async #call<T>(method: string, path: string, body?: unknown): Promise<T> {
    const response = await this.#fetch(new URL(path, this.#baseUrl), {
      method,
      headers: { accept: "application/json", "content-type": "application/json" },
      ...body !== undefined && { body: JSON.stringify(body) },
    });
    if (!response.ok) throw new ItemsError(response.status, await response.text());
    return await response.json();
  }
}

const [baseUrl] = process.argv.slice(2);
if (baseUrl === undefined) {
  explain(`Calls a service through an SDK that is given the fetch of a pool.

  sdk.ts URL    such as https://api.example.com/; it is asked for items/7, after a POST of it

CA_FILE and ADDRESSES: see surroundings.ts.`);
}
await using pool = createPool(surroundings());
await pool.warm(new URL(baseUrl).host, { connections: 2 });

const client = new ItemsClient({
  baseUrl,
  // `pool.fetch` itself would do. This one also tells which machine served.
  fetch: async (input, init) => {
    const response = await pool.fetch(input, init);
    const connection = connectionOf(response);
    console.error(`${response.status} from ${connection?.ip}, reused: ${connection?.reused}`);
    return response;
  },
});
console.log(JSON.stringify(await client.create({ id: "7", title: "A seventh thing" })));
console.log(JSON.stringify(await client.get("7")));
try {
  await client.get("no such thing");
} catch (error) {
  if (!(error instanceof ItemsError)) throw error;
  console.log(error.message);
}
