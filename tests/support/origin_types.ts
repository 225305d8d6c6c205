/**
 * What a test origin is asked for and what it tells: plain data, which also crosses processes.
 *
 * @module
 */

import type { ClientHello } from "./client_hello.ts";
import type { Scripts } from "./origin_script.ts";
import type { StaleBehaviour, StaleReport } from "./origin_stale.ts";
import type { RequestRecord } from "./request_reader.ts";

/** A certificate and key, and the names it is shown for; the first one is also shown for others. */
export interface OriginCertificate {
  readonly cert: string;
  readonly key: string;
  /** The server names (SNI) that get this certificate. */
  readonly names?: readonly string[];
}

/** What an origin does with a connection. */
export type Behaviour =
  /** Answers HTTP/1.1 requests; see `origin_http.ts` for the paths. */
  | { readonly kind: "http" }
  /** Sends back what comes. */
  | { readonly kind: "echo" }
  /** Reads and forgets. */
  | { readonly kind: "discard" }
  /** Sends so many bytes of the pattern of `pattern.ts`, as fast as they are taken; then may end. */
  | { readonly kind: "source"; readonly bytes: number; readonly end?: boolean }
  /** Accepts TCP and never answers. */
  | { readonly kind: "mute" }
  /** Answers HTTP/1.1 requests as scripted, path by path; `*` is any other path. */
  | { readonly kind: "script"; readonly scripts: Scripts }
  /** See `origin_stale.ts`. */
  | StaleBehaviour
  /** Sends RST: on accept, or when the ClientHello is in. */
  | { readonly kind: "reset"; readonly at: "accept" | "hello" };

/** How many connections an origin takes, and what it does with those beyond. */
export interface Capacity {
  readonly connections: number;
  /**
   * Stops listening, sends RST as soon as it accepts, ends them after the handshake, or answers 503
   * to whatever is asked over them.
   */
  readonly beyond: "refuse" | "reset" | "hang up" | "503";
}

/** Options of an origin. */
export interface OriginOptions {
  /** Not needed where no handshake is ever finished. */
  readonly certificates?: readonly OriginCertificate[];
  /** @default {{ kind: "http" }} */
  readonly behaviour?: Behaviour;
  /** For an origin in another process; without it, it takes all. */
  readonly capacity?: Capacity;
  /** The IP addresses to listen on, all with one port. @default {["127.0.0.1"]} */
  readonly addresses?: readonly string[];
  /** The port; 0 for a free one. @default {0} */
  readonly port?: number;
  /** The ALPN protocols, the preferred one first. */
  readonly alpn?: readonly string[];
  /** Asks for a client certificate, and says whether this authority (PEM) issued it. */
  readonly clientCa?: string;
  /** Refuses a client that shows none. */
  readonly requiresClientCertificate?: boolean;
  readonly minVersion?: "TLSv1.2" | "TLSv1.3";
  readonly maxVersion?: "TLSv1.2" | "TLSv1.3";
  /** Cipher suites and groups, as OpenSSL writes them. */
  readonly ciphers?: string;
  readonly groups?: string;
}

/** How a client ended: its close_notify, FIN and RST, in the order they came. */
export type Ending = "close_notify" | "fin" | "reset";

/** What an origin knows of a connection. */
export interface ConnectionReport {
  /** Counts from 1, for the life of the origin. */
  readonly id: number;
  /** The address of the origin that was dialled. */
  readonly address: string;
  /** What the client offered; null before it spoke, and where the wire is not inspected. */
  readonly hello: ClientHello | null;
  /** Whether the handshake was done. */
  readonly secured: boolean;
  readonly sni: string | null;
  readonly alpn: string | null;
  readonly version: string | null;
  readonly cipher: string | null;
  /** Whether a TLS session was resumed. */
  readonly resumed: boolean;
  /** The client certificate's common name, and whether the right authority issued it. */
  readonly clientCertificate: { readonly commonName: string; readonly trusted: boolean } | null;
  /** Bytes of the application received. */
  readonly bytesReceived: number;
  /** HTTP requests answered, or asked of a script. */
  readonly requests: number;
  /** Bytes of bodies that a script has sent, or of its pattern a source, as far as they were taken. */
  readonly bytesSent: number;
  readonly ended: readonly Ending[];
  /** The last stream of each GOAWAY that the client sent. */
  readonly goaways: readonly number[];
  readonly open: boolean;
}

/** What an origin knows. */
export interface OriginReport {
  readonly openSockets: number;
  /** TCP connections, ever. */
  readonly accepted: number;
  /** Finished handshakes, ever. */
  readonly handshakes: number;
  readonly requests: number;
  readonly bytesReceived: number;
  readonly connections: readonly ConnectionReport[];
  /** What went wrong in handshakes, in Node's words. */
  readonly handshakeErrors: readonly string[];
  /** Every request that a script was asked. */
  readonly log: readonly RequestRecord[];
  /** What a server that hangs up at random counted. */
  readonly stale: StaleReport | null;
}

/** What to wait for: `openSockets` exactly, all else at least. All that is given must hold. */
export interface Condition {
  readonly openSockets?: number;
  readonly accepted?: number;
  readonly handshakes?: number;
  readonly requests?: number;
  readonly bytesReceived?: number;
  /** Requests to a script that came to their end. */
  readonly complete?: number;
  readonly bytesSent?: number;
  /** Connections that the client has told the end of. */
  readonly ended?: number;
  /** Connections whose ClientHello is in. */
  readonly hellos?: number;
  /** @default {10000} */
  readonly timeoutMs?: number;
}

/** What to do to live connections, from outside. */
export type Action =
  /** Sends bytes unasked, each the code of a character; as they are where there is no TLS yet. */
  | { readonly kind: "send"; readonly text: string }
  /** Sends close_notify and FIN. */
  | { readonly kind: "end" }
  /** Sends FIN without close_notify. */
  | { readonly kind: "fin" }
  /** Sends close_notify without FIN. */
  | { readonly kind: "close_notify" }
  | { readonly kind: "reset" }
  /** Stops and resumes reading. */
  | { readonly kind: "pause" }
  | { readonly kind: "resume" };

/** A running origin, in this process or in another. */
export interface Origin extends AsyncDisposable {
  readonly port: number;
  readonly addresses: readonly string[];
  report(): Promise<OriginReport>;
  /** Waits for a condition, by events. Rejects with the report in words when time is up. */
  until(condition: Condition): Promise<OriginReport>;
  /** Acts on the open connection with this id, or on all of them. */
  act(action: Action, connectionId?: number): Promise<void>;
  /** Stops listening and kills what is open. */
  stop(): Promise<void>;
  /** Listens again, on the same port. */
  start(): Promise<void>;
  /** Waits until the clients have closed every socket, and stops: a test's last line. */
  [Symbol.asyncDispose](): Promise<void>;
}
