/**
 * What holds against any server: the same tests for each of them.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { gunzipSync } from "node:zlib";
import type { PartyKind, PartySettings } from "../support/party.ts";
import { mismatch, pattern } from "../support/pattern.ts";
import { pause } from "../support/services.ts";
import { TEXT } from "../support/upstream.ts";
import {
  ask,
  askOften,
  clientPort,
  explain,
  sha256,
  streamOf,
  testTogether,
  testWith,
  ways,
} from "./support.ts";

const LARGE_BYTES = 8 * 1_048_576;

type Protocol = NonNullable<PartySettings["protocol"]>;

/** Declares the tests for a party, over each of the protocols that it speaks. */
export function testParty(
  kind: PartyKind,
  protocols: readonly Protocol[] = ["http/1.1", "h2"],
): void {
  testIdle(kind, protocols);
  for (const protocol of protocols) {
    testReuse(kind, protocol);
    testBodies(kind, protocol);
    testEndings(kind, protocol);
    if (kind.reloads !== false) testReload(kind, protocol);
    if (protocol === "h2") testStreams(kind, protocol);
  }
}

function testReuse(kind: PartyKind, protocol: Protocol): void {
  testWith(
    kind,
    "answers one request after the other over one connection",
    { protocol },
    async (scene) => {
      const answers = await askOften(scene, "text", { times: 30, atOnce: 1 });
      for (const [, ask] of ways) answers.push(await ask(scene.pool, "bytes?size=100"));
      assertEquals(answers.map(({ status }) => status), answers.map(() => 200));
      assertEquals(new Set(answers.map(clientPort)).size, 1);
      assertEquals(scene.pool.stats().dials, 1);
    },
  );

  testWith(kind, "answers many requests at once over as many connections as may be", {
    protocol,
    pool: { maxConnectionsPerIp: 4 },
  }, async (scene) => {
    const answers = await askOften(scene, "bytes?size=1000", { times: 200, atOnce: 32 });
    assertEquals(answers.map(({ bytes }) => mismatch(0, bytes)), answers.map(() => -1));
    const connections = protocol === "h2" ? 1 : 4;
    assertEquals(new Set(answers.map(clientPort)).size, connections);
    assertEquals(scene.pool.stats().dials, connections);
  });

  testWith(kind, "is asked at the machine that was chosen", {
    protocol,
    addresses: ["127.0.0.1", "127.0.0.2"],
  }, async ({ pool }) => {
    for (const ip of ["127.0.0.2", "127.0.0.1", "127.0.0.2"]) {
      const response = await pool.request("https://a.test/200", { ip });
      assertEquals(response.headers.get("x-server-address"), ip);
      assertEquals(response.connection.ip, ip);
      await response.dump();
    }
    assertEquals(pool.stats().dials, 2);
  });
}

