import { join } from "node:path";
import { repositoryRoot } from "./source-files.ts";

// src/storage/worker-entry.ts looks for them at these paths, below --root.
const WORKERS = new Bun.Glob("src/**/*-worker.ts");
const OUTPUT = join("dist", "better-ccflare");

const workers = (await Array.fromAsync(WORKERS.scan({ cwd: repositoryRoot }))).toSorted();
const flags = [
  "--compile",
  // A .env or bunfig.toml in the working directory must not steer the gateway.
  "--no-compile-autoload-dotenv",
  "--no-compile-autoload-bunfig",
  "--sourcemap=none",
  "--target=bun",
  "--root=.",
  `--outfile=${OUTPUT}`,
];
const command = [process.execPath, "build", ...flags, "src/main.ts", ...workers];
const { exitCode } = Bun.spawnSync(command, { cwd: repositoryRoot, stdio: ["ignore", "inherit", "inherit"] });
process.exitCode = exitCode ?? 1;
