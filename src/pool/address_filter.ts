/**
 * Which of a host's addresses a caller will have.
 *
 * @module
 */

import { type Address, type Host, ipOf, isIp, parseAddress } from "../core/address.ts";

/** Which of a host's addresses a caller will have. */
export interface AddressChoice {
  /** Only this one: an IP address, or an IP address and port. It need not be known of the host. */
  readonly ip?: string | undefined;
  /** None of these: IP addresses, or IP addresses and ports. */
  readonly exclude?: Iterable<string> | undefined;
}

/** A parsed {@linkcode AddressChoice}. */
export class AddressFilter {
  readonly #pin: Address | undefined;
  readonly #excluded: ReadonlySet<string>;
  /** Says whether an address in canonical text will do. */
  readonly accepts: (address: string) => boolean;
  /** Whether it will have one address with its port, whatever else is known of the host. */
  readonly exact: boolean;

  /**
   * Reads the choice.
   *
   * @throws {TypeError | RangeError} An address is not valid
   */
  constructor(host: Host, choice: AddressChoice) {
    const { ip, exclude = [] } = choice;
    this.#pin = ip === undefined ? undefined : parseAddress(ip, host.port);
    this.#excluded = new Set(
      [...exclude].map((text) => isIp(text) ? parseAddress(text).ip : parseAddress(text).text),
    );
    // Without a port, the machine is meant, whichever port it is known by.
    const wanted = ip === undefined || !isIp(ip) ? this.#pin?.text : undefined;
    const wantedIp = wanted === undefined ? this.#pin?.ip : undefined;
    this.exact = wanted !== undefined;
    this.accepts = (address) =>
      (wanted === undefined || address === wanted)
      && (wantedIp === undefined || ipOf(address) === wantedIp)
      && (this.#excluded.size === 0
        || !(this.#excluded.has(address) || this.#excluded.has(ipOf(address))));
  }

  /** Whether it will have one address only, which need not be known. */
  get pinned(): boolean {
    return this.#pin !== undefined;
  }

  /** The addresses that will do, of those known; a pinned one also where it is not. */
  candidates(known: readonly Address[]): readonly Address[] {
    const accepted = known.filter(({ text }) => this.accepts(text));
    if (accepted.length > 0 || !this.#pin || !this.accepts(this.#pin.text)) return accepted;
    return [this.#pin];
  }
}
