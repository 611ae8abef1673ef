import { join } from "node:path";
import { installClaudeCode } from "./install-claude-code.ts";
import { repositoryRoot } from "./source-files.ts";

const FOLDER = "test/clients";
const files = await Array.fromAsync(new Bun.Glob("**/*.test.ts").scan({ cwd: join(repositoryRoot, FOLDER) }));
if (files.length === 0) throw new Error(`Cannot test with real clients: ${FOLDER} holds no test`);

const command = [
  process.execPath,
  "test",
  "--path-ignore-patterns=node_modules",
  "--timeout=120000",
  ...process.argv.slice(2),
  `./${FOLDER}/`,
];
const { exitCode } = Bun.spawnSync(command, {
  cwd: repositoryRoot,
  env: { ...process.env, CLAUDE_CODE_PATH: await installClaudeCode() },
  stdio: ["ignore", "inherit", "inherit"],
});
process.exitCode = exitCode;
