/**
 * Parts of the dashboard's script, to be called from tests.
 *
 * @module
 */

/** The values of these names after parts of the script have run, where they need no document. */
export function fromScript(
  parts: readonly string[],
  names: readonly string[],
): { readonly [name: string]: unknown } {
  const body = `"use strict";\n${parts.join("\n")}\nreturn { ${names.join(", ")} };`;
  return new Function(body)() as { readonly [name: string]: unknown };
}
