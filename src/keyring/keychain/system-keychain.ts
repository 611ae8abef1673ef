import type { Keychain, SystemEnvironment } from "./keychain.ts";
import { secretTool } from "./secret-tool.ts";
import { securityTool } from "./security-tool.ts";

/** Null where there is none that is supported. */
export function systemKeychain(platform: NodeJS.Platform, env: SystemEnvironment): Keychain | null {
  if (platform === "darwin") return securityTool(env);
  return platform === "linux" ? secretTool(env) : null;
}
