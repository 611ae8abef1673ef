import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** The folder of package.json. */
export const repositoryRoot = join(dirname(fileURLToPath(import.meta.url)), "..");

export type SourceFile = {
  /** From the root, with "/". */
  readonly path: string;
  readonly text: string;
};

/** A complaint is one line: `path:line what is wrong`. */
export type Complaint = string;

const SOURCES = new Bun.Glob("{src,sim,test,bench,tools,web}/**/*.{ts,tsx,mjs}");

/** Every source file on disk, committed or not, in the order of the paths. */
export async function sourceFiles(root: string): Promise<readonly SourceFile[]> {
  const paths = (await Array.fromAsync(SOURCES.scan({ cwd: root }))).filter((path) => !path.includes("node_modules/"));
  return await Promise.all(
    paths.toSorted().map(async (path) => ({ path, text: await Bun.file(join(root, path)).text() })),
  );
}

export function isTest(path: string): boolean {
  return path.endsWith(".test.ts") || path.startsWith("test/");
}

/** Counted from 1, as editors do. */
export function lineAt(text: string, offset: number): number {
  return text.slice(0, offset).split("\n").length;
}
