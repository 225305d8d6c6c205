/**
 * Many requests at once that end in every way at random moments: whatever happens to one, every
 * other one gets its own answer, whole, and nothing is left behind.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { test } from "node:test";
import { HotconnError } from "../../src/core/errors.ts";
import type { RequestOptions } from "../../src/http/request_options.ts";
import type { PooledResponse } from "../../src/http/response.ts";
import { busy, type Scene, withScene } from "../support/http_scene.ts";
import { mismatch, pattern } from "../support/pattern.ts";
import { Random, withSeed } from "../support/random.ts";

const REQUESTS = 1_500;
const WORKERS = 24;

class Stop extends Error {}

/** A request of a random kind; says how it must end. */
class Actor {
  readonly #scene: Scene;
  readonly #random: Random;
  readonly #stop = new AbortController();
  #mayFail = false;

  constructor(scene: Scene, random: Random) {
    this.#scene = scene;
    this.#random = random;
  }

  async run(): Promise<void> {
    const random = this.#random;
    const length = random.pick([0, 1, random.below(5_000), random.below(700_000)]);
    const path = random.weighted([
      [6, `/bytes/${length}`],
      [4, `/chunked/${length}`],
      [1, "/cut"],
      [1, "/hang"],
      [1, "/close"],
    ]);
    const options: { -readonly [Name in keyof RequestOptions]: RequestOptions[Name] } = {
      signal: this.#stop.signal,
    };
    if (random.chance(0.3)) {
      options.method = "PUT";
      options.body = pattern(0, random.below(200_000));
    }
    if (path === "/hang" || random.chance(0.1)) {
      this.#mayFail = true;
      if (random.chance(0.5)) options.timeoutMs = random.below(100);
      else setTimeout(() => this.#stop.abort(new Stop()), random.below(40));
    }
    if (path === "/cut") this.#mayFail = true;
    try {
      const response = await this.#scene.pool.request(this.#scene.url(path), options);
      assertEquals(response.status, 200);
      const expected = path.startsWith("/bytes") || path.startsWith("/chunked") ? length : -1;
      await this.#read(response, expected);
    } catch (error) {
      const told = error instanceof HotconnError || error instanceof Stop;
      if (!told || !this.#mayFail) throw error;
    }
  }

  async #read(response: PooledResponse, length: number): Promise<void> {
    const how = this.#random.weighted([
      [4, "bytes"],
      [3, "stream"],
      [2, "dump"],
      [1, "cancel"],
      [1, "break"],
      [1, "forget"],
    ]);
    if (how === "dump") return await response.dump({ maxBytes: this.#random.below(100_000) });
    if (how === "cancel") return await response.body.cancel();
    if (how === "forget") return;
    let at = 0;
    const take = (part: Uint8Array) => {
      if (length >= 0) assertEquals(mismatch(at, part), -1);
      at += part.length;
    };
    if (how === "bytes") take(await response.bytes());
    else {
      for await (const part of response.body) {
        take(part);
        if (how === "break") return;
        if (this.#random.chance(0.1)) await new Promise((resolve) => setTimeout(resolve, 1));
      }
    }
    if (length >= 0) assertEquals(at, length);
  }
}

test("Whatever becomes of a request, every other one gets its own answer, and nothing is left", () =>
  withSeed((seed) =>
    withScene({
      origin: { behaviour: { kind: "http" }, addresses: ["127.0.0.1", "127.0.0.2"] },
      pool: { maxConnectionsPerIp: 6, leakTimeoutMs: 100 },
    }, async (scene) => {
      const { pool } = scene;
      const random = new Random(seed);
      let left = REQUESTS;
      const worker = async () => {
        while (left-- > 0) {
          await new Actor(scene, random).run();
          if (left % 50 === 0) pool.manager.checkInvariants();
          if (left % 500 === 0) void pool.drain("127.0.0.2");
        }
      };
      await Promise.all([...Array(WORKERS)].map(worker));
      while (busy(pool) > 0) await new Promise((resolve) => setTimeout(resolve, 10));
      const { acquired, connections, dials, idle, released, waiting } = pool.stats();
      assertEquals([acquired - released, connections - idle, waiting], [0, 0, 0]);
      assert(dials < REQUESTS, `${dials} dials`);
    })
  ));
