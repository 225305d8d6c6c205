/**
 * Asking for an upgrade until a machine answers.
 *
 * @module
 */

import { offAbort, onAbort } from "../core/abort.ts";
import { setDeadline } from "../core/clock.ts";
import { requestError } from "./attempt_end.ts";
import type { Dispatcher } from "./dispatcher.ts";
import { Repeats } from "./repeats.ts";
import { prepareRequest } from "./request.ts";
import { withFields } from "./request_headers.ts";
import type { PooledResponse } from "./response.ts";
import {
  checkUpgrade,
  UpgradeAttempt,
  type UpgradeCall,
  type Upgraded,
  type UpgradeHost,
  type UpgradeOptions,
} from "./upgrade.ts";

/** How often to ask for an upgrade if connections end before they answer. */
const MAX_UPGRADES = 10;

/** What upgrades need of the pool. */
export interface UpgradesHost extends UpgradeHost {
  /** Finds their connections, and counts them. */
  readonly dispatcher: Dispatcher;
}

/** Asks for upgrades, each of as many machines as it takes. */
export class Upgrades {
  readonly #host: UpgradesHost;

  /** Makes it. */
  constructor(host: UpgradesHost) {
    this.#host = host;
  }

  /** Asks for one: see `HttpPool.upgrade()`. One machine may take `answerTimeoutMs` to answer. */
  async ask(
    url: string | URL,
    options: UpgradeOptions,
    answerTimeoutMs: number = Infinity,
  ): Promise<Upgraded | PooledResponse> {
    const { clock, dispatcher } = this.#host;
    const { headers, protocol, signal, timeoutMs, ...choice } = checkUpgrade(options);
    const request = await prepareRequest(url, {
      ...choice,
      headers: withFields(headers, [["connection", "upgrade"], ["upgrade", protocol]]),
      idempotent: true,
      protocols: ["http/1.1"],
    });
    const repeats = new Repeats(dispatcher, request, undefined, false);
    const stop = new AbortController();
    const end = () => stop.abort(signal?.reason);
    signal?.throwIfAborted();
    if (signal) onAbort(signal, end);
    const queuedAt = clock.now();
    const call: UpgradeCall = {
      request,
      protocol,
      repeats,
      signal: stop.signal,
      queuedAt,
      deadline: timeoutMs === undefined ? Infinity : queuedAt + timeoutMs,
      answerTimeoutMs,
      last: undefined,
    };
    const late = timeoutMs === undefined ? undefined : setDeadline(
      clock,
      () => {
        const detail = `no answer came within ${timeoutMs} ms (timeoutMs)`;
        const { maybeActedOn } = repeats;
        stop.abort(requestError(request, call.last, "timeout", detail, undefined, maybeActedOn));
      },
      timeoutMs,
      true,
    );
    dispatcher.earn();
    try {
      return await this.#ask(call);
    } finally {
      late?.cancel();
      if (signal) offAbort(signal, end);
      dispatcher.noteTold(repeats);
    }
  }

  /** Asks until there is an answer that is the caller's. */
  async #ask(call: UpgradeCall): Promise<Upgraded | PooledResponse> {
    const { deadline, repeats, request, signal } = call;
    const { options } = request;
    const { dispatcher } = this.#host;
    let failure: unknown;
    for (;;) {
      const restMs = dispatcher.restMs(request);
      if (restMs > 0 && repeats.mayWait(restMs, deadline)) {
        await this.#pause(repeats.takePause(), signal);
      }
      const { failover } = repeats;
      const exclude = failover ? failover.exclude(options.exclude) : options.exclude;
      const lease = await dispatcher.acquire(request, exclude, signal)
        .catch((error: unknown) => {
          throw failover && !signal.aborted ? failure : error;
        });
      call.last = lease;
      repeats.attempts++;
      const attempt = new UpgradeAttempt(this.#host, call, lease);
      try {
        const answer = await attempt.run();
        if (!attempt.turnedAway || "lease" in answer) return answer;
        failure = lease.failure?.error
          ?? requestError(request, lease, "status", `the answer was ${answer.status}`);
        attempt.cancel(failure);
      } catch (error) {
        const isHeard = attempt.responding && !attempt.late;
        const isOver = signal.aborted || isHeard || repeats.attempts >= MAX_UPGRADES;
        if (isOver || (!lease.reused && options.ip !== undefined)) throw error;
        failure = error;
        if (attempt.late) dispatcher.doubt(lease);
        if (!lease.reused) repeats.avoid(lease, error);
      }
      const pauseMs = repeats.takePause();
      if (pauseMs > 0) await this.#pause(pauseMs, signal);
    }
  }

  /** Waits, as it was told to. */
  #pause(forMs: number, signal: AbortSignal): Promise<void> {
    const { pauses } = this.#host.dispatcher;
    signal.throwIfAborted();
    return new Promise((resolve, reject) => {
      const onEnd = () => {
        pauses.end(signal);
        reject(signal.reason);
      };
      onAbort(signal, onEnd);
      pauses.begin(signal, forMs, () => {
        offAbort(signal, onEnd);
        resolve();
      });
    });
  }
}
