import type { CliIo } from "./cli-io.ts";

/**
 * The secret from standard input, or from a person who types it unseen. The one line break at the end, which every
 * editor and `echo` add, is not part of it; anything else odd is left for the gateway to refuse.
 */
export async function readSecret(io: CliIo, label: string): Promise<string> {
  const text = io.isTty ? await io.ask(`${label} (not shown): `, { isHidden: true }) : await io.stdin();
  return text.replace(/\r?\n$/, "");
}
