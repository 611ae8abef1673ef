import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** One run of the real client, in a home and a working directory of its own. */
export type ClaudeCodeRun = {
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
};

export type ClaudeCodeOptions = {
  readonly prompt: string;
  readonly args?: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** Files of the working directory, by name. */
  readonly files?: Readonly<Record<string, string>>;
  /** Looks at the home before it is removed. */
  readonly inspectHome?: (home: string) => void;
};

const RUN_MS = 60_000;

/** @throws Error when CLAUDE_CODE_PATH does not say where the client is. */
export async function runClaudeCode({ prompt, args = [], env, files = {}, inspectHome }: ClaudeCodeOptions) {
  const path = process.env["CLAUDE_CODE_PATH"];
  if (path === undefined) throw new Error("Cannot find Claude Code: run these tests with npm run test:clients");
  const home = mkdtempSync(join(tmpdir(), "bccf-claude-home-"));
  const work = mkdtempSync(join(tmpdir(), "bccf-claude-work-"));
  for (const [name, text] of Object.entries(files)) await Bun.write(join(work, name), text);
  try {
    const child = Bun.spawn([path, "-p", prompt, ...args], {
      // Nothing of the machine's own: neither a login, nor settings, nor a proxy.
      env: { PATH: process.env["PATH"] ?? "", HOME: home, CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: "1", ...env },
      cwd: work,
      stdin: "ignore",
      stdout: "pipe",
      stderr: "pipe",
      timeout: RUN_MS,
    });
    const [stdout, stderr] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()]);
    await child.exited;
    inspectHome?.(home);
    const run: ClaudeCodeRun = { exitCode: child.exitCode, stdout, stderr };
    return run;
  } finally {
    rmSync(home, { recursive: true, force: true });
    rmSync(work, { recursive: true, force: true });
  }
}
