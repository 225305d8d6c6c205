/**
 * Detects the runtime, and loads what is needed to run on it.
 *
 * @module
 */

import { describe } from "../src/core/check.ts";
import type { Dialer, TlsOptions } from "../src/core/dialer.ts";
import { UnsupportedOptionError } from "../src/core/errors.ts";
import { makeResponse, type ResponseMaker } from "../src/http/fetched_response.ts";
import type { HttpPoolOptions } from "../src/http/http_options.ts";
import { HttpPool } from "../src/http/http_pool.ts";
import {
  makeLazyResponse,
  makeLazyStreamedResponse,
  showsInsides,
} from "../src/http/lazy_response.ts";
import type { MessageCompression } from "../src/http/websocket/compression.ts";
import type { Finding } from "../src/pool/watch/findings.ts";
import { decoders } from "./codings/decoders.ts";
import { namedProxy } from "./proxy_from_env.ts";
import { systemResolver } from "./resolvers/system_resolver.ts";
import { checkClientCertificate, type KeyReader } from "./sockets/client_certificate.ts";

/** A runtime that hotconn has a dialer for. */
export type Runtime = "deno" | "bun" | "node";

/**
 * Tells which runtime this is.
 *
 * @throws {TypeError} hotconn has no dialer for this runtime
 */
export function detectRuntime(): Runtime {
  const runtime = findRuntime();
  if (runtime) return runtime;
  throw new TypeError("This runtime has no dialer: it is neither Deno nor Bun nor Node");
}

function findRuntime(): Runtime | undefined {
  const { Bun, Deno, process } = globalThis as {
    Bun?: unknown;
    Deno?: unknown;
    process?: { versions?: { node?: string } };
  };
  if (Deno !== undefined) return "deno";
  if (Bun !== undefined) return "bun";
  return process?.versions?.node !== undefined ? "node" : undefined;
}

/** Loads this runtime's own dialer, and no other. */
export async function detectDialer(): Promise<Dialer> {
  switch (detectRuntime()) {
    case "deno":
      return (await import("./deno.ts")).denoDialer();
    case "bun":
      return (await import("./bun.ts")).bunDialer();
    case "node":
      return (await import("./node.ts")).nodeDialer();
  }
}

/** Checks client certificates although the dialer is not loaded yet. Deno's own takes none. */
function checkTls({ clientCertificate }: TlsOptions): void {
  if (clientCertificate === undefined || findRuntime() === "deno") return;
  const { process } = globalThis as unknown as {
    process: { getBuiltinModule(name: "node:crypto"): KeyReader };
  };
  checkClientCertificate(clientCertificate, process.getBuiltinModule("node:crypto"));
}

/** Loads a dialer without TLS for checks only: it does not allow `http:` URLs. */
async function loadConnectDialer(): Promise<Dialer> {
  return (await import("./plain.ts")).plainDialer();
}

/** Options of {@linkcode createPool}: those of a pool, with a dialer and a resolver by default. */
export type CreatePoolOptions =
  & Omit<HttpPoolOptions, "dialer" | "resolver">
  & {
    readonly [Name in keyof Pick<HttpPoolOptions, "dialer" | "resolver">]?:
      | HttpPoolOptions[Name]
      | undefined;
  };

/**
 * Makes a pool. Without a dialer it uses this runtime's own; without a resolver, the system's.
 *
 * @throws {TypeError | RangeError} An option is unknown, or not valid
 *
 * @example
 * ```ts
 * import { createPool, staticResolver } from "@hotconn/hotconn";
 * import { memoryDialer } from "@hotconn/hotconn/memory";
 *
 * // A program would leave these two out: they stand for a network here.
 * const dialer = memoryDialer();
 * const resolver = staticResolver({ "example.com": ["192.0.2.1"] });
 *
 * await using pool = createPool({ dialer, resolver, maxConnectionsPerHost: 8 });
 * await pool.warm("example.com", { connections: 4 });
 * using lease = await pool.acquire("example.com");
 * console.log(lease.connection.address, lease.connection.socket.info);
 * ```
 */
export function createPool(options: CreatePoolOptions = {}): HttpPool {
  if (typeof options !== "object" || options === null) {
    throw new TypeError(`The options of createPool() must be an object, got ${describe(options)}`);
  }
  if (options.coalesce && options.dialer === undefined && findRuntime() === "deno") {
    const why = "it does not show the names in a certificate: nodeDialer() does, on Deno as well";
    throw new UnsupportedOptionError("coalesce", "deno", why);
  }
  const complete = {
    ...options,
    dialer: options.dialer ?? Object.assign(detectDialer(), { checkTls }),
    resolver: options.resolver ?? systemResolver(),
    connectDialer: options.connectDialer
      ?? (options.healthCheck === "connect" ? loadConnectDialer() : undefined),
  };
  return new RuntimePool(complete, responseMaker());
}

/** Loads what compresses the messages of WebSockets. */
async function loadCompression(): Promise<MessageCompression> {
  return (await import("./codings/message_compression.ts")).messageCompression;
}

/** The servers of Deno and Bun look inside a response, and only Deno's insides can be shown. */
function responseMaker(): ResponseMaker {
  switch (findRuntime()) {
    case "node":
      return makeLazyResponse;
    case "deno":
      return showsInsides() ? makeLazyStreamedResponse : makeResponse;
    default:
      return makeResponse;
  }
}

/** A pool that knows its environment. */
class RuntimePool extends HttpPool {
  #mayLack: boolean;

  constructor(options: HttpPoolOptions, respond: ResponseMaker) {
    super(options, respond, decoders, loadCompression);
    this.#mayLack = options.proxy === undefined;
  }

  /** Checks once whether the environment names a proxy although the option `proxy` was not set. */
  override diagnose(): Finding[] {
    const findings = super.diagnose();
    const name = this.#mayLack ? namedProxy() : undefined;
    this.#mayLack = false;
    if (name === undefined) return findings;
    const finding: Finding = {
      severity: "info",
      what: "proxyUnused",
      message: `The environment names a proxy by ${name}, and this pool uses none.`,
      advice:
        "Make it with proxy: proxyFromEnv() to use it, or with proxy: null to say that none is "
        + "meant.",
    };
    this.tell("proxyUnused", finding);
    return [...findings, finding];
  }
}
