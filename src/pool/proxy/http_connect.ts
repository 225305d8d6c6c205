/**
 * Asks an HTTP proxy for a tunnel: CONNECT (RFC 9110 section 9.3.6).
 *
 * @module
 */

import { shorten } from "../../core/check.ts";
import { ProxyError, type ProxyErrorFields, type ProxyFailure } from "../../core/errors.ts";
import type { Negotiation } from "../../core/tunnel.ts";
import type { TunnelEnd } from "./tunnel_end.ts";

/** How long a head may be, in bytes. */
const MAX_HEAD_BYTES = 16_384;

const encoder = new TextEncoder();

/**
 * Begins to ask.
 *
 * @param authorization The value of Proxy-Authorization, where there are credentials
 */
export function httpConnect(
  about: Omit<ProxyErrorFields, "failure" | "status">,
  end: TunnelEnd,
  authorization: string | undefined,
): Negotiation {
  const authority = end.name.includes(":")
    ? `[${end.name}]:${end.port}`
    : `${end.name}:${end.port}`;
  const credentials = authorization ? `proxy-authorization: ${authorization}\r\n` : "";
  let received = "";
  /** Where the head begins that is read now. */
  let from = 0;

  const fail = (failure: ProxyFailure, detail: string, status: number | null = null) =>
    new ProxyError({ ...about, failure, status }, detail);

  const refusal = (status: number, line: string, fields: readonly string[]) => {
    const said = shorten(line.slice(9).replace(/[^\x20-\x7e]/g, "?"), 200);
    // Some answer 401 to wrong credentials.
    if (status !== 407 && status !== 401) {
      return fail(status >= 500 ? "target" : "denied", `it answered ${said}`, status);
    }
    const wants = fields.filter((field) => /^proxy-authenticate:/i.test(field))
      .map((field) => /^[^:]*:\s*([A-Za-z0-9-]*)/.exec(field)?.[1] ?? "");
    const given = authorization ? "the credentials were not taken" : "no credentials were given";
    const asks = wants.length > 0 ? `, and it asks for ${wants.join(", ")}` : "";
    return fail("authentication", `it answered ${said}: ${given}${asks}`, status);
  };

  return {
    opening: encoder.encode(
      `CONNECT ${authority} HTTP/1.1\r\nhost: ${authority}\r\n${credentials}\r\n`,
    ),
    receive(bytes) {
      received += latin1(bytes);
      for (;;) {
        const head = received.slice(from);
        if (!/^HTTP\/1\.[01] [1-9]\d\d/.test(head) && !isBeginning(head)) {
          throw fail("protocol", "its answer is not HTTP");
        }
        const end = /\r?\n\r?\n/.exec(head);
        if (!end) {
          if (received.length <= MAX_HEAD_BYTES) return undefined;
          throw fail("protocol", `its answer's head is longer than ${MAX_HEAD_BYTES} bytes`);
        }
        from += end.index + end[0].length;
        const [line = "", ...fields] = head.slice(0, end.index).split(/\r?\n/);
        const status = Number(line.slice(9, 12));
        // Another answer follows one with 1xx. None follows 101, which nobody has asked for.
        if (status < 200 && status !== 101) continue;
        if (status < 200 || status >= 300) throw refusal(status, line, fields);
        if (from === received.length) return "open";
        throw fail("protocol", "it sent more than its answer before anything was sent");
      }
    },
  };
}

/** Whether a text may yet become a status line. */
function isBeginning(head: string): boolean {
  return head.length < 12 && head.startsWith("HTTP/1.".slice(0, head.length));
}

function latin1(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return text;
}
