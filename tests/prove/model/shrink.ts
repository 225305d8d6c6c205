/**
 * Makes a program that breaks a promise as short as it goes.
 *
 * @module
 */

import { messageOf } from "../../../src/core/check.ts";
import { type Failure, play } from "./stage.ts";
import type { Program } from "./steps.ts";

/** How many shorter programs are tried. */
const MAX_TRIES = 3_000;

/** Takes away the steps that it breaks without, by halves and quarters down to single ones. */
export async function shrink(
  program: Program,
  first: Failure,
): Promise<{ readonly program: Program; readonly failure: Failure }> {
  let failure = first;
  const untilWell = first.step === program.steps.length;
  let shortest = { ...program, steps: program.steps.slice(0, failure.step + 1) };
  let tries = 0;
  const kind = kindOf(failure);
  for (let size = shortest.steps.length >> 1; size >= 1;) {
    const before = shortest.steps.length;
    for (let at = 0; at < shortest.steps.length && tries < MAX_TRIES;) {
      tries++;
      const steps = [...shortest.steps.slice(0, at), ...shortest.steps.slice(at + size)];
      const other = await play({ ...shortest, steps }, untilWell);
      // Another thing that breaks is not this one.
      if (!other || kindOf(other) !== kind) {
        at += size;
        continue;
      }
      shortest = { ...shortest, steps };
      failure = other;
    }
    if (size > 1) size >>= 1;
    else if (shortest.steps.length === before || tries >= MAX_TRIES) break;
  }
  return { program: shortest, failure };
}

/** What broke, without what was seen. */
function kindOf({ error }: Failure): string {
  const message = messageOf(error);
  return message.replaceAll(/["[{\d].*$/gs, "");
}
