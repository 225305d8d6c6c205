import { assert, assertEquals } from "@std/assert";
import test from "node:test";
import { ALL_EVENTS } from "../../adapters/admin/event_log.ts";
import { dashboard } from "../../adapters/dashboard/page.ts";
import { adminRouter } from "../../adapters/hono.ts";
import { memoryDialer } from "../../adapters/memory.ts";
import { createPool } from "../../mod.ts";
import { staticResolver } from "../../src/hosts/resolver.ts";
import { TOKENS } from "../support/admin_scene.ts";
import { createAuthority } from "../support/pki.ts";

const PIN = `sha256/${"c2VjcmV0LXBpbg".padEnd(43, "A")}=`;

const POOL_CA = (await createAuthority("Pool")).cert;
const LEASE_CA = (await createAuthority("Lease")).cert;

/** Some of a certificate that no other has: its key. */
function certificateLine(pem: string): string {
  return pem.split("\n").at(4)!;
}

test("no secret, key, certificate, pin or header is in any answer or event", async () => {
  const secrets = {
    ca: certificateLine(POOL_CA),
    cert: "CLIENT-CERTIFICATE",
    key: "PRIVATE-KEY",
    other: "PRIVATE-KEY-OF-A-HOST",
    proxy: "PASSWORD-OF-A-PROXY",
    check: "TOKEN-OF-A-CHECK",
    third: certificateLine(LEASE_CA),
    pin: PIN,
    header: "SECRET-HEADER",
    query: "SECRET-QUERY",
    answer: "SECRET-COOKIE",
    ...TOKENS,
  };
  const answer = `HTTP/1.1 200 OK\r\nset-cookie: ${secrets.answer}\r\ncontent-length: 0\r\n\r\n`;
  await using pool = createPool({
    dialer: memoryDialer({
      script: ({ host }) => ({
        ...host === "b.test" && { failure: "certificate", phase: "tls" },
        socket: { onWrite: (socket) => socket.receive(new TextEncoder().encode(answer)) },
      }),
    }),
    resolver: staticResolver({ "a.test": ["192.0.2.1"], "b.test": ["192.0.2.2"] }),
    maxRetries: 0,
    tls: {
      ca: POOL_CA,
      clientCertificate: { cert: secrets.cert, key: secrets.key },
      pins: [PIN],
    },
    healthCheck: { path: `/healthz?token=${secrets.check}` },
    hosts: {
      "c.test": {
        proxy: `http://user:${secrets.proxy}@proxy.test:3128`,
        tls: { clientCertificate: { cert: "x", key: secrets.other } },
      },
    },
  });
  const router = adminRouter(pool, { auth: TOKENS });
  const headers = { authorization: `Bearer ${TOKENS.act}` };
  const events = await router.request(
    `/api/pools/default/events?events=${ALL_EVENTS.join(",")}`,
    { headers },
  );
  const response = await pool.request(`https://a.test/?token=${secrets.query}`, {
    headers: { "x-secret": secrets.header, authorization: secrets.header },
  });
  assertEquals(response.status, 200);
  await response.text();
  await pool.acquire("b.test").catch(() => {});
  const lease = await pool.acquire("a.test", { tls: { ca: LEASE_CA } });
  const bodies: { readonly [action: string]: unknown } = {
    warm: { host: "a.test", connections: 2 },
    drain: { target: "192.0.2.9" },
    evict: { id: lease.connection.id },
    block: { ip: "192.0.2.9", forMs: 1_000 },
    unblock: { ip: "192.0.2.9" },
    weight: { ip: "192.0.2.9", weight: 2 },
    limits: { maxConnections: 10 },
    close: {},
  };
  const { folder } = await dashboard();
  let shown = "";
  const { paths } = await (await router.request("/openapi.json", { headers })).json();
  for (const template of Object.keys(paths)) {
    if (template.endsWith("/events")) continue;
    const path = template.replace("{pool}", "default").replace("{host}", "a.test")
      .replace("{id}", `${lease.connection.id}`).replace("{folder}", folder);
    const action = path.includes("/actions/");
    const answer = await router.request(path, {
      method: action ? "POST" : "GET",
      headers: { ...headers, ...action && { "content-type": "application/json" } },
      ...action && { body: JSON.stringify(bodies[path.slice(path.lastIndexOf("/") + 1)]) },
    });
    assertEquals(answer.status, 200, path);
    shown += JSON.stringify([...answer.headers]) + await answer.text();
  }
  lease.release();
  await pool.close({ graceMs: 0 });
  shown += await events.text();
  for (
    const part of ["dialError", "release", "\"tlsProfile\":\"tls-", "audit", "a.test", "proxy.test"]
  ) {
    assert(shown.includes(part), `Nothing was shown of ${part}`);
  }
  for (const [name, secret] of Object.entries(secrets)) {
    assert(!shown.includes(secret), `${name} was shown`);
  }
});
