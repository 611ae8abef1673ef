import { isAbsolute, resolve } from "node:path";
import type { Result } from "../kernel/result.ts";
import { err, ok } from "../kernel/result.ts";
import type { ConfigProblem } from "./config.ts";
import { nearest } from "./nearest.ts";
import type { FileProblem, ReadFile } from "./read-file.ts";
import { placedSettings } from "./settings.ts";

/** Values by dotted key, unchecked, and what is wrong with the file itself. */
export type FileValues = { readonly values: ReadonlyMap<string, unknown>; readonly problems: readonly ConfigProblem[] };

const PARSERS: Readonly<Record<string, (text: string) => unknown>> = {
  toml: (text) => Bun.TOML.parse(text),
  yaml: (text) => Bun.YAML.parse(text),
  yml: (text) => Bun.YAML.parse(text),
  json: (text) => JSON.parse(text),
  json5: (text) => Bun.JSON5.parse(text),
};

const FACTS: Readonly<Record<FileProblem, string>> = {
  absent: "there is no such file",
  unreadable: "the file cannot be read",
  too_large: "the file is larger than 1 MiB",
  not_a_file: "it is not a regular file",
};

/** Reads one file whole. Every mistake is in `problems`; the values that make sense are there all the same. */
export function readConfigFile(path: string, readFile: ReadFile): FileValues {
  const parsed = parseFile(path, readFile);
  if (!parsed.ok) return { values: new Map(), problems: [parsed.error] };
  return flatten(parsed.value);
}

function parseFile(path: string, readFile: ReadFile): Result<object, ConfigProblem> {
  const parse = PARSERS[/\.([a-z0-9]+)$/u.exec(path)?.[1] ?? ""];
  if (parse === undefined) {
    return problem(path, "its name has no known ending", "name it .toml, .yaml, .json or .json5");
  }
  const file = readFile(path);
  if (!file.ok) return problem(path, FACTS[file.error], "correct the path, or the permissions of the file");
  if (!file.value.isOurs || (file.value.mode & 0o022) !== 0) {
    return problem(path, "others than this user can change the file", `chown it to this user and: chmod 600 ${path}`);
  }
  try {
    const value = parse(file.value.text) ?? {};
    if (isTable(value)) return ok(value);
    return problem(path, "it does not hold sections", "write [server], [limits] and so on, with keys below them");
  } catch (cause) {
    const detail = cause instanceof Error ? cause.message.slice(0, 200) : "not readable";
    return problem(path, detail, "correct the syntax");
  }
}

function flatten(root: object): FileValues {
  const known = new Set(placedSettings().map(({ section, name }) => `${section}.${name}`));
  const sections = new Set(placedSettings().map(({ section }) => section));
  const values = new Map<string, unknown>();
  const problems: ConfigProblem[] = [];
  for (const [section, content] of Object.entries(root)) {
    if (!sections.has(section) || !isTable(content)) {
      problems.push(unknownKey(section, isTable(content) ? [...sections] : [...known]));
      continue;
    }
    for (const [name, value] of Object.entries(content)) {
      const key = `${section}.${name}`;
      if (known.has(key)) values.set(key, value);
      else problems.push(unknownKey(key, [...known]));
    }
  }
  return { values, problems };
}

function unknownKey(key: string, known: readonly string[]): ConfigProblem {
  // A bare name is compared with bare names: "prot" is near "server.port" only then.
  const isBare = !key.includes(".") && known.some((name) => name.includes("."));
  const bareNames = known.map((name) => name.slice(name.indexOf(".") + 1));
  const found = isBare ? known[bareNames.indexOf(nearest(key, bareNames) ?? "")] : nearest(key, known);
  return {
    key: key.slice(0, 80),
    source: "file",
    reason: "no setting has this name",
    fix: `use ${found ?? "a known key"}, which is written most like it, or remove it`,
  };
}

function isTable(value: unknown): value is object {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function problem(path: string, reason: string, fix: string): { readonly ok: false; readonly error: ConfigProblem } {
  return err({ key: path, source: "file", reason, fix });
}

/** "~/x" and relative paths become absolute. Null when "~" is used and the environment has no HOME. */
export function absolutePath(path: string, home: string | undefined): string | null {
  if (path !== "~" && !path.startsWith("~/")) return resolve(path);
  return home === undefined || !isAbsolute(home) ? null : resolve(home, path.slice(2));
}
