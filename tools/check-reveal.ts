import type { Complaint, SourceFile } from "./source-files.ts";
import { isTest, lineAt } from "./source-files.ts";

const MAY_REVEAL = ["src/upstream/", "src/keyring/"];
// The method in every spelling: call, reference, destructuring, string key.
const REVEAL = /(\.|\?\.|\[["'`]|[{,]\s*)reveal\b/gu;
const DEFINITION = "src/kernel/secret.ts";

/** A secret leaves its `Secret` where it goes upstream, or where keys are made, and nowhere else. Tests may look. */
export function checkReveal(files: readonly SourceFile[]): readonly Complaint[] {
  return files
    .filter(({ path }) => path.startsWith("src/") && path !== DEFINITION && !isTest(path))
    .filter(({ path }) => !MAY_REVEAL.some((folder) => path.startsWith(folder)))
    .flatMap(({ path, text }) =>
      [...text.matchAll(REVEAL)].map(
        ({ index }) => `${path}:${lineAt(text, index)} reveal() may be used in ${MAY_REVEAL.join(" and ")} alone`,
      ),
    );
}
