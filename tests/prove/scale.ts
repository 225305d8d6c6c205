/**
 * Very many: hosts that come and go, connections, handshakes, refused dials, and what an idle
 * connection takes.
 *
 * @module
 */

import type { Part, Proof, ProofOptions } from "./part.ts";
import { manyHandshakes, refusedDials } from "./scale/dials.ts";
import { comingAndGoing } from "./scale/hosts.ts";
import { idleHeap } from "./scale/idle_heap.ts";
import { figuresOfMany } from "./scale/looks.ts";

/** What a scene found: its figures, a line that tells them, and what is not as it should be. */
export interface SceneResult {
  readonly figures: { readonly [name: string]: number };
  readonly text: string;
  readonly broken: readonly string[];
}

/** A scene; `share` is how much of its full size it has, above 0 and up to 1. */
export type Scene = (share: number) => Promise<SceneResult>;

const SCENES: { readonly [name: string]: Scene } = {
  hosts: comingAndGoing,
  figures: figuresOfMany,
  handshakes: manyHandshakes,
  refused: refusedDials,
  heap: idleHeap,
};

/** At full size all scenes take about so long together, in seconds. */
const FULL_SECONDS = 60;

/** See the module. `--seconds` below a minute makes each scene smaller. */
export const scale: Part = {
  name: "scale",
  what: "100,000 hosts, 5,000 connections, 1,000 handshakes at once: memory, cost and loop holds",
  seconds: FULL_SECONDS,
  async prove({ only, seconds, tell }: ProofOptions): Promise<Proof> {
    if (only !== undefined && !(only in SCENES)) {
      throw new TypeError(`--only must be one of ${Object.keys(SCENES).join(", ")}, got ${only}`);
    }
    const share = Math.min(1, seconds / FULL_SECONDS);
    const figures: { [name: string]: number } = {};
    const broken: string[] = [];
    let steps = 0;
    for (const [name, scene] of Object.entries(SCENES)) {
      if (only !== undefined && name !== only) continue;
      const result = await scene(share);
      steps++;
      tell(`${name}: ${result.text}`);
      for (const [figure, value] of Object.entries(result.figures)) {
        figures[`${name}.${figure}`] = value;
      }
      broken.push(...result.broken.map((what) => `${name}: ${what}`));
    }
    return { steps, summary: `${steps} scenes at ${Math.round(share * 100)} %`, broken, figures };
  },
};
