import { createHash } from "node:crypto";
import type { Complaint, SourceFile } from "./source-files.ts";
import { isTest, lineAt } from "./source-files.ts";

/**
 * SHA-256 of the OAuth client ids of other products (known from their public sources). Kept as hashes, so that this
 * repository holds none of them even here.
 */
const FOREIGN_CLIENT_IDS = new Map([
  ["473668f2b13c71009d028ff0ef74c2cf76e71cbdd33b76e69fcc42d7e59aca4b", "Claude Code"],
  ["584341c2f0e88ad1f7c6856553d81dc4776ff42c43951daed3e2d8d91552eaa2", "Codex"],
  ["636d7183f3ca4ad92c7803811a3f635643f1da657a22eeedf280283161cb6e17", "Gemini CLI"],
  ["9954bfea80f3d9092fcfed1cf263006469bc818ce55ee7114580fe2a8142af71", "GitHub Copilot"],
  ["4d04f832d33f948ff4546c81924379506a862f1621adbecea30c28b673e836d1", "Qwen Code"],
]);

// Long enough for every id in the list, and rare in code.
const WORD = /[\w.-]{16,120}/gu;
const CLAIMS = [/You are Claude Code, Anthropic/u, /["'`]claude-cli\//u];

/** The product ships no other product's client id, and claims to be no other client (design.md section 8). */
export function checkForeignIdentity(files: readonly SourceFile[]): readonly Complaint[] {
  return files.flatMap(({ path, text }) => {
    const found: Complaint[] = [];
    for (const { 0: word, index } of text.matchAll(WORD)) {
      const owner = FOREIGN_CLIENT_IDS.get(createHash("sha256").update(word).digest("hex"));
      if (owner !== undefined) found.push(`${path}:${lineAt(text, index)} holds the client id of ${owner}`);
    }
    // Tests and the simulator play the client; the product itself must not.
    if (!path.startsWith("src/") || isTest(path)) return found;
    const claims = CLAIMS.flatMap((claim) => {
      const at = text.search(claim);
      return at === -1 ? [] : [`${path}:${lineAt(text, at)} claims to be another client`];
    });
    return [...found, ...claims];
  });
}
