/**
 * What the demo shows while it runs: a picture that redraws in place on a terminal, plain lines
 * elsewhere, or nothing.
 *
 * @module
 */

import process from "node:process";
import type { Cell, Observer, Snapshot } from "./snapshot.ts";
import type { Tally } from "./tally.ts";

/** Shows how things go, until it is ended. */
export interface View {
  end(): void;
}

/** What a view shows. */
export interface Scene {
  readonly title: string;
  readonly seconds: number;
  readonly observer: Observer;
  readonly tally: Tally;
}

const FRAME_MS = 200;
const LINE_MS = 1_000;
const NOTES = 5;
const MIN_COLUMNS = 80;
const MIN_ROWS = 24;

/** Hides the cursor and lets the terminal clip long lines, and the other way round. */
const BEGIN = "\x1b[?25l\x1b[?7l";
const END = "\x1b[?25h\x1b[?7h";

/** Opens the view that suits where the output goes. */
export function openView(scene: Scene): View {
  const { columns = 0, isTTY, rows = 0 } = process.stdout;
  const roomy = columns >= MIN_COLUMNS && rows >= MIN_ROWS && process.env["TERM"] !== "dumb";
  return isTTY && roomy ? openPicture(scene) : openLines(scene);
}

function openPicture(scene: Scene): View {
  const colours = process.env["NO_COLOR"] ? plain : ansi;
  let height = 0;
  const draw = () => {
    const lines = picture(scene, colours);
    const up = height > 0 ? `\x1b[${height}A` : "";
    process.stdout.write(`${up}${lines.map((line) => `\x1b[2K${line}\n`).join("")}\x1b[J`);
    height = lines.length;
  };
  const restore = () => process.stdout.write(END);
  process.stdout.write(`${BEGIN}\n`);
  process.once("exit", restore);
  draw();
  const timer = setInterval(draw, FRAME_MS);
  return {
    end() {
      clearInterval(timer);
      draw();
      restore();
      process.off("exit", restore);
    },
  };
}

function openLines({ observer, tally, title }: Scene): View {
  let noted = 0;
  console.log(title);
  const print = () => {
    for (; noted < tally.notes.length; noted++) {
      const { atMs, text } = tally.notes[noted]!;
      console.log(`${time(atMs)}  * ${text}`);
    }
    const { hosts, machines, handshakes } = observer.look();
    const perHost = hosts.map(({ name, all }) => `${name} ${open(all)} (${all.leased} leased)`);
    const perIp = machines.map(({ connections, failed, name }) =>
      `${name} ${connections}${failed ? " (failed)" : ""}`
    );
    const counts =
      `${tally.requests} requests, ${tally.failures} failures, ${handshakes} handshakes`;
    console.log(
      `${time(tally.elapsedMs)}  ${counts} | ${perHost.join(", ")} | ${perIp.join(", ")}`,
    );
  };
  const timer = setInterval(print, LINE_MS);
  return {
    end() {
      clearInterval(timer);
      print();
    },
  };
}

type Paint = (text: string) => string;

interface Colours {
  readonly strong: Paint;
  readonly faint: Paint;
  readonly good: Paint;
  readonly bad: Paint;
  readonly busy: Paint;
}

const none: Paint = (text) => text;
const plain: Colours = { strong: none, faint: none, good: none, bad: none, busy: none };
const sgr = (code: number): Paint => (text) => `\x1b[${code}m${text}\x1b[0m`;
const ansi: Colours = {
  strong: sgr(1),
  faint: sgr(2),
  good: sgr(32),
  bad: sgr(31),
  busy: sgr(33),
};

function picture({ observer, seconds, tally, title }: Scene, colours: Colours): string[] {
  const { bad, faint, good, strong } = colours;
  const { handshakes, hosts, machines, repeated, waiting }: Snapshot = observer.look();
  const names = Math.max(...machines.map(({ name }) => name.length)) + 2;
  const widths = hosts.map(({ name }) => Math.max(name.length, 17) + 1);
  const elapsed = `${(Math.min(tally.elapsedMs / 1_000, seconds)).toFixed(1)} s`;
  const clock = seconds === Infinity ? elapsed : `${elapsed} of ${seconds} s`;
  const lines = [
    `  ${strong(title)}  ${faint(clock)}`,
    "",
    faint(
      `  ${"".padEnd(names)}${hosts.map(({ name }, i) => name.padEnd(widths[i]!)).join("")}${
        "requests/s".padStart(10)
      }`,
    ),
  ];
  for (const { cells, failed, name, perSecond, state } of machines) {
    const dots = cells.map((cell, i) => paintDots(cell, widths[i]!, colours)).join("");
    const pace = perSecond.toFixed(0).padStart(10);
    lines.push(`  ${name.padEnd(names)}${dots}${pace}  ${failed ? bad(state) : good(state)}`);
  }
  const sums = hosts.map(({ all }, i) => {
    return `${open(all)} open, ${all.leased} leased`.padEnd(widths[i]!);
  });
  const failures = `${tally.failures} failures`;
  lines.push(
    faint(`  ${"".padEnd(names)}${sums.join("")}`),
    "",
    `  ${tally.requests} requests   ${tally.failures > 0 ? bad(failures) : good(failures)}   `
      + `${repeated} sent again   ${handshakes} handshakes   ${waiting} waiting`,
    "",
  );
  const notes = tally.notes.slice(-NOTES);
  for (const { atMs, text } of notes) lines.push(`  ${faint(time(atMs))}  ${text}`);
  for (let i = notes.length; i < NOTES; i++) lines.push("");
  lines.push(
    faint("  ● leased  ○ idle  ◌ being dialled   failed: and due again in so many seconds"),
  );
  return lines;
}

function paintDots(cell: Cell | undefined, width: number, { busy, good }: Colours): string {
  if (!cell) return "".padEnd(width);
  const { dialing, idle, leased } = cell;
  const length = leased + idle + dialing;
  const dots = good("●".repeat(leased) + "○".repeat(idle)) + busy("◌".repeat(dialing));
  return dots + " ".repeat(Math.max(width - length, 1));
}

function open({ idle, leased }: Cell): number {
  return idle + leased;
}

function time(ms: number): string {
  return `${(ms / 1_000).toFixed(1)} s`.padStart(7);
}
