/**
 * The kinds of fault, by where they strike.
 *
 * @module
 */

/** What a machine does wrong, as its own program carries it out. */
export const MACHINE_FAULTS = [
  "refused",
  "black hole before the handshake",
  "black hole after the handshake",
  "reset",
  "half a body",
  "stall",
  "wrong certificate",
  "slow",
  "503",
  "goaway",
  "reset stream",
  "truncated",
] as const;

/** A fault that a machine's own program carries out. */
export type MachineFault = typeof MACHINE_FAULTS[number];

/** What happens to a machine from outside, or to all that is around the machines. */
export const OTHER_FAULTS = [
  "paused process",
  "restart",
  "DNS lies",
  "DNS is late",
  "DNS swaps all",
  "EMFILE",
  "clock jump",
  "proxy dies",
  "store dies",
] as const;

/** Any fault. */
export type Fault = MachineFault | typeof OTHER_FAULTS[number];

/** All of them. */
export const FAULTS: readonly Fault[] = [...MACHINE_FAULTS, ...OTHER_FAULTS];

/** Those that strike one machine. */
export const ON_A_MACHINE: ReadonlySet<Fault> = new Set<Fault>([
  ...MACHINE_FAULTS,
  "paused process",
  "restart",
]);

/**
 * Those that can break a body off in its midst, or hold it there: what was delivered cannot be taken
 * back, so such a request fails although there are good machines. Over HTTP/2 that may be another one than
 * the fault struck.
 */
export const BREAKS_BODIES: ReadonlySet<Fault> = new Set<Fault>([
  "half a body",
  "stall",
  "truncated",
  "refused",
  "reset",
  "black hole after the handshake",
  "paused process",
  "restart",
  "proxy dies",
]);
