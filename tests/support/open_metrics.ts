/**
 * Reads OpenMetrics 1.0 text, and refuses what does not keep to it.
 *
 * @module
 */

/** A family, and its samples by what is written before their values. */
export interface ParsedFamily {
  readonly type: string;
  readonly unit: string | undefined;
  readonly help: string | undefined;
  readonly samples: ReadonlyMap<string, number>;
}

interface Open {
  readonly name: string;
  type: string | undefined;
  unit: string | undefined;
  help: string | undefined;
  readonly samples: Map<string, number>;
}

const SUFFIXES: { readonly [type: string]: readonly string[] } = {
  gauge: [""],
  counter: ["_total", "_created"],
  histogram: ["_bucket", "_sum", "_count", "_created"],
};

const NAME = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/;
const SAMPLE = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(\{(.*)\})? (\S+)$/;
const LABEL = /^([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\[\\n"])*)"(?:,|$)/;

/** Reads a text. It knows gauges, counters and histograms, and no timestamps and exemplars. */
export function parseOpenMetrics(text: string): Map<string, ParsedFamily> {
  const families = new Map<string, ParsedFamily>();
  const lines = text.split("\n");
  if (lines.pop() !== "" || lines.pop() !== "# EOF") throw new Error("The text has no end");
  let family: Open | undefined;
  const end = () => {
    if (!family) return;
    const { help, name, samples, type, unit } = family;
    if (type === undefined) throw new Error(`${name} has no type`);
    if (unit !== undefined && !name.endsWith(`_${unit}`)) throw new Error(`${name}: unit ${unit}`);
    if (type === "histogram") checkBuckets(name, samples);
    families.set(name, { type, unit, help, samples });
  };
  for (const line of lines) {
    const [, keyword, about = "", rest = ""] = /^# (TYPE|UNIT|HELP) (\S+) (.*)$/.exec(line) ?? [];
    if (keyword !== undefined) {
      if (!NAME.test(about)) throw new Error(`No name: ${line}`);
      if (family?.name !== about) {
        end();
        if (families.has(about)) throw new Error(`${about} stands in two places`);
        family = {
          name: about,
          type: undefined,
          unit: undefined,
          help: undefined,
          samples: new Map(),
        };
      }
      const field = keyword.toLowerCase() as "type" | "unit" | "help";
      if (family[field] !== undefined || family.samples.size > 0) throw new Error(`Late: ${line}`);
      family[field] = rest;
      continue;
    }
    const [, name = "", , labels = "", value = ""] = SAMPLE.exec(line) ?? [];
    if (!family || name === "") throw new Error(`No sample: ${line}`);
    const suffix = name.slice(family.name.length);
    if (!name.startsWith(family.name) || !SUFFIXES[family.type ?? ""]?.includes(suffix)) {
      throw new Error(`A stranger in ${family.name}: ${line}`);
    }
    checkLabels(labels, line);
    const number = value === "+Inf" ? Infinity : Number(value);
    if (Number.isNaN(number)) throw new Error(`No number: ${line}`);
    if (family.type !== "gauge" && number < 0) throw new Error(`Less than nothing: ${line}`);
    const key = line.slice(0, line.length - value.length - 1);
    if (family.samples.has(key)) throw new Error(`Twice: ${line}`);
    family.samples.set(key, number);
  }
  end();
  return families;
}

function checkLabels(labels: string, line: string): void {
  const seen = new Set<string>();
  for (let rest = labels; rest !== "";) {
    const [all = "", name = ""] = LABEL.exec(rest) ?? [];
    if (all === "" || seen.has(name)) throw new Error(`Bad labels: ${line}`);
    seen.add(name);
    rest = rest.slice(all.length);
  }
}

/** Buckets must rise, by their edges and by their counts, and end with all there is. */
function checkBuckets(name: string, samples: ReadonlyMap<string, number>): void {
  let edge = -Infinity;
  let count = 0;
  for (const [key, value] of samples) {
    if (!key.startsWith(`${name}_bucket`)) continue;
    const le = /le="([^"]+)"/.exec(key)?.[1] ?? "";
    const next = le === "+Inf" ? Infinity : Number(le);
    if (!(next > edge) || value < count) throw new Error(`${key} does not rise`);
    edge = next;
    count = value;
    if (next < Infinity) continue;
    const total = key.replace("_bucket", "_count").replace(/,?le="[^"]+"/, "");
    if (samples.get(total) !== value) throw new Error(`${total} is not ${value}`);
    edge = -Infinity;
    count = 0;
  }
  if (edge !== -Infinity) throw new Error(`${name} has no last bucket`);
}
