import { afterAll, expect, test } from "bun:test";
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { KeychainFailure } from "./keychain.ts";
import { securityTool } from "./security-tool.ts";

// There is no Mac here: this stands in for security(1) as its manual describes it, and shows what it is asked.
const STAND_IN = `#!/bin/sh
here=$(dirname "$0")
echo "$@" >> "$here/arguments"
if [ "$1" = "-i" ]; then
  read -r line
  [ -e "$here/locked" ] && { echo "User interaction is not allowed." >&2; exit 0; }
  set -- $line
  entry=$(echo "$line" | sed 's/.* -a "\\([^"]*\\)".*/\\1/')
  echo "$line" | sed 's/.* -w "\\([^"]*\\)".*/\\1/' > "$here/entry-$entry"
  exit 0
fi
[ -e "$here/locked" ] && { echo "security: SecKeychainSearchCopyNext: User interaction is not allowed." >&2; exit 36; }
entry=$5
[ -e "$here/entry-$entry" ] && { cat "$here/entry-$entry"; exit 0; }
echo "security: SecKeychainSearchCopyNext: The specified item could not be found in the keychain." >&2
exit 44
`;

const directory = mkdtempSync(join(tmpdir(), "security-"));
afterAll(() => rmSync(directory, { recursive: true }));
writeFileSync(join(directory, "security"), STAND_IN);
chmodSync(join(directory, "security"), 0o755);
const keychain = securityTool({ PATH: `${directory}:/usr/bin:/bin` });

test("an entry is read as it was written, another one is absent, and the key is never an argument", async () => {
  await keychain.write("0123456789abcdef", "Q0FOQVJZ+/key=");
  expect(await keychain.read("0123456789abcdef")).toBe("Q0FOQVJZ+/key=");
  expect(await keychain.read("fedcba9876543210")).toBeNull();
  expect(readFileSync(join(directory, "arguments"), "utf8")).not.toContain("Q0FOQVJZ");
});

test("a keychain that is locked is an error for reading and for writing", async () => {
  writeFileSync(join(directory, "locked"), "");
  await expect(keychain.read("0123456789abcdef")).rejects.toBeInstanceOf(KeychainFailure);
  await expect(keychain.write("0123456789abcdef", "other")).rejects.toThrow("interaction is not allowed");
});
