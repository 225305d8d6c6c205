/**
 * Asks a SOCKS proxy of version 5 for a connection (RFC 1928), with name and password if it wants them
 * (RFC 1929).
 *
 * @module
 */

import { readIp } from "../../core/address.ts";
import { ProxyError, type ProxyErrorFields, type ProxyFailure } from "../../core/errors.ts";
import type { Negotiation } from "../../core/tunnel.ts";
import type { Credentials, TunnelEnd } from "./tunnel_end.ts";

/** What the codes of a reply mean (RFC 1928 section 6). */
const REPLIES: { readonly [code: number]: readonly [ProxyFailure, string] } = {
  1: ["target", "it has failed"],
  2: ["denied", "its rules do not allow it"],
  3: ["target", "it cannot reach the network"],
  4: ["target", "it cannot reach the machine"],
  5: ["target", "the machine refused it"],
  6: ["target", "the time to live has expired"],
  7: ["protocol", "it does not know the command"],
  8: ["protocol", "it does not know the kind of address"],
};

const NO_AUTHENTICATION = 0;
const PASSWORD = 2;
const NONE_WILL_DO = 255;

const encoder = new TextEncoder();

/** Begins to ask. */
export function socks5(
  about: Omit<ProxyErrorFields, "failure" | "status">,
  end: TunnelEnd,
  credentials: Credentials | undefined,
): Negotiation {
  const methods = credentials ? [NO_AUTHENTICATION, PASSWORD] : [NO_AUTHENTICATION];
  let step: "method" | "password" | "reply" = "method";
  let received: number[] = [];

  const fail = (failure: ProxyFailure, detail: string, status: number | null = null) =>
    new ProxyError({ ...about, failure, status }, detail);

  const take = (length: number): number[] | undefined => {
    if (received.length < length) return undefined;
    const taken = received.slice(0, length);
    received = received.slice(length);
    return taken;
  };

  const ask = (): Uint8Array => {
    step = "reply";
    return Uint8Array.from([5, 1, 0, ...addressOf(end), end.port >> 8, end.port & 255]);
  };

  const onMethod = (): Uint8Array | undefined => {
    const answer = take(2);
    if (!answer) return undefined;
    const [version, method] = answer;
    if (version !== 5) throw fail("protocol", "its answer is not SOCKS 5");
    if (method === NO_AUTHENTICATION) return ask();
    if (method === PASSWORD && credentials) {
      step = "password";
      const [name, password] = [credentials.username, credentials.password].map((text) => [
        ...encoder.encode(text),
      ]);
      return Uint8Array.from([1, name!.length, ...name!, password!.length, ...password!]);
    }
    if (method !== NONE_WILL_DO) throw fail("protocol", "it chose what was not offered");
    throw fail(
      "authentication",
      credentials ? "it takes no password" : "it wants credentials, and none were given",
    );
  };

  const onPassword = (): Uint8Array | undefined => {
    const answer = take(2);
    if (!answer) return undefined;
    if (answer[1] === 0) return ask();
    throw fail("authentication", "the credentials were not taken", answer[1]);
  };

  const onReply = (): "open" | undefined => {
    if (received.length < 2) return undefined;
    const [version, code = 0] = received;
    if (version !== 5) throw fail("protocol", "its answer is not SOCKS 5");
    if (code !== 0) {
      const [failure, detail] = REPLIES[code] ?? ["protocol", `it answered with code ${code}`];
      throw fail(failure, detail, code);
    }
    if (received.length < 5) return undefined;
    const lengths: { readonly [kind: number]: number } = { 1: 4, 3: 1 + received[4]!, 4: 16 };
    const length = lengths[received[3]!];
    if (length === undefined) throw fail("protocol", "its answer has an unknown kind of address");
    if (!take(4 + length + 2)) return undefined;
    if (received.length === 0) return "open";
    throw fail("protocol", "it sent more than its answer before anything was sent");
  };

  return {
    opening: Uint8Array.from([5, methods.length, ...methods]),
    receive(bytes) {
      received.push(...bytes);
      if (step === "method") return onMethod();
      return step === "password" ? onPassword() : onReply();
    },
  };
}

function addressOf({ name }: TunnelEnd): number[] {
  const ip = readIp(name);
  if (ip) return [ip.kind() === "ipv4" ? 1 : 4, ...ip.toByteArray()];
  const bytes = encoder.encode(name);
  return [3, bytes.length, ...bytes];
}
