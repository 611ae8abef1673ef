/** The CLI in this process, against a real admin server on a real Unix socket. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createControlWorld, START } from "../control/control-world.test.ts";
import { createPeopleWorld } from "../control/people-world.test.ts";
import { createAdminApp } from "../http/admin/admin-app.ts";
import { listenAdmin } from "../http/admin/admin-listener.ts";
import { err } from "../kernel/result.ts";
import type { CliIo } from "./cli-io.ts";
import { runCli } from "./run-cli.ts";

export const KEY = "sk-ant-api03-canary";
export const ADD = ["account", "add", "work", "--provider", "anthropic"];

const cleanups: (() => Promise<void> | void)[] = [];

/** For `afterEach`: stops the gateways and removes the files of one test. */
export async function cleanUp(): Promise<void> {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
}

type Typed = { readonly stdin?: string; readonly answers?: readonly string[]; readonly io?: Partial<CliIo> };
type Run = { readonly code: number; readonly stdout: string; readonly stderr: string };

export function temporarySocket(): string {
  const directory = mkdtempSync(join(tmpdir(), "cli-"));
  cleanups.push(() => rmSync(directory, { recursive: true, force: true }));
  return join(directory, "admin.sock");
}

export async function run(
  socketPath: string,
  argv: readonly string[],
  { stdin = "", answers, io = {} }: Typed = {},
): Promise<Run> {
  let stdout = "";
  let stderr = "";
  const typed = [...(answers ?? [])];
  const code = await runCli(argv, {
    stdout(text) {
      stdout += text;
    },
    stderr(text) {
      stderr += text;
    },
    stdin: async () => stdin,
    isTty: answers !== undefined,
    async ask(question) {
      stderr += question;
      return typed.shift() ?? "";
    },
    socketPath,
    version: "1.2.3",
    programName: "better-ccflare",
    simulate: async () => null,
    importOld: async () => err("Cannot import in this world"),
    verifyAudit: async () => ({ isOk: true, text: "intact", data: {} }),
    nowMs: () => START,
    routes: () => [],
    configCheck: async () => ({ isOk: true, text: "port 8080", data: { port: 8080 } }),
    ...io,
  });
  return { code, stdout, stderr };
}

export async function startGateway() {
  const world = await createControlWorld();
  const socketPath = temporarySocket();
  const app = createAdminApp({
    ...world,
    people: await createPeopleWorld(),
    now: () => START,
    version: "1.2.3",
    dataPlaneUrl: () => "http://127.0.0.1:8080",
    onError: (error) => console.error(error),
  });
  const listener = await listenAdmin({ socketPath, app });
  cleanups.push(() => listener.stop());
  const cli = (argv: readonly string[], typed?: Typed) => run(socketPath, argv, typed);
  return { ...world, socketPath, cli };
}
