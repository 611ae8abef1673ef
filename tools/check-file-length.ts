import type { Complaint, SourceFile } from "./source-files.ts";
import { isTest } from "./source-files.ts";

const MAX_LINES = 300;
// Tables of cases are long and still read well; past this even a test file has two subjects.
const MAX_TEST_LINES = 600;
const REASON = /^(\/\/|\/\*\*?)\s*Longer than \d+ lines: \S/u;

/** A file is split where it has two jobs. One that stays long says why in its first comment. */
export function checkFileLength(files: readonly SourceFile[]): readonly Complaint[] {
  return files.flatMap(({ path, text }) => {
    const lines = text.split("\n").length - (text.endsWith("\n") ? 1 : 0);
    const limit = isTest(path) ? MAX_TEST_LINES : MAX_LINES;
    if (lines <= limit || REASON.test(text)) return [];
    return [
      `${path}:1 has ${lines} lines, the limit is ${limit}; split it, or begin with "// Longer than ${limit} lines: <why>"`,
    ];
  });
}