function testBodies(kind: PartyKind, protocol: Protocol): void {
  for (const [way, ask] of ways) {
    testWith(
      kind,
      `sends bodies with a length and in chunks to ${way}`,
      { protocol },
      async ({ pool }) => {
        const connections = new Set<string>();
        for (const size of [0, 1, 1_000, 65_536, 300_000]) {
          for (const query of [`size=${size}`, `size=${size}&chunked`]) {
            const answer = await ask(pool, `bytes?${query}`);
            assertEquals([answer.bytes.length, mismatch(0, answer.bytes)], [size, -1], query);
            connections.add(clientPort(answer));
          }
        }
        const chunked = await ask(pool, "bytes?size=1000&chunked");
        assertEquals(chunked.headers.get("content-length"), null);
        assertEquals(connections.size, 1);
      },
    );

    testWith(kind, `sends 8 MiB whole to ${way}`, { protocol }, async ({ pool }) => {
      const expected = sha256(pattern(0, LARGE_BYTES));
      for (const query of ["", "&chunked"]) {
        const { bytes } = await ask(pool, `bytes?size=${LARGE_BYTES}${query}`);
        assertEquals([bytes.length, sha256(bytes)], [LARGE_BYTES, expected]);
      }
      assertEquals(pool.stats().dials, 1);
    });

    testWith(kind, `takes 8 MiB whole from ${way}`, { protocol }, async ({ pool }) => {
      const bytes = pattern(0, LARGE_BYTES);
      const expected = { bytes: LARGE_BYTES, sha256: sha256(bytes) };
      for (const body of [bytes, streamOf(bytes, 50_000), new Blob([bytes])]) {
        const answer = await ask(pool, "hash", { method: "POST", body });
        assertEquals(JSON.parse(new TextDecoder().decode(answer.bytes)), expected);
      }
      assertEquals(pool.stats().dials, 1);
    });
  }

  testWith(kind, "sends a body slowly to who reads slowly", { protocol }, async ({ pool }) => {
    const response = await pool.request(`https://a.test/bytes?size=${LARGE_BYTES}`);
    let at = 0;
    for await (const part of response.body) {
      assertEquals(mismatch(at, part), -1);
      at += part.length;
      if (at < 1_048_576) await pause(1);
    }
    assertEquals(at, LARGE_BYTES);
  });

  testWith(
    kind,
    "compresses where it is asked to, and fetch() decodes",
    { protocol },
    async ({ pool }) => {
      const headers = { "accept-encoding": "gzip" };
      const raw = await ask(pool, "text", { headers });
      assertEquals(raw.headers.get("content-encoding"), "gzip");
      assert(raw.bytes.length < TEXT.length / 10);
      assertEquals(gunzipSync(raw.bytes).toString() === TEXT, true);
      const plain = await ask(pool, "text");
      assertEquals(plain.headers.get("content-encoding"), null);
      const fetched = await pool.fetch("https://a.test/text");
      assertEquals(fetched.headers.get("content-encoding"), "gzip");
      assertEquals(await fetched.text() === TEXT, true);
      assertEquals(pool.stats().dials, 1);
    },
  );

  testWith(kind, "sends no body to HEAD, nor with 204 and 304", { protocol }, async ({ pool }) => {
    // Trap 3.
    const connections = new Set<string>();
    const cases: [path: string, method: string, status: number][] = [
      ["bytes?size=1000", "HEAD", 200],
      ["bytes?size=1000&chunked", "HEAD", 200],
      ["204", "GET", 204],
      ["304", "GET", 304],
      ["404", "HEAD", 404],
    ];
    for (const [, ask] of ways) {
      for (const [path, method, status] of cases) {
        const answer = await ask(pool, path, { method });
        assertEquals([answer.status, answer.bytes.length], [status, 0], `${method} ${path}`);
        connections.add(clientPort(answer));
      }
    }
    const { headers } = await ask(pool, "bytes?size=1000", { method: "HEAD" });
    assertEquals(headers.get("content-length"), "1000");
    assertEquals(connections.size, 1);
  });
}

function testEndings(kind: PartyKind, protocol: Protocol): void {
  testWith(
    kind,
    "closes connections as it says, and none is used then",
    { protocol },
    async (scene) => {
      // Trap 4, and H4: over HTTP/2 it says so by GOAWAY, where it does at all.
      const answers = await askOften(scene, "close/bytes?size=1000", { times: 24, atOnce: 4 });
      for (const { bytes } of answers) assertEquals(mismatch(0, bytes), -1);
      if (protocol === "h2") return;
      for (const { headers } of answers) assertEquals(headers.get("connection"), "close");
      assertEquals(new Set(answers.map(clientPort)).size, 24);
      assertEquals(scene.pool.stats().idle, 0);
    },
  );

  testWith(
    kind,
    "refuses what is too large before it is all there",
    { protocol },
    async (scene) => {
      // Trap 2.
      const { pool } = scene;
      const bytes = pattern(0, LARGE_BYTES);
      for (const [way, ask] of ways) {
        for (let i = 0; i < 3; i++) {
          const refused = ask(pool, "limited/hash", { method: "POST", body: bytes });
          const outcome = await refused.then(({ status }) => status, explain);
          const lost = !kind.lingers && String(outcome).includes("the connection ended");
          if (!lost) assertEquals(outcome, 413, way);
          const next = await ask(pool, "bytes?size=1000");
          assertEquals([next.status, mismatch(0, next.bytes)], [200, -1]);
        }
      }
      const small = await ask(pool, "limited/hash", {
        method: "POST",
        body: bytes.slice(0, 1_000),
      });
      assertEquals(small.status, 200);
      assertEquals(pool.stats().leased, 0);
    },
  );
}

function testIdle(kind: PartyKind, protocols: readonly Protocol[]): void {
  testTogether(
    kind,
    "closes what is idle for a second, and no request fails",
    protocols.map((protocol) => ({ protocol, keepAliveSeconds: 1 })),
    async (scene, { protocol }) => {
      // Trap 7: some of these are sent at the moment when the server closes.
      const connections = new Set<string>();
      for (const ms of [0, 995, 1_000, 1_100]) {
        await pause(ms);
        const answers = await askOften(scene, "bytes?size=100", { times: 40, atOnce: 8 });
        assertEquals(answers.map(({ status }) => status), answers.map(() => 200));
        for (const answer of answers) connections.add(clientPort(answer));
      }
      assert(connections.size > scene.pool.stats().connections || protocol === "h2");
    },
  );
}

