/**
 * Texts that many sockets have.
 *
 * @module
 */

const texts = new Map<string, string>();

/** The text itself, kept once however many sockets have it: the runtimes make a new one for each. */
export function once<Text extends string>(text: Text): Text {
  const known = texts.get(text);
  if (known !== undefined) return known as Text;
  if (texts.size < 100) texts.set(text, text);
  return text;
}
