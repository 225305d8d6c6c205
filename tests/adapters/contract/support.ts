/**
 * What the parts of the dialer contract share.
 *
 * @module
 */

import { assert, assertEquals, assertInstanceOf, assertRejects } from "@std/assert";
import type {
  Dialer,
  DialTarget,
  TlsCapability,
  TlsOptions,
  TlsSocket,
} from "../../../src/core/dialer.ts";
import { DialError, type DialFailure, type DialPhase } from "../../../src/core/errors.ts";
import {
  type Origin,
  type OriginOptions,
  startRemoteOrigin,
} from "../../support/origin_process.ts";
import { type Authority, createAuthority, type Credentials } from "../../support/pki.ts";
import { RecordingSink } from "../../support/recording_sink.ts";

/** How long the closing sockets of impatient dialers wait for their peers, in milliseconds. */
export const IMPATIENT_MS = 50;

/** A dialer under test, and what is known that its runtime cannot tell. */
export interface DialerUnderTest {
  /** Makes the dialer. */
  readonly create: () => Dialer;
  /** Makes one whose closing sockets wait no longer than that for a peer that takes nothing. */
  readonly createImpatient: () => Dialer;
  /** Whether a reset of an open socket is told from an orderly end. */
  readonly tellsReset: boolean;
  /** Whether a reset in the handshake is told from a FIN. */
  readonly tellsResetInHandshake: boolean;
  /** Whether a FIN without close_notify is told from an orderly end. */
  readonly tellsTruncation: boolean;
  /** Whether the connection of an aborted handshake is closed before the peer hangs up. */
  readonly endsAbortedHandshake: boolean;
  /** Whether a lack of file descriptors is told from a machine that refuses. */
  readonly tellsLackOfDescriptors: boolean;
  /** Whether a lack of local ports is told from other failures. */
  readonly tellsLackOfPorts: boolean;
  /** Whether a proxy stands in between, which is then the remote end. */
  readonly isTunnelled?: boolean;
  /** Whether it honours `ciphers`, but refuses the suites of TLS 1.3 among them. */
  readonly refusesSuitesOfTls13?: boolean;
  /** The module and the function that make the dialer, for a program of its own. */
  readonly factory: { readonly module: string; readonly name: string };
}

type Leaf = Credentials & { readonly names: readonly string[] };

/** The authority whose certificates are good. */
export const ca: Authority = await createAuthority();

/** A good certificate for `a.test` and 127.0.0.1. */
export const leaf: Leaf = {
  ...await ca.issue({ names: ["a.test", "127.0.0.1"] }),
  names: ["a.test"],
};

/** A good certificate for `b.test`. */
export const leafB: Leaf = { ...await ca.issue({ names: ["b.test"] }), names: ["b.test"] };

/** Makes a target at an origin. Its options trust {@linkcode ca} unless they say otherwise. */
export function targetOf(port: number, tls: TlsOptions = {}, host = "a.test"): DialTarget {
  return {
    host,
    serverName: tls.serverName ?? host,
    address: `127.0.0.1:${port}`,
    ip: "127.0.0.1",
    port,
    tls: { ca: [ca.cert], ...tls },
  };
}

/** A socket with the sink that listens to it. */
export interface Dialled {
  readonly socket: TlsSocket;
  readonly sink: RecordingSink;
}

/** Runs `body` with a fresh origin; at its end no socket may be open there. */
export async function withOrigin(
  under: DialerUnderTest,
  options: OriginOptions,
  body: (scene: {
    readonly origin: Origin;
    /** The dialer that the two below use. */
    readonly dialer: Dialer;
    /** Dials the origin, without a sink. */
    dialBare(tls?: TlsOptions, host?: string): Promise<TlsSocket>;
    /** Dials the origin, and attaches a sink. */
    dial(tls?: TlsOptions, host?: string): Promise<Dialled>;
  }) => Promise<void>,
  dialer: Dialer = under.create(),
): Promise<void> {
  await using origin = await startRemoteOrigin({ certificates: [leaf], ...options });
  const sockets: TlsSocket[] = [];
  const dialBare = async (tls?: TlsOptions, host?: string) => {
    const signal = new AbortController().signal;
    const socket = await dialer.dial(targetOf(origin.port, tls, host), signal);
    sockets.push(socket);
    return socket;
  };
  const dial = async (tls?: TlsOptions, host?: string) => {
    const socket = await dialBare(tls, host);
    const sink = new RecordingSink();
    socket.attach(sink);
    return { socket, sink };
  };
  try {
    await body({ origin, dialer, dialBare, dial });
  } finally {
    for (const socket of sockets) socket.destroy();
  }
}

/** Says that a dial fails with this error. */
export async function assertDialFails(
  dialling: Promise<unknown>,
  phase: DialPhase | null,
  ...failures: DialFailure[]
): Promise<void> {
  const error = await assertRejects(() => dialling, DialError);
  if (phase !== null) assertEquals(error.phase, phase, error.message);
  assert(failures.includes(error.failure), `${error.failure}, not ${failures}: ${error.message}`);
  assertInstanceOf(error, DialError);
  assert(error.message.length < 1_200, `A message of ${error.message.length} characters`);
}

/** Whether a dialer can honour an option. */
export function honours(under: DialerUnderTest, option: TlsCapability): boolean {
  return under.create().capabilities.has(option);
}

/** Waits until whatever is on its way to the dialer has come: a round trip, and two turns. */
export async function settled(origin: Origin): Promise<void> {
  for (let i = 0; i < 2; i++) {
    await origin.report();
    await new Promise((resolve) => setTimeout(resolve));
  }
}
