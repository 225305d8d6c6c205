/**
 * What every store of a fleet must do.
 *
 * @module
 */

import { assert, assertEquals, assertRejects } from "@std/assert";
import test from "node:test";
import type { FleetStore, StoreEvents, StoreLink, SyncRequest } from "../../src/fleet/store.ts";
import { PermitLedger } from "../support/permit_ledger.ts";
import { Random, withSeed } from "../support/random.ts";
import { pause } from "../support/services.ts";

/** A store under test, which has been running for long, or is told not to wait. */
export interface StoreScene extends AsyncDisposable {
  readonly store: FleetStore;
  /** Ends all connections, and lets new ones be opened in another epoch. */
  restart(): Promise<void>;
}

const quiet: StoreEvents = { onHint: () => {}, onLost: () => {} };

/** A request of a member. */
export function requestOf(
  link: StoreLink,
  seq: number,
  more: Partial<SyncRequest> = {},
): SyncRequest {
  return {
    member: "m1",
    link: link.link,
    seq,
    epoch: "",
    claims: [],
    ended: [],
    goneAfterMs: 10,
    ...more,
  };
}

/** Registers the tests of a store. */
export function storeContract(
  name: string,
  make: () => Promise<StoreScene>,
  skip: string | false = false,
): void {
  const check = (title: string, run: (scene: StoreScene) => Promise<void>) =>
    test(`${name} ${title}`, { skip }, async () => {
      await using scene = await make();
      await run(scene);
    });
  const open = (scene: StoreScene, events = quiet) =>
    scene.store.connect(events, new AbortController().signal);

  check("keeps entries until they expire or are removed", async (scene) => {
    const link = await open(scene);
    await link.put("s", "lasting", "1", 60_000);
    await link.put("s", "brief", "2", 20);
    await link.put("s", "removed", "3", 60_000);
    await link.put("other", "x", "y", 60_000);
    await link.remove("s", "removed");
    await pause(40);
    assertEquals(await link.read("s"), { entries: [{ key: "lasting", value: "1" }], skipped: 0 });
    assertEquals(await link.read("none"), { entries: [], skipped: 0 });
    link.close();
  });

  check("leaves out what is too large", async (scene) => {
    const link = await open(scene);
    await link.put("s", "huge", "x".repeat(100_000), 60_000);
    await link.put("s", "small", "1", 60_000);
    assertEquals(await link.read("s"), { entries: [{ key: "small", value: "1" }], skipped: 1 });
    link.close();
  });

  check("passes hints on to everybody", async (scene) => {
    const heard: string[] = [];
    const onHint = (text: string) => void heard.push(text);
    const links = [
      await open(scene, { ...quiet, onHint }),
      await open(scene, { ...quiet, onHint }),
    ];
    await links[0]!.hint("news");
    for (let tries = 0; tries < 400 && heard.length < 2; tries++) await pause(5);
    assertEquals(heard, ["news", "news"]);
    for (const link of links) link.close();
  });

  check("tells which connections have ended", async (scene) => {
    const [one, two] = [await open(scene), await open(scene)];
    assert(one.link !== two.link);
    assertEquals(await one.ended([one.link, two.link]), []);
    two.close();
    for (let tries = 0; tries < 200; tries++) {
      if ((await one.ended([two.link])).length > 0) break;
      await pause(5);
    }
    assertEquals(await one.ended([one.link, two.link]), [two.link]);
    one.close();
    await assertRejects(() => two.read("s"));
  });

  check(
    "is in another epoch after a restart, and does not forget that members may be there",
    async (scene) => {
      const first = await open(scene);
      const before = await first.sync(requestOf(first, 1, { goneAfterMs: 60_000 }));
      await scene.restart();
      const second = await open(scene);
      const newcomer = { member: "m2", goneAfterMs: 60_000 };
      await second.sync(requestOf(second, 2, { epoch: before.epoch, goneAfterMs: 60_000 }));
      const claim = { key: "a", cap: 100, hold: 0, want: 50 };
      const after = await second.sync(requestOf(second, 1, { ...newcomer, claims: [claim] }));
      assert(after.epoch !== before.epoch);
      assertEquals([after.grace, after.grants[0]?.count], [true, 1]);
      second.close();
      first.close();
    },
  );

  check("gives out permits by the ledger's rules", (scene) =>
    withSeed(async (seed) => {
      const random = new Random(seed);
      const ledger = new PermitLedger();
      const link = await open(scene);
      // Nobody is ever silent for so long: the ledger's clock need not be the store's.
      const goneAfterMs = 600_000;
      // A store that was started just now waits for members of an earlier epoch.
      for (let tries = 0; tries < 400; tries++) {
        const probe = requestOf(link, tries + 1, { member: "probe", goneAfterMs });
        if (!(await link.sync(probe)).grace) break;
        await pause(25);
      }
      ledger.begin("x", 0, Infinity, goneAfterMs);
      ledger.sync(requestOf(link, 1_000, { member: "probe", goneAfterMs }), 0);
      const seqs = new Map<string, number>();
      for (let step = 0; step < 150; step++) {
        const member = `m${random.below(5)}`;
        if (random.chance(0.05)) {
          await link.leave(member);
          ledger.leave(member);
          continue;
        }
        const seq = (seqs.get(member) ?? 0) + random.pick([0, 1, 1, 1]);
        seqs.set(member, seq);
        const claims = ["a 192.0.2.1", "a 192.0.2.2"].map((key) => ({
          key,
          cap: random.pick([4, 10, 100]),
          hold: random.below(12),
          want: random.below(60),
        }));
        const request = requestOf(link, seq, { member, claims, goneAfterMs });
        const { epoch: _epoch, ...given } = await link.sync(request);
        const { epoch: _same, ...ruled } = ledger.sync(request, step);
        assertEquals(given, ruled, `step ${step}`);
      }
      link.close();
    }));

  check(
    "gives the permits of a silent member to others once its connection has ended",
    async (scene) => {
      const [silent, other] = [await open(scene), await open(scene)];
      const claim = { key: "a", cap: 100, hold: 60, want: 60 };
      const goneAfterMs = 40;
      await silent.sync(requestOf(silent, 1, { claims: [claim], goneAfterMs }));
      const want = { ...claim, hold: 0, want: 95 };
      const sync = async (seq: number, ended: SyncRequest["ended"] = []) =>
        await other.sync(
          requestOf(other, seq, { member: "m2", claims: [want], goneAfterMs, ended }),
        );
      let seq = 0;
      for (let tries = 0; tries < 400 && (await sync(++seq)).silent.length === 0; tries++) {
        await pause(10);
      }
      const still = await sync(++seq);
      assertEquals(still.silent, [{ member: "m1", link: silent.link }]);
      assert(still.grants[0]!.count <= 35, `${still.grants[0]!.count} were given`);
      silent.close();
      while ((await other.ended([silent.link])).length === 0) await pause(5);
      const { grants: [grant] } = await sync(++seq, still.silent);
      assertEquals(grant?.count, 95);
      other.close();
    },
  );
}
