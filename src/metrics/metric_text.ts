/**
 * Writes OpenMetrics 1.0 text, or the text format 0.0.4 that came before it.
 *
 * @module
 */

/** How the text is written. */
export type MetricFormat = "openMetrics" | "text";

/** Labels by name; one without a value is left out. */
export interface Labels {
  readonly [name: string]: string | undefined;
}

/** What a family of metrics is. */
export interface Family {
  /** Its name, without the suffix of its samples, and with its unit at the end. */
  readonly name: string;
  readonly type: "gauge" | "counter" | "histogram";
  /** Its unit, if it has one. */
  readonly unit?: string;
  /** Its help text. */
  readonly help: string;
}

/** A text of families, each with its samples together, as the format wants them. */
export class MetricText {
  readonly #isOpen: boolean;
  #text = "";
  #name = "";

  /** Begins an empty text. */
  constructor(format: MetricFormat = "openMetrics") {
    this.#isOpen = format === "openMetrics";
  }

  /** Begins a family. */
  family({ help, name, type, unit }: Family): void {
    this.#name = name;
    // In the older format the suffix is a part of the name, and there are no units.
    const full = type === "counter" && !this.#isOpen ? `${name}_total` : name;
    this.#text += `# TYPE ${full} ${type}\n`;
    if (unit !== undefined && this.#isOpen) this.#text += `# UNIT ${full} ${unit}\n`;
    this.#text += `# HELP ${full} ${escape(help)}\n`;
  }

  /** Writes a sample of the family. */
  sample(
    suffix: "" | "_total" | "_bucket" | "_sum" | "_count" | "_created",
    labels: Labels,
    value: number,
  ): void {
    if (suffix === "_created" && !this.#isOpen) return;
    const pairs = Object.entries(labels)
      .filter(([, text]) => text !== undefined)
      .map(([label, text = ""]) => `${label}="${escape(text)}"`);
    const set = pairs.length > 0 ? `{${pairs.join()}}` : "";
    this.#text += `${this.#name}${suffix}${set} ${number(value)}\n`;
  }

  /** All of it, with its end. */
  end(): string {
    return this.#isOpen ? `${this.#text}# EOF\n` : this.#text;
  }
}

/** A label's value or a help text, so that it stays on its line and in its quotes. */
function escape(text: string): string {
  return text.replace(/\\/g, "\\\\").replace(/\n/g, "\\n").replace(/"/g, "\\\"");
}

function number(value: number): string {
  if (Number.isNaN(value)) return "NaN";
  return Number.isFinite(value) ? `${value}` : value > 0 ? "+Inf" : "-Inf";
}
