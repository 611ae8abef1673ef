import type { ConfigProblem, Environment, Purpose } from "./config.ts";

// Bun starts 256 fetches per process and hangs all others, unless the variable is there before the process starts
// (measured on 1.4.5, deps.md). One client connection may need one upstream request.
const FETCHES_ENV = "BUN_CONFIG_MAX_HTTP_REQUESTS";
const MIN_FETCHES = 1024;
const MAX_FETCHES = 65_535;

const OPTION_LISTS = ["NODE_OPTIONS", "BUN_OPTIONS"];
const DANGEROUS_OPTIONS = ["--insecure-http-parser", "--inspect"];
/** Any value of these makes Bun open its inspector, which reads every secret in memory. */
const INSPECTOR_ENV = ["BUN_INSPECT", "BUN_INSPECT_CONNECT_TO", "BUN_INSPECT_NOTIFY"];

/** What the process around us must be like. */
export function runtimeProblems(env: Environment, purpose: Purpose): readonly ConfigProblem[] {
  const problems: ConfigProblem[] = [];
  if (env["NODE_TLS_REJECT_UNAUTHORIZED"] === "0") {
    problems.push({
      key: "NODE_TLS_REJECT_UNAUTHORIZED",
      source: "env",
      reason: "0 turns off every check of upstream's certificate, so anyone on the way could read the credentials",
      fix: "unset it; for a private authority set NODE_EXTRA_CA_CERTS to its certificate",
    });
  }
  for (const key of OPTION_LISTS) {
    for (const option of DANGEROUS_OPTIONS.filter((name) => env[key]?.includes(name) === true)) {
      const reason = `${option} opens this process to others`;
      problems.push({ key, source: "env", reason, fix: `remove ${option}` });
    }
  }
  for (const key of INSPECTOR_ENV.filter((name) => (env[name] ?? "") !== "")) {
    problems.push({ key, source: "env", reason: "it opens this process to a debugger", fix: `unset ${key}` });
  }
  if (purpose === "server") problems.push(...fetchLimitProblems(env[FETCHES_ENV]));
  return problems;
}

function fetchLimitProblems(value: string | undefined): readonly ConfigProblem[] {
  const isGood =
    value !== undefined && /^\d{4,5}$/u.test(value) && Number(value) >= MIN_FETCHES && Number(value) <= MAX_FETCHES;
  if (isGood) return [];
  const reason =
    value === undefined
      ? "it is not set, and without it the process hangs at 256 upstream requests"
      : `it is not an integer from ${MIN_FETCHES} to ${MAX_FETCHES}`;
  const fix = `start with npm start or bun start, which set it, or with ${FETCHES_ENV}=${MAX_FETCHES} in the environment`;
  return [{ key: FETCHES_ENV, source: "runtime", reason, fix }];
}
