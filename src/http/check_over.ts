/**
 * A health check by one request, over a connection that is held for it.
 *
 * @module
 */

import { parseHost } from "../core/address.ts";
import { RequestError, type RequestFailure } from "../core/errors.ts";
import type { Connection } from "../map/connection.ts";
import { PLAIN, PLAIN_H2, PLAIN_TUNNEL } from "../pool/host/tls_profiles.ts";
import { type CheckAnswer, type HttpCheck, isWell } from "../pool/watch/health_check.ts";
import { NO_PAYLOAD } from "./payload.ts";
import { PreparedRequest, type Target } from "./request.ts";
import type { Session, Stream, StreamFailure, StreamUser } from "./session.ts";

/** How much of a body is read so that its connection can be kept, in bytes. */
const MAX_BODY_BYTES = 65_536;

/** Asks, and resolves with the answer; never rejects. */
export function checkOver(
  connection: Connection,
  check: HttpCheck,
  session: Session,
  signal: AbortSignal,
): Promise<CheckAnswer> {
  return new Promise((resolve) => new Check(connection, check, session, signal, resolve).begin());
}

class Check implements StreamUser {
  readonly #connection: Connection;
  readonly #check: HttpCheck;
  readonly #stream: Stream;
  readonly #signal: AbortSignal;
  readonly #resolve: (answer: CheckAnswer) => void;
  readonly #onAbort = () => this.#fail("timeout", "no answer in time", this.#signal.reason);
  #bodyBytes = 0;

  constructor(
    connection: Connection,
    check: HttpCheck,
    session: Session,
    signal: AbortSignal,
    resolve: (answer: CheckAnswer) => void,
  ) {
    this.#connection = connection;
    this.#check = check;
    this.#stream = session.open(this);
    this.#signal = signal;
    this.#resolve = resolve;
  }

  begin(): void {
    const { method = "GET", path } = this.#check;
    this.#signal.addEventListener("abort", this.#onAbort, { once: true });
    if (this.#signal.aborted) return this.#onAbort();
    if (this.#connection.state === "closed") return this.#ended("it ended before the check");
    const target = targetOf(this.#connection, path);
    const request = new PreparedRequest(target, method, [], NO_PAYLOAD, true, {});
    this.#stream.send(request, undefined);
  }

  onHead(): void {}

  onBody(bytes: Uint8Array): void {
    this.#bodyBytes += bytes.length;
    // The head has said all that matters: the rest is not worth its bytes.
    if (this.#bodyBytes > MAX_BODY_BYTES) this.#answered(this.#stream.cancel(undefined));
  }

  onTrailers(): void {}

  onComplete(reusable: boolean): void {
    this.#answered(reusable);
  }

  onUploadFailure(): void {}

  onFailure({ error }: StreamFailure): void {
    this.#ended(error);
  }

  #ended(cause: unknown): void {
    this.#fail("connection", "the connection ended before an answer was there", cause);
  }

  #answered(reusable: boolean): void {
    const { status } = this.#stream;
    const reason = `answered ${status}`;
    if (isWell(this.#check, status)) this.#settle({ error: undefined, reason, reusable });
    else {
      const error = this.#error("status", `the answer to a check was ${status}`);
      this.#settle({ error, reason, reusable });
    }
  }

  #fail(failure: RequestFailure, detail: string, cause: unknown): void {
    const error = this.#error(failure, `a check: ${detail}`, cause);
    this.#settle({ error, reason: detail, reusable: false });
  }

  #settle(answer: Omit<CheckAnswer, "silent">): void {
    this.#signal.removeEventListener("abort", this.#onAbort);
    const silent = !this.#stream.responding;
    this.#stream.cancel(answer.error);
    this.#resolve({ ...answer, silent });
  }

  #error(failure: RequestFailure, detail: string, cause?: unknown): RequestError {
    const { address, host } = this.#connection;
    return new RequestError(
      { failure, host, address, maybeActedOn: true },
      detail,
      cause === undefined ? undefined : { cause },
    );
  }
}

function isPlainProfile(name: string): boolean {
  return [PLAIN, PLAIN_H2, PLAIN_TUNNEL].some((profile) => profile.name === name);
}

/** The target of a request for a path on a connection. */
function targetOf(connection: Connection, path: string): Target {
  const { host, tlsProfile } = connection;
  const isPlain = isPlainProfile(tlsProfile);
  const hostHeader = hostHeaderOf(connection);
  const url = `${isPlain ? "http" : "https"}://${hostHeader}${path}`;
  const prepared = new Map();
  return { url, host, hostHeader, isPlain, path, authorization: undefined, prepared };
}

/** The value of Host for a host: the scheme's own port is left out. */
function hostHeaderOf({ host, tlsProfile }: Connection): string {
  const { name, port, srv } = parseHost(host);
  if (srv !== undefined) return name;
  return isPlainProfile(tlsProfile) && port === 80 ? host.slice(0, -":80".length) : host;
}
