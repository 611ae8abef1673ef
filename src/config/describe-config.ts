import type { Config, Secrets } from "./config.ts";
import { listText } from "./setting.ts";
import { placedSettings } from "./settings.ts";

/** Safe to print: values of settings, and whether a secret is there. */
export type ConfigDescription = {
  readonly configPath: string | null;
  readonly settings: Readonly<Record<string, string | number | boolean>>;
  readonly secrets: Readonly<Record<"encryptionKey" | "passphrase", "given" | "not given">>;
  readonly hasAnthropicApiKey: boolean;
};

/** For `config check --json`, printed as it is; `renderDescription` makes it readable. */
export function describeConfig(config: Config, secrets: Secrets): ConfigDescription {
  const sections: Readonly<Record<string, unknown>> = config;
  const settings: Record<string, string | number | boolean> = {};
  for (const { section, name } of placedSettings()) {
    const value = lookUp(lookUp(sections, section), name);
    if (Array.isArray(value)) {
      settings[`${section}.${name}`] = listText(value);
    } else if (typeof value === "string" || typeof value === "number" || typeof value === "boolean") {
      settings[`${section}.${name}`] = value;
    }
  }
  return {
    configPath: config.configPath,
    settings,
    secrets: {
      encryptionKey: secrets.encryptionKey === null ? "not given" : "given",
      passphrase: secrets.passphrase === null ? "not given" : "given",
    },
    hasAnthropicApiKey: config.hasAnthropicApiKey,
  };
}

/** The same for people, in the file's own notation; values that are not the default carry a star. */
export function renderDescription(description: ConfigDescription): string {
  const lines = [`config file: ${description.configPath ?? "none"}`];
  let shown = "";
  for (const { section, name, setting } of placedSettings()) {
    if (section !== shown) lines.push("", `[${section}]`);
    shown = section;
    const value = description.settings[`${section}.${name}`];
    const mark = value === setting.fallback ? " " : "*";
    lines.push(`${mark} ${name} = ${JSON.stringify(value)}  # ${setting.help}`);
  }
  lines.push("", `encryption key: ${description.secrets.encryptionKey}`);
  lines.push(`passphrase: ${description.secrets.passphrase}`);
  lines.push(`ANTHROPIC_API_KEY: ${description.hasAnthropicApiKey ? "set" : "not set"}`);
  return lines.join("\n");
}

function lookUp(table: unknown, name: string): unknown {
  return typeof table === "object" && table !== null
    ? Object.entries(table).find(([key]) => key === name)?.[1]
    : undefined;
}
