import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { bunPackageFor, thisMachine } from "./find-bun.mjs";
import { repositoryRoot } from "./source-files.ts";

/** The client that the gateway is tested with. Proprietary: fetched for tests, never shipped. */
const VERSION = "2.1.330";
const SCOPE = "@anthropic-ai";

/** As the registry published them (2026-11-23). A package with other bytes is not run. */
const INTEGRITY: Readonly<Record<string, string>> = {
  "linux-x64": "sha512-9Gn+V7DtJ8M1nztP9CeDVl9g3RtrepI7rOFTyPRRnZe8D6zebIHKmC7OvBauucuAP0X0k85SDN/LPVZyjsGezQ==",
  "linux-arm64": "sha512-V4yanAY5EA5UpwwRPtjSfqDbNqAlUJeVn3NYZw2AgmRHjdpSsLtHAzbxRXfkAnbjwTXzE0uedjQxUY02ARPcsA==",
  "linux-x64-musl": "sha512-OnduSSPY1b59FA8jTbq20Y1XkDUV0S1OVyvYBNslEbpX79P81JF7Ih4lgYvDKiFnnSv75z4Kv6qLE5DQqogYXA==",
  "linux-arm64-musl": "sha512-NemfeTqZ30tQDhAeumZgDYoX4ewhAHkN3dbcsyvlgb+yvpKUlcYu5Bor8K+Du5azGe3uy9sftlJxbGhTsCR7zA==",
  "darwin-arm64": "sha512-rgzAjrRJJsIdZXGF9CCFFbURxKuJNobRr+krV3dNmqNJWIws74rLD0CABe4+nXlx/9WwRECTrveprWB96mubqw==",
  "darwin-x64": "sha512-XenTNj2zXaFrnLmf47n25vChfFhlfeyaAR/vW5SFsEnLGwd2U1vDUY97+5etHBZu3xWBnlK8HhBVxzRi9YTUDw==",
};

const TRIES = 3;
const PAUSE_MS = 5_000;

/**
 * Path of the native client, installed below `.cache/claude` when it is not there (236 MB of download on Linux).
 * @throws Error when the registry cannot be reached, or gives other bytes than the pinned ones.
 */
export async function installClaudeCode(): Promise<string> {
  const platform = platformOf();
  const name = `claude-code-${platform}`;
  const prefix = join(repositoryRoot, ".cache", "claude");
  const path = join(prefix, "node_modules", SCOPE, name, "claude");
  if (!isPinned(prefix, name, platform)) await install(prefix, `${SCOPE}/${name}@${VERSION}`);
  if (!isPinned(prefix, name, platform) || !existsSync(path)) {
    throw new Error(
      `Cannot use ${name}@${VERSION}: what the registry gave is not what tools/install-claude-code.ts pins`,
    );
  }
  return path;
}

function platformOf(): string {
  const machine = thisMachine();
  const platform = bunPackageFor(machine).replace(/^bun-/u, "").replace("aarch64", "arm64");
  if (INTEGRITY[platform] === undefined)
    throw new Error(`Cannot test with Claude Code: it has no build for ${platform}`);
  return platform;
}

/** npm checks the bytes against the hash that it writes down here; we check the hash against ours. */
function isPinned(prefix: string, name: string, platform: string): boolean {
  const lock = join(prefix, "node_modules", ".package-lock.json");
  if (!existsSync(lock)) return false;
  const parsed: { packages?: Record<string, { integrity?: string }> } = JSON.parse(readFileSync(lock, "utf8"));
  return parsed.packages?.[`node_modules/${SCOPE}/${name}`]?.integrity === INTEGRITY[platform];
}

async function install(prefix: string, specification: string): Promise<void> {
  mkdirSync(prefix, { recursive: true });
  const flags = ["--ignore-scripts", "--no-save", "--no-audit", "--no-fund", "--loglevel=error"];
  const command = ["npm", "install", "--prefix", prefix, ...flags, specification];
  for (let attempt = 1; ; attempt += 1) {
    console.error(`Installing ${specification} for the client tests ...`);
    if (Bun.spawnSync(command, { stdio: ["ignore", 2, 2] }).exitCode === 0) return;
    if (attempt === TRIES) throw new Error(`Cannot install ${specification}: npm failed ${TRIES} times`);
    await Bun.sleep(PAUSE_MS * attempt);
  }
}

if (import.meta.main) console.log(await installClaudeCode());
