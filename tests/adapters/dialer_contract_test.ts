import { detectRuntime } from "../../adapters/detect.ts";
import type { Dialer } from "../../src/core/dialer.ts";
import { IMPATIENT_MS } from "./contract/support.ts";
import { type DialerUnderTest, testDialerContract } from "./dialer_contract.ts";

type Traits =
  & Pick<
    DialerUnderTest,
    | "tellsReset"
    | "tellsResetInHandshake"
    | "tellsTruncation"
    | "endsAbortedHandshake"
    | "tellsLackOfDescriptors"
    | "tellsLackOfPorts"
    | "refusesSuitesOfTls13"
  >
  & {
    /** The options of its impatient kind. */
    readonly impatient: object;
  };

const allTold: Traits = {
  impatient: { closeTimeoutMs: IMPATIENT_MS, lingerMs: IMPATIENT_MS },
  tellsReset: true,
  tellsResetInHandshake: true,
  tellsTruncation: true,
  endsAbortedHandshake: true,
  tellsLackOfDescriptors: true,
  tellsLackOfPorts: true,
};

// What each runtime's sockets tell of an end, and do at one, as measured against the origin.
const dialers: Record<ReturnType<typeof detectRuntime>, Record<string, Traits>> = {
  deno: {
    nodeDialer: {
      ...allTold,
      tellsLackOfPorts: false,
      tellsReset: false,
      tellsResetInHandshake: false,
      tellsTruncation: false,
    },
    denoDialer: {
      ...allTold,
      endsAbortedHandshake: false,
      impatient: { lingerMs: IMPATIENT_MS },
    },
  },
  bun: {
    nodeDialer: { ...allTold, tellsLackOfDescriptors: false, tellsTruncation: false },
    bunDialer: {
      ...allTold,
      tellsLackOfDescriptors: false,
      tellsTruncation: false,
      refusesSuitesOfTls13: true,
    },
  },
  node: {
    nodeDialer: { ...allTold, tellsTruncation: false },
  },
};

for (const [name, { impatient, ...traits }] of Object.entries(dialers[detectRuntime()])) {
  const file = `adapters/${name.replace("Dialer", "")}.ts`;
  // Only the runtime that a dialer is for can load it.
  const module: Record<string, (options?: object) => Dialer> = await import(`../../${file}`);
  const create = module[name]!;
  testDialerContract(name, {
    ...traits,
    create: () => create(),
    createImpatient: () => create(impatient),
    factory: { module: file, name },
  });
}
