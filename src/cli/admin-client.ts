import type { z } from "zod";
import { errorAnswerSchema } from "../contract/refusal.ts";
import { CliFailure, EXIT } from "./cli-io.ts";

/** Longer than the slowest answer (`account test` and `account add` ask the provider for at most 10 s). */
const ANSWER_TIMEOUT_MS = 20_000;

const START_ADVICE =
  "start the gateway with `npm start` (or `bun start`), or name its data directory in BETTER_CCFLARE_DATA_DIR";

/** Calls the running gateway. Every method gives the parsed answer or throws a CliFailure. */
export type AdminClient = {
  get<Schema extends z.ZodType>(path: string, schema: Schema): Promise<z.infer<Schema>>;
  post<Schema extends z.ZodType>(path: string, schema: Schema, body?: unknown): Promise<z.infer<Schema>>;
  put<Schema extends z.ZodType>(path: string, schema: Schema, body: unknown): Promise<z.infer<Schema>>;
  remove<Schema extends z.ZodType>(path: string, schema: Schema): Promise<z.infer<Schema>>;
};

export function createAdminClient(socketPath: string): AdminClient {
  async function call<Schema extends z.ZodType>(
    path: string,
    schema: Schema,
    init: { readonly method: string; readonly body?: string },
  ): Promise<z.infer<Schema>> {
    const response = await send(socketPath, path, init);
    const answer: unknown = await response.json().catch(() => null);
    if (!response.ok) throw refused(response.status, answer);
    const parsed = schema.safeParse(answer);
    if (parsed.success) return parsed.data;
    throw new CliFailure(
      EXIT.refused,
      `Cannot read the answer to ${init.method} ${path}`,
      "use the CLI of the same version",
    );
  }

  return {
    get: (path, schema) => call(path, schema, { method: "GET" }),
    post: (path, schema, body) =>
      call(path, schema, body === undefined ? { method: "POST" } : { method: "POST", body: JSON.stringify(body) }),
    put: (path, schema, body) => call(path, schema, { method: "PUT", body: JSON.stringify(body) }),
    remove: (path, schema) => call(path, schema, { method: "DELETE" }),
  };
}

/** A name or id as one path segment. */
export function segment(nameOrId: string): string {
  // These two survive encodeURIComponent, and the URL parser would fold them away; no account or key is called so.
  if (nameOrId === "" || nameOrId === "." || nameOrId === "..") {
    throw new CliFailure(EXIT.refused, `Cannot find ${JSON.stringify(nameOrId)}: it is neither a name nor an id`);
  }
  return encodeURIComponent(nameOrId);
}

async function send(
  socketPath: string,
  path: string,
  init: { readonly method: string; readonly body?: string },
): Promise<Response> {
  try {
    return await fetch(`http://localhost${path}`, {
      ...init,
      unix: socketPath,
      headers: init.body === undefined ? {} : { "content-type": "application/json" },
      signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS),
    });
  } catch (cause) {
    throw unreachable(socketPath, cause);
  }
}

function unreachable(socketPath: string, cause: unknown): CliFailure {
  const code = codeOf(cause);
  const reach = `Cannot reach the gateway at ${socketPath}`;
  if (code === "EACCES" || code === "EPERM") {
    return new CliFailure(
      EXIT.unreachable,
      `${reach}: its socket belongs to another user`,
      "run the CLI as the gateway's user",
    );
  }
  if (code === "TimeoutError") {
    return new CliFailure(
      EXIT.unreachable,
      `${reach}: no answer within ${ANSWER_TIMEOUT_MS / 1000} s`,
      "read the gateway's log",
    );
  }
  return new CliFailure(EXIT.unreachable, `${reach}: it is not running (${code})`, START_ADVICE);
}

function codeOf(cause: unknown): string {
  if (!(cause instanceof Error)) return "unknown error";
  return "code" in cause && typeof cause.code === "string" ? cause.code : cause.name;
}

function refused(status: number, answer: unknown): CliFailure {
  const parsed = errorAnswerSchema.safeParse(answer);
  const message = parsed.success ? parsed.data.error.message : `Cannot do this: the gateway answered ${status}`;
  return new CliFailure(EXIT.refused, message);
}
