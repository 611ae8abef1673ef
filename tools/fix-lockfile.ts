import { join } from "node:path";
import { completeLockfile } from "./check-lockfile.ts";
import { repositoryRoot } from "./source-files.ts";

const path = join(repositoryRoot, "package-lock.json");
await Bun.write(path, `${JSON.stringify(completeLockfile(await Bun.file(path).json()), null, 2)}\n`);