/** Declares the tests of many streams at once. */
export function testStreams(kind: PartyKind, protocol: Protocol): void {
  testWith(kind, "answers a hundred callers at once over one connection", {
    protocol,
  }, async ({ pool }) => {
    const before = await pool.request("https://a.test/200");
    await before.dump();
    const asked = Array.from({ length: 100 }, async (_, i) => {
      const response = await pool.request(`https://a.test/bytes?size=${i * 100}`);
      const bytes = await response.bytes();
      assertEquals([bytes.length, mismatch(0, bytes)], [i * 100, -1]);
      return response.connection;
    });
    const connections = await Promise.all(asked);
    assertEquals(new Set(connections.map(({ id }) => id)).size, 1);
    assertEquals(new Set(connections.map(({ streamId }) => streamId)).size, 100);
    assertEquals(connections.every(({ protocol }) => protocol === "h2"), true);
    assert(connections.some(({ streams }) => streams > 50));
    pool.manager.checkInvariants();
  });

  testWith(
    kind,
    "sends and takes 1 MiB for many callers at once",
    { protocol },
    async ({ pool }) => {
      const bytes = pattern(0, 1_048_576);
      const expected = { bytes: bytes.length, sha256: sha256(bytes) };
      await Promise.all(Array.from({ length: 16 }, async (_, i) => {
        if (i % 2 === 0) {
          const answer = await ask(pool, `bytes?size=${bytes.length}`);
          assertEquals([answer.bytes.length, mismatch(0, answer.bytes)], [bytes.length, -1]);
        } else {
          const body = i % 4 === 1 ? bytes : streamOf(bytes, 30_000);
          const answer = await ask(pool, "hash", { method: "POST", body });
          assertEquals(JSON.parse(new TextDecoder().decode(answer.bytes)), expected);
        }
      }));
      assertEquals(pool.stats().dials, 1);
    },
  );

  testWith(kind, "goes on when some of its streams are aborted", { protocol }, async ({ pool }) => {
    for (let round = 0; round < 6; round++) {
      const stop = new AbortController();
      const options = { signal: stop.signal };
      // If ten bodies wait unread, HAProxy 2.6 at times sends nothing more until it is sent something.
      const doomed = await Promise.all(
        Array.from(
          { length: 5 },
          () => pool.request(`https://a.test/bytes?size=${LARGE_BYTES}`, options),
        ),
      );
      // Nobody has read, and no window is as large: none of them can be whole.
      const ended = Promise.allSettled(doomed.map((response) => response.bytes()));
      stop.abort(new Error("enough"));
      const outcomes = await ended;
      assertEquals(outcomes.every(({ status }) => status === "rejected"), true);
      const next = await ask(pool, "bytes?size=1000");
      assertEquals([next.status, mismatch(0, next.bytes)], [200, -1]);
    }
    assertEquals(pool.stats().dials, 1);
  });
}

/** Declares the test of a reload under load. */
export function testReload(kind: PartyKind, protocol: Protocol): void {
  testWith(
    kind,
    "is reloaded under load, and no request fails",
    { protocol },
    async ({ party, pool }) => {
      const seen = new Set<string | null>();
      const failures: string[] = [];
      const statuses = new Set<number>();
      let going = true;
      const has = async (generation: string) => {
        for (let tries = 0; tries < 2_000 && !seen.has(generation); tries++) await pause(10);
      };
      const load = Array.from({ length: 12 }, async (_, i) => {
        const path = ["200", "bytes?size=1000", "bytes?size=200000&chunked", "text"][i % 4]!;
        const [, ask] = ways[i % 2]!;
        while (going) {
          try {
            const answer = await ask(pool, path);
            statuses.add(answer.status);
            seen.add(answer.headers.get("x-generation"));
          } catch (error) {
            failures.push(explain(error));
            return;
          }
        }
      });
      try {
        await has("1");
        for (let i = 0; i < 3 && failures.length === 0; i++) {
          await has(
            String(await party.reload()),
          );
        }
      } finally {
        going = false;
        await Promise.all(load);
      }
      assertEquals(failures, []);
      assertEquals([...statuses], [200]);
      assertEquals([...seen], ["1", "2", "3", "4"]);
    },
  );
}
