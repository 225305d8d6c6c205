/**
 * DNS over HTTPS as a scripted origin answers it: the same question always has the same URL.
 *
 * @module
 */

import { encode, RECURSION_DESIRED } from "dns-packet";
import { Buffer } from "node:buffer";
import { type DnsReply, type DnsZone, encodeReply } from "./dns_server.ts";
import type { Script } from "./origin_script.ts";

/** The media type of a DNS message. */
export const DNS_MESSAGE = "application/dns-message";

/** The path of a question. */
export function dohPath(name: string, type: "A" | "AAAA"): string {
  const question = encode({
    type: "query",
    id: 0,
    flags: RECURSION_DESIRED,
    questions: [{ name, type }],
  });
  return `/dns-query?dns=${question.toString("base64url")}`;
}

/** The scripts of an origin that answers from a zone. */
export function dohScripts(zone: DnsZone): { [path: string]: Script } {
  const scripts: { [path: string]: Script } = {};
  for (const [name, records] of Object.entries(zone)) {
    for (const type of ["A", "AAAA"] as const) {
      const reply: DnsReply = records[type] ?? {};
      const body = Buffer.from(encodeReply(0, name, type, reply)).toString("latin1");
      const head = `HTTP/1.1 200 OK\r\ncontent-type: ${DNS_MESSAGE}\r\n`
        + `content-length: ${body.length}\r\n\r\n`;
      scripts[dohPath(name, type)] = reply.silent
        ? []
        : [...reply.delayMs ? [{ waitMs: reply.delayMs }] : [], { send: head + body }];
    }
  }
  return scripts;
}
