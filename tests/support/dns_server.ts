/**
 * A DNS server on 127.0.0.1, over UDP and TCP, that answers as its zone says.
 *
 * @module
 */

import {
  type Answer,
  decode,
  encode,
  RECURSION_AVAILABLE,
  type StringAnswer,
  TRUNCATED_RESPONSE,
} from "dns-packet";
import { Buffer } from "node:buffer";
import dgram from "node:dgram";
import { once } from "node:events";
import net from "node:net";
import type { SrvRecord } from "../../src/hosts/resolver.ts";

/** How a question is answered. */
export interface DnsReply {
  /** Addresses of the type that was asked for. */
  readonly addresses?: readonly string[];
  /** SRV records. */
  readonly srv?: readonly SrvRecord[];
  /** The data of HTTPS or SVCB records. */
  readonly https?: readonly Uint8Array[];
  /** The name that the records are of. @default {the name that was asked for} */
  readonly owner?: string;
  /** The names that lead to them, one from another. */
  readonly aliases?: readonly { readonly name: string; readonly ttl: number }[];
  /** For how long the addresses hold, in seconds. @default {60} */
  readonly ttl?: number;
  /** @default {"NOERROR"} */
  readonly rcode?: "NOERROR" | "SERVFAIL" | "NXDOMAIN" | "REFUSED";
  /** No answer at all. */
  readonly silent?: boolean;
  /** How long the answer takes, in milliseconds. */
  readonly delayMs?: number;
  /** Over UDP the answer is cut short. */
  readonly truncated?: boolean;
}

/** The replies by name and type; a name that is not there does not exist. */
export interface DnsZone {
  readonly [name: string]: { readonly [Type in DnsType]?: DnsReply };
}

/** The types of records that a zone has. */
export type DnsType = "A" | "AAAA" | "SRV" | "HTTPS" | "SVCB";

/** The library has no names for these two. */
const TYPES: { readonly [type: string]: DnsType } = {
  A: "A",
  AAAA: "AAAA",
  SRV: "SRV",
  UNKNOWN_64: "SVCB",
  UNKNOWN_65: "HTTPS",
};

/** A running server. */
export interface DnsServer extends AsyncDisposable {
  /** Its address, as a resolver takes it. */
  readonly address: string;
  /** What was asked, such as `a.test A` or, over TCP, `a.test A tcp`. */
  readonly asked: readonly string[];
}

const RCODES = { NOERROR: 0, SERVFAIL: 2, NXDOMAIN: 3, REFUSED: 5 };

/** A type as the library knows it. */
function wireType(type: DnsType): string {
  return type === "HTTPS" ? "UNKNOWN_65" : type === "SVCB" ? "UNKNOWN_64" : type;
}

/** The records of a reply. */
export function answersOf(name: string, type: DnsType, reply: DnsReply): Answer[] {
  const { addresses = [], aliases = [], https = [], srv = [], ttl = 60 } = reply;
  const answers: StringAnswer[] = [];
  let owner = reply.owner ?? name;
  for (const alias of aliases) {
    answers.push({ type: "CNAME", name: owner, ttl: alias.ttl, data: alias.name });
    owner = alias.name;
  }
  return [
    ...answers,
    ...addresses.map((data): Answer => ({ type: type as "A", name: owner, ttl, data })),
    ...srv.map((data): Answer => ({ type: "SRV", name: owner, ttl, data })),
    ...https.map((data): Answer => ({
      type: wireType(type) as "NULL",
      name: owner,
      ttl,
      data: Buffer.from(data),
    })),
  ];
}

/** Makes the message that answers a question. */
export function encodeReply(id: number, name: string, type: DnsType, reply: DnsReply): Buffer {
  return encode({
    type: "response",
    id,
    flags: RECURSION_AVAILABLE | RCODES[reply.rcode ?? "NOERROR"]
      | (reply.truncated ? TRUNCATED_RESPONSE : 0),
    questions: [{ type: wireType(type) as "A", name }],
    answers: answersOf(name, type, reply),
  });
}

/** Starts a server. */
export async function startDnsServer(zone: DnsZone): Promise<DnsServer> {
  const asked: string[] = [];
  const timers = new Set<ReturnType<typeof setTimeout>>();
  const sockets = new Set<net.Socket>();

  function serve(message: Uint8Array, over: "udp" | "tcp", send: (bytes: Buffer) => void): void {
    const { id = 0, questions: [question] = [] } = decode(Buffer.from(message));
    const type = TYPES[question?.type ?? ""];
    if (!question || !type) return;
    const { name } = question;
    asked.push(`${name} ${type}${over === "tcp" ? " tcp" : ""}`);
    const records = zone[name.toLowerCase()];
    const reply: DnsReply = records ? records[type] ?? {} : { rcode: "NXDOMAIN" };
    if (reply.silent) return;
    const truncated = over === "udp" && reply.truncated === true;
    const timer = setTimeout(() => {
      timers.delete(timer);
      send(encodeReply(id, name, type, { ...truncated ? {} : reply, truncated }));
    }, reply.delayMs ?? 0);
    timers.add(timer);
  }

  const udp = dgram.createSocket("udp4");
  udp.on("message", (message, { address, port }) => {
    serve(message, "udp", (bytes) => udp.send(bytes, port, address));
  });
  const tcp = net.createServer((socket) => {
    sockets.add(socket);
    let received = Buffer.alloc(0);
    socket.on("error", () => {});
    socket.on("close", () => sockets.delete(socket));
    socket.on("data", (bytes) => {
      received = Buffer.concat([received, Buffer.from(bytes)]);
      const length = received.length < 2 ? Infinity : received.readUInt16BE(0);
      if (received.length < length + 2) return;
      const message = received.subarray(2, length + 2);
      received = received.subarray(length + 2);
      serve(message, "tcp", (answer) => {
        const size = Buffer.alloc(2);
        size.writeUInt16BE(answer.length);
        socket.write(Buffer.concat([size, answer]));
      });
    });
  });
  // TCP chooses the port, for of UDP hardly any is taken: the clients of other tests use TCP.
  tcp.listen(0, "127.0.0.1");
  await once(tcp, "listening");
  const { port } = tcp.address() as net.AddressInfo;
  udp.bind(port, "127.0.0.1");
  await once(udp, "listening");
  return {
    address: `127.0.0.1:${port}`,
    asked,
    async [Symbol.asyncDispose]() {
      for (const timer of timers) clearTimeout(timer);
      for (const socket of sockets) socket.destroy();
      const closed = [once(udp, "close"), once(tcp, "close")];
      udp.close();
      tcp.close();
      await Promise.all(closed);
    },
  };
}
