/**
 * TLS options that are replaced while a pool runs, over real sockets.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { test } from "node:test";
import { nodeDialer } from "../../adapters/node.ts";
import { createPool, staticResolver } from "../../mod.ts";
import { startRemoteOrigin } from "../support/origin_process.ts";
import { createAuthority } from "../support/pki.ts";

test("After setTls() servers see the new client certificate, and no request fails", async () => {
  const ca = await createAuthority();
  const certificates = [{ ...await ca.issue({ names: ["a.test"] }), names: ["a.test"] }];
  await using origin = await startRemoteOrigin({
    certificates,
    clientCa: ca.cert,
    behaviour: { kind: "http" },
  });
  const tls = async (name: string) => {
    const { cert, key } = await ca.issueClient(name);
    return { ca: [ca.cert], clientCertificate: { cert, key } };
  };
  await using pool = createPool({
    dialer: nodeDialer(),
    resolver: staticResolver({ "a.test": [`127.0.0.1:${origin.port}`] }),
    tls: await tls("the old one"),
  });
  const underWay = await pool.request("https://a.test/bytes/100000");
  pool.setTls(await tls("the new one"));
  const answers = await Promise.all([underWay, pool.request("https://a.test/bytes/1")]);
  for (const answer of answers) await answer.bytes();
  const { connections } = await origin.until({ openSockets: 1 });
  assertEquals(
    connections.map(({ clientCertificate, open }) => [clientCertificate?.commonName, open]),
    [
      ["the old one", false],
      ["the new one", true],
    ],
  );
  pool.manager.checkInvariants();
});
