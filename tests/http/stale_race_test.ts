/**
 * Trap 7 at scale: a server that hangs up at random, and one that is dying.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { test } from "node:test";
import { HostUnavailableError, RequestError } from "../../src/core/errors.ts";
import type { RequestOptions } from "../../src/http/request_options.ts";
import { type Scene, withScene } from "../support/http_scene.ts";
import type { StaleReport } from "../support/origin_stale.ts";
import { withSeed } from "../support/random.ts";

const CONCURRENCY = 32;

const pool = { maxConnectionsPerIp: CONCURRENCY };

interface Outcome {
  readonly done: number;
  readonly errors: readonly unknown[];
  readonly seen: StaleReport;
}

/** Makes many requests, each with its own id. */
async function flood(
  { origin, pool, url }: Scene,
  count: number,
  options: (id: string) => RequestOptions,
): Promise<Outcome> {
  const errors: unknown[] = [];
  let done = 0;
  let next = 0;
  const target = url("/");
  const worker = async () => {
    while (next < count) {
      try {
        const response = await pool.request(target, options(`${next++}`));
        assertEquals(await response.text(), "ok");
        done++;
      } catch (error) {
        errors.push(error);
      }
    }
  };
  await Promise.all([...Array(CONCURRENCY)].map(worker));
  const { stale } = await origin.report();
  assert(stale);
  return { done, errors, seen: stale };
}

test("Trap 7: of 10,000 idempotent requests to a server that hangs up at random, none fails", () =>
  withSeed((seed) =>
    withScene(
      { pool, origin: { behaviour: { kind: "stale", maxAnswers: 40, seed } } },
      async (scene) => {
        const { done, errors, seen } = await flood(
          scene,
          10_000,
          (id) => ({ headers: { "x-id": id } }),
        );
        assertEquals(errors.map(String), []);
        assertEquals([done, seen.ids, seen.answered], [10_000, 10_000, 10_000]);
        // It did happen, and the retries kept to their budget.
        const repeated = seen.received - 10_000;
        assert(repeated > 10, `only ${repeated} were sent again`);
        assert(repeated <= 2_010, `${repeated} were sent again`);
      },
    )
  ));

test("Trap 7: of 10,000 POSTs none is sent twice, and each that fails says that it may have been acted on", () =>
  withSeed((seed) =>
    withScene(
      { pool, origin: { behaviour: { kind: "stale", maxAnswers: 40, seed } } },
      async (scene) => {
        const { done, errors, seen } = await flood(
          scene,
          10_000,
          (id) => ({ method: "POST", headers: { "x-id": id }, body: `body of ${id}` }),
        );
        for (const error of errors) {
          assert(error instanceof RequestError, String(error));
          assertEquals([error.failure, error.maybeActedOn], ["connection", true]);
          assert(/POST may not be repeated/.test(error.message), error.message);
        }
        assertEquals(done + errors.length, 10_000);
        assert(errors.length > 10, `only ${errors.length} failed`);
        assertEquals([seen.mostOften, seen.answered], [1, done]);
      },
    )
  ));

test("Trap 7: a POST with an Idempotency-Key is repeated like a GET", () =>
  withSeed((seed) =>
    withScene(
      { pool, origin: { behaviour: { kind: "stale", maxAnswers: 20, seed } } },
      async (scene) => {
        const { errors, seen } = await flood(
          scene,
          2_000,
          (id) => ({ method: "POST", headers: { "x-id": id, "Idempotency-Key": id }, body: id }),
        );
        assertEquals(errors.map(String), []);
        assertEquals(seen.answered, 2_000);
      },
    )
  ));

test("A server that hangs up on everybody is dialled a few times a second, and callers learn of it", () =>
  withScene({
    pool,
    origin: { behaviour: { kind: "stale", maxAnswers: 40, refusesPercent: 100, seed: 1 } },
  }, async (scene) => {
    const began = performance.now();
    const { done, errors, seen } = await flood(
      scene,
      300,
      (id) => ({ headers: { "x-id": id } }),
    );
    const seconds = (performance.now() - began) / 1_000;
    assertEquals([done, errors.length], [0, 300]);
    assert(errors.some((error) => error instanceof RequestError && error.maybeActedOn));
    assert(errors.some((error) => error instanceof HostUnavailableError));
    // The first callers dialled together.
    assert(seen.received <= 2 * CONCURRENCY + 5 * seconds, `${seen.received} requests came`);
  }));
