/**
 * Machines that a host may have: one that is well, and one for each way in which one may fail.
 *
 * @module
 */

import net from "node:net";
import { detectRuntime } from "../../adapters/detect.ts";
import { startBlackHole } from "./black_hole.ts";
import { leaf, ok } from "./http_scene.ts";
import { type Origin, startRemoteOrigin } from "./origin_process.ts";
import type { Script } from "./origin_script.ts";
import type { Behaviour } from "./origin_types.ts";
import { createAuthority } from "./pki.ts";

/** A way in which a machine fails. */
export type BadKind =
  | "refuses"
  | "is unreachable"
  | "is a black hole"
  | "resets when it accepts"
  | "resets at hello"
  | "never answers TLS"
  | "has a wrong certificate"
  | "resets after the request"
  | "closes after the request"
  | "answers 503";

/** All of them. */
export const BAD_KINDS: readonly BadKind[] = [
  "refuses",
  "is unreachable",
  "is a black hole",
  "resets when it accepts",
  "resets at hello",
  "never answers TLS",
  "has a wrong certificate",
  "resets after the request",
  "closes after the request",
  "answers 503",
];

/** A machine of a host. */
export interface Machine extends AsyncDisposable {
  /** Its address, with its port. */
  readonly address: string;
  /** Where there is one to ask. */
  readonly origin?: Origin;
}

// The broadcast address of the loopback network: no TCP goes there, and Linux says so at once.
const UNREACHABLE = "127.255.255.255";

const foreign = await (await createAuthority()).issue({ names: ["a.test", "b.test"] });

const TLS_BAD: { readonly [kind: string]: Behaviour } = {
  "resets when it accepts": { kind: "reset", at: "accept" },
  "resets at hello": { kind: "reset", at: "hello" },
  "never answers TLS": { kind: "mute" },
};

const HTTP_BAD: { readonly [kind: string]: Script } = {
  "resets after the request": [{ wait: "body" }, { do: "reset" }],
  "closes after the request": [{ wait: "body" }, { do: "end" }],
  "answers 503": [{ wait: "body" }, { send: ok("down", [], "503 Service Unavailable") }],
};

/** Starts a machine that answers every request after some milliseconds. */
export function startGood(ip: string, alpn?: readonly string[]): Promise<Machine> {
  return startServing(ip, [{ wait: "body" }, { waitMs: 5 }, { send: ok("fine") }], alpn);
}

/** Starts a machine that fails in some way. The black hole has its own IP address. */
export async function startBad(
  kind: BadKind,
  ip: string,
  alpn?: readonly string[],
): Promise<Machine> {
  if (kind === "refuses") return standing(`${ip}:1`);
  if (kind === "is unreachable") return standing(`${UNREACHABLE}:${ip.split(".")[3]}`);
  if (kind === "is a black hole") {
    const hole = await startBlackHole();
    return {
      address: `127.0.0.1:${hole.port}`,
      async [Symbol.asyncDispose]() {
        const left = hole.dialling();
        await hole[Symbol.asyncDispose]();
        if (left > 0) throw new Error(`${left} dials were left under way`);
      },
    };
  }
  const script = HTTP_BAD[kind];
  if (script) return await startServing(ip, script, alpn);
  const origin = await startRemoteOrigin({
    addresses: [ip],
    certificates: [foreign],
    behaviour: TLS_BAD[kind] ?? { kind: "http" },
  });
  return {
    address: `${ip}:${origin.port}`,
    origin,
    async [Symbol.asyncDispose]() {
      // Deno closes the socket of an aborted handshake only when the server hangs up.
      if (kind === "never answers TLS" && detectRuntime() === "deno") await origin.stop();
      await origin[Symbol.asyncDispose]();
    },
  };
}

/** Starts so many good machines, and a bad one of each kind that is named. */
export async function startMachines(
  wanted: {
    readonly good: number;
    readonly bad: readonly BadKind[];
    /** The protocols that they offer. */
    readonly alpn?: readonly string[];
  },
): Promise<{ readonly good: Machine[]; readonly bad: Machine[] } & AsyncDisposable> {
  const good: Machine[] = [];
  const bad: Machine[] = [];
  for (let i = 0; i < wanted.good; i++) {
    good.push(await startGood(`127.0.0.${11 + i}`, wanted.alpn));
  }
  for (const [i, kind] of wanted.bad.entries()) {
    bad.push(await startBad(kind, `127.0.0.${21 + i}`, wanted.alpn));
  }
  return {
    good,
    bad,
    async [Symbol.asyncDispose]() {
      const ends = [...good, ...bad].map((machine) => machine[Symbol.asyncDispose]());
      for (const end of await Promise.allSettled(ends)) {
        if (end.status === "rejected") throw end.reason;
      }
    },
  };
}

/** Why machines of a kind cannot be had here; undefined where they can. */
export async function whyNot(kind: BadKind): Promise<string | undefined> {
  if (kind !== "is unreachable") return undefined;
  const socket = net.connect(443, UNREACHABLE);
  const code = await new Promise<string>((resolve) => {
    socket.on("connect", () => resolve("a connection"));
    socket.on("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    socket.setTimeout(1_000, () => resolve("nothing"));
  });
  socket.destroy();
  // Bun calls some unreachable networks refused.
  const isTold = code === "ENETUNREACH" || (detectRuntime() === "bun" && code.startsWith("E"));
  return isTold ? undefined : `${UNREACHABLE} gives ${code} here, not ENETUNREACH`;
}

async function startServing(
  ip: string,
  script: Script,
  alpn?: readonly string[],
): Promise<Machine> {
  const origin = await startRemoteOrigin({
    addresses: [ip],
    certificates: [leaf],
    behaviour: { kind: "script", scripts: { "*": script } },
    ...alpn && { alpn },
  });
  return {
    address: `${ip}:${origin.port}`,
    origin,
    [Symbol.asyncDispose]: () => origin[Symbol.asyncDispose](),
  };
}

function standing(address: string): Machine {
  return { address, [Symbol.asyncDispose]: () => Promise.resolve() };
}
