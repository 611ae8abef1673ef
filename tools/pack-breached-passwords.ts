import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { repositoryRoot } from "./source-files.ts";

/**
 * Packs word lists, one password per line, into the file that the gateway ships: `bun tools/pack-breached-passwords.ts
 * LIST...`. Which lists, and why hashes: docs/adr, "Breached passwords".
 */
const PREFIX_BYTES = 5;
const OUTPUT = join(repositoryRoot, "src/keyring/breached-passwords.bin");
const MAX_LENGTH = 256;

const lines = process.argv.slice(2).flatMap((path) => readFileSync(path, "utf8").split(/\r?\n/));
const words = new Set(lines.map(folded).filter((word) => word.length > 0 && word.length <= MAX_LENGTH));
const prefixes = [...words].map(prefixOf).toSorted(Buffer.compare);
const distinct = prefixes.filter((prefix, at) => at === 0 || !prefix.equals(prefixes[at - 1] ?? Buffer.alloc(0)));
writeFileSync(OUTPUT, Buffer.concat(distinct));
console.log(`${words.size} passwords, ${distinct.length} prefixes, ${distinct.length * PREFIX_BYTES} bytes`);

function folded(line: string): string {
  return line.startsWith("#!comment:") ? "" : line.normalize("NFC").toLowerCase();
}

function prefixOf(word: string): Buffer {
  return createHash("sha256").update(word).digest().subarray(0, PREFIX_BYTES);
}
