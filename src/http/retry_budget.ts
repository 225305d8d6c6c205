/**
 * How many retries there may be, so that a dying server is not stormed.
 *
 * @module
 */

/** Retries that may be spent before any request has earned one. */
const RESERVE = 10;

/** How many retries can be saved up. */
const MOST = 100;

/** Each request earns a share of a retry; each retry spends one. */
export class RetryBudget {
  readonly #share: number;
  #tokens: number = RESERVE;

  /**
   * Makes a budget.
   *
   * @param share How many retries there may be for each request, 0 to 1
   */
  constructor(share: number) {
    this.#share = share;
  }

  /** Notes a request. */
  earn(): void {
    if (this.#tokens < MOST) this.#tokens += this.#share;
  }

  /** Takes a retry out; false if there is none left. */
  spend(): boolean {
    if (this.#tokens < 1) return false;
    this.#tokens--;
    return true;
  }
}
