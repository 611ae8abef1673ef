import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const COMMANDS = ["secret-tool", "gnome-keyring-daemon", "dbus-daemon"] as const;

export const HAS_KEYCHAIN = COMMANDS.every((command) => Bun.which(command) !== null);
export const NO_KEYCHAIN = "no Secret Service is installed: apt-get install libsecret-tools gnome-keyring dbus";

/** A GNOME Keyring with a session bus and a home of its own: what a desktop session gives to the gateway. */
export type KeychainWorld = {
  /** For processes that may reach it. */
  readonly env: Readonly<Record<string, string>>;
  /** The daemon starts anew and nobody gives it the password. */
  lock(): Promise<void>;
  close(): void;
};

export async function openKeychainWorld(): Promise<KeychainWorld> {
  if (!HAS_KEYCHAIN) throw new Error(NO_KEYCHAIN);
  const home = mkdtempSync(join(tmpdir(), "bccf-keychain-"));
  const runtime = join(home, "run");
  mkdirSync(runtime, { mode: 0o700 });
  const base = {
    PATH: process.env["PATH"] ?? "",
    HOME: home,
    XDG_RUNTIME_DIR: runtime,
    XDG_DATA_HOME: join(home, "data"),
  };
  const bus = Bun.spawn(["dbus-daemon", "--session", "--nofork", "--nopidfile", "--print-address"], {
    env: base,
    stdout: "pipe",
    stderr: "ignore",
  });
  const env = { ...base, DBUS_SESSION_BUS_ADDRESS: await firstLineOf(bus.stdout) };
  const daemon = (words: string | null) =>
    Bun.spawn(
      ["gnome-keyring-daemon", "--foreground", "--components=secrets", ...(words === null ? [] : ["--unlock"])],
      {
        env,
        stdin: words === null ? "ignore" : Buffer.from(words),
        stdout: "ignore",
        stderr: "ignore",
      },
    );
  let running = daemon("session password");
  await untilAnswering(env);
  return {
    env,
    async lock() {
      running.kill();
      await running.exited;
      running = daemon(null);
      await untilAnswering(env);
    },
    close() {
      running.kill();
      bus.kill();
      rmSync(home, { recursive: true, force: true });
    },
  };
}

async function firstLineOf(stream: ReadableStream<Uint8Array>): Promise<string> {
  let text = "";
  for await (const chunk of stream) {
    text += new TextDecoder().decode(chunk);
    const end = text.indexOf("\n");
    if (end >= 0) return text.slice(0, end);
  }
  throw new Error("Cannot find the address of the session bus");
}

/** The service has its name on the bus a moment after the daemon has started. */
async function untilAnswering(env: Readonly<Record<string, string>>): Promise<void> {
  for (let round = 0; round < 100; round += 1) {
    const asked = Bun.spawnSync(["secret-tool", "search", "service", "nothing"], { env });
    if (asked.exitCode === 0) return;
    await Bun.sleep(20);
  }
  throw new Error("Cannot reach the keychain in time");
}
