import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** SoftHSM2, a token in software: the real PKCS#11 C API with keys that it does not give away. */
const MODULES = [
  "/usr/lib/softhsm/libsofthsm2.so",
  "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so",
  "/usr/lib/aarch64-linux-gnu/softhsm/libsofthsm2.so",
];

export const SOFTHSM_MODULE = MODULES.find((path) => existsSync(path)) ?? null;
export const NO_SOFTHSM = "SoftHSM2 is not installed: apt-get install softhsm2";
const PIN = "CANARY-pin-471108";

export type TokenWorld = {
  /** SOFTHSM2_CONF. */
  readonly env: Readonly<Record<string, string>>;
  readonly module: string;
  readonly pin: string;
  /** Makes a token; gives the path of a file with its PIN. */
  make(label: string): string;
  /** All tokens are pulled out, or put back. */
  unplug(): void;
  plug(): void;
  close(): void;
};

/** Every token of one directory, for processes that have `env`. */
export function openTokenWorld(): TokenWorld {
  if (SOFTHSM_MODULE === null) throw new Error(NO_SOFTHSM);
  const directory = mkdtempSync(join(tmpdir(), "bccf-softhsm-"));
  const tokens = join(directory, "tokens");
  mkdirSync(tokens);
  const conf = join(directory, "softhsm2.conf");
  writeFileSync(conf, `directories.tokendir = ${tokens}\nobjectstore.backend = file\nlog.level = ERROR\n`);
  const env = { SOFTHSM2_CONF: conf };
  return {
    env,
    module: SOFTHSM_MODULE,
    pin: PIN,
    make(label) {
      const command = [
        "softhsm2-util",
        "--init-token",
        "--free",
        "--label",
        label,
        "--pin",
        PIN,
        "--so-pin",
        "87654321",
      ];
      const made = Bun.spawnSync(command, { env: { ...process.env, ...env } });
      if (made.exitCode !== 0) throw new Error(`Cannot make a token: ${made.stderr.toString()}`);
      const pinFile = join(directory, `${label}.pin`);
      writeFileSync(pinFile, `${PIN}\n`, { mode: 0o600 });
      return pinFile;
    },
    unplug() {
      renameSync(tokens, `${tokens}.out`);
      mkdirSync(tokens);
    },
    plug() {
      rmSync(tokens, { recursive: true });
      renameSync(`${tokens}.out`, tokens);
    },
    close: () => rmSync(directory, { recursive: true, force: true }),
  };
}
