/** Words under a name in the keychain of the operating system, by the system's own command. */
export type Keychain = {
  /** For messages, e.g. "the keychain (secret-tool)". */
  readonly name: string;
  /** Null when there is no such entry. @throws KeychainFailure */
  read(entry: string): Promise<string | null>;
  /** @throws KeychainFailure */
  write(entry: string, text: string): Promise<void>;
};

/** The keychain is locked, absent, or its command is not installed. `fact` holds no secret. */
export class KeychainFailure extends Error {
  readonly fact: string;

  constructor(fact: string) {
    super(`Cannot use the keychain: ${fact}`);
    this.name = "KeychainFailure";
    this.fact = fact;
  }
}

/** Asks a person to unlock the keychain only where somebody can answer: a start must not wait for ever. */
const DEADLINE_MS = 15_000;
const MAX_OUTPUT_CHARACTERS = 4096;

/** What such a command needs to find the session of the user: never the whole environment, which may hold secrets. */
const PASSED_ON = ["PATH", "HOME", "USER", "DBUS_SESSION_BUS_ADDRESS", "XDG_RUNTIME_DIR", "XDG_DATA_HOME", "DISPLAY"];

/** The environment of the gateway: unset is undefined. */
export type SystemEnvironment = Readonly<Record<string, string | undefined>>;

type CommandResult = { readonly code: number; readonly stdout: string; readonly stderr: string };

type CommandOptions = {
  readonly env: SystemEnvironment;
  readonly stdin?: string | null;
  readonly deadlineMs?: number;
};

/** @throws KeychainFailure when the command is not there, or does not end in time. */
export async function runCommand(
  argv: readonly [string, ...string[]],
  { env, stdin = null, deadlineMs = DEADLINE_MS }: CommandOptions,
): Promise<CommandResult> {
  const path = Bun.which(argv[0], { PATH: env["PATH"] ?? "" });
  if (path === null) throw new KeychainFailure(`the command ${argv[0]} is not installed`);
  const child = Bun.spawn([path, ...argv.slice(1)], {
    env: Object.fromEntries(PASSED_ON.map((name) => [name, env[name]])),
    stdin: stdin === null ? "ignore" : Buffer.from(stdin, "utf8"),
    stdout: "pipe",
    stderr: "pipe",
  });
  let isLate = false;
  const timer = setTimeout(() => {
    isLate = true;
    child.kill("SIGKILL");
  }, deadlineMs);
  try {
    const [stdout, stderr] = await Promise.all([textOf(child.stdout), textOf(child.stderr)]);
    const code = await child.exited;
    if (isLate) throw new KeychainFailure(`${argv[0]} did not answer within ${deadlineMs} ms: unlock the keychain`);
    return { code, stdout, stderr };
  } finally {
    clearTimeout(timer);
  }
}

async function textOf(stream: ReadableStream<Uint8Array>): Promise<string> {
  return (await new Response(stream).text()).slice(0, MAX_OUTPUT_CHARACTERS);
}

/** The first line of what a command complained of. */
export function complaintOf({ code, stderr }: CommandResult): string {
  const line = stderr.trim().split("\n")[0] ?? "";
  return line === "" ? `exit code ${code}` : `${line.slice(0, 200)} (exit code ${code})`;
}
