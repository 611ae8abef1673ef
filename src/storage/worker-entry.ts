const OWN_NAME = "/worker-entry.ts";

/**
 * Where the code of a worker is. From source it is the file itself. In a compiled binary (`bun build --compile --root .
 * src/main.ts src/storage/ledger/ingest-worker.ts src/storage/sqlite/query-worker.ts`) every extra entry point keeps its
 * path below the root as an embedded .js file, so a file in the working directory can never take its place.
 * @param path From `src/storage/`, e.g. "ledger/ingest-worker.ts".
 */
export function workerEntry(path: "ledger/ingest-worker.ts" | "sqlite/query-worker.ts"): URL {
  const isSource = import.meta.url.endsWith(OWN_NAME);
  if (isSource) return new URL(`./${path}`, import.meta.url);
  return new URL(`./src/storage/${path.replace(/\.ts$/, ".js")}`, import.meta.url);
}
