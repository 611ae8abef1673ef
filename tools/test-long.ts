import { join } from "node:path";
import { repositoryRoot } from "./source-files.ts";

/**
 * Runs the long tests one after the other, each in a process of its own, and repeats their figures at the end.
 * Arguments choose files by a part of their name: "npm run test:long -- kill".
 */
const FOLDER = "test/long";
const FIGURE = /^figure: .*$/gm;

const wanted = process.argv.slice(2);
const all = await Array.fromAsync(new Bun.Glob("*.long.ts").scan({ cwd: join(repositoryRoot, FOLDER) }));
const files = all.sort().filter((file) => wanted.length === 0 || wanted.some((part) => file.includes(part)));
if (files.length === 0) throw new Error(`Cannot run long tests: ${FOLDER} holds none called ${wanted.join(" or ")}`);

const figures: string[] = [];
const failed: string[] = [];
for (const file of files) {
  const { exitCode, output } = await run(file);
  figures.push(...(output.match(FIGURE) ?? []));
  if (exitCode !== 0) failed.push(file);
}
process.stdout.write(`\n${[...figures, ...failed.map((file) => `FAILED ${file}`)].join("\n")}\n`);
process.exitCode = failed.length === 0 ? 0 : 1;

/** What the test prints is shown while it runs. */
async function run(file: string): Promise<{ readonly exitCode: number; readonly output: string }> {
  const command = [process.execPath, "test", "--path-ignore-patterns=node_modules", "--timeout=1200000"];
  const child = Bun.spawn([...command, `./${FOLDER}/${file}`], {
    cwd: repositoryRoot,
    env: process.env,
    stdio: ["ignore", "pipe", "inherit"],
  });
  const decoder = new TextDecoder();
  let output = "";
  for await (const chunk of child.stdout) {
    process.stdout.write(chunk);
    output += decoder.decode(chunk, { stream: true });
  }
  return { exitCode: await child.exited, output };
}
