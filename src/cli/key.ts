import { type Command, InvalidArgumentError } from "commander";
import {
  type CreatedKeyWire,
  type CreateKey,
  createdKeySchema,
  type KeyWire,
  keyListSchema,
  keySchema,
  keyScopeSchema,
  type RotateKey,
} from "../contract/keys.ts";
import { spanMs } from "../contract/span.ts";
import { type AdminClient, segment } from "./admin-client.ts";
import { type CliIo, emit } from "./cli-io.ts";
import { orDash, renderFields, renderTable, shortInstant } from "./table.ts";

type JsonOption = { readonly json?: boolean };
type Limit = number | "none";
type CreateOptions = JsonOption & {
  readonly expires?: string;
  readonly scope?: string[];
  readonly model?: string[];
  readonly from?: string[];
  readonly requestsPerMinute?: Limit;
  readonly inputTokensPerMinute?: Limit;
  readonly outputTokensPerMinute?: Limit;
  readonly concurrency?: Limit;
};

const CREATE_EXAMPLES = `
Examples:
  key create laptop
  key create ci --expires 30d --model "claude-haiku-*" --from 10.0.0.0/8 --requests-per-minute 60 --json
  key create server --expires never --requests-per-minute none --concurrency none`;

export function addKeyCommands(program: Command, io: CliIo, client: AdminClient): void {
  const key = program.command("key").description("Client keys: who may call the gateway");
  addCreate(key, io, client);
  addRotate(key, io, client);

  key
    .command("list")
    .description("List client keys, newest first")
    .option("--json", "print JSON")
    .action(async (options: JsonOption) => {
      emit(io, options.json === true, await client.get("/api/keys", keyListSchema), renderKeys);
    });

  key
    .command("show")
    .description("Show what a client key may do and take")
    .argument("<key>", "name or id")
    .option("--json", "print JSON")
    .action(async (nameOrId: string, options: JsonOption) => {
      emit(io, options.json === true, await client.get(`/api/keys/${segment(nameOrId)}`, keySchema), renderKey);
    });

  key
    .command("revoke")
    .description("Revoke a client key: it is refused at once")
    .argument("<key>", "name or id")
    .option("--json", "print JSON")
    .action(async (nameOrId: string, options: JsonOption) => {
      const revoked = await client.remove(`/api/keys/${segment(nameOrId)}`, keySchema);
      emit(io, options.json === true, revoked, ({ id, name }) => `Revoked key "${name}" (${id})`);
    });
}

function addCreate(key: Command, io: CliIo, client: AdminClient): void {
  key
    .command("create")
    .description("Create a client key and print it, once")
    .argument("<name>", "1 to 64 characters of A-Z, a-z, 0-9, dot, underscore, hyphen")
    .option("--expires <span>", "after how long it is refused, at most 365d, or never (default: 90d)", parseExpiry)
    .option(
      "--scope <name>",
      `one of ${keyScopeSchema.options.join(", ")}; repeat for more (default: all but passthrough)`,
      collect,
    )
    .option(
      "--model <id>",
      'a model it may use, or the beginning of one and "*"; repeat for more (default: all)',
      collect,
    )
    .option("--from <network>", "an IP address or range it may be used from; repeat for more (default: all)", collect)
    .option("--requests-per-minute <count>", "or none (default: none)", parseLimit)
    .option(
      "--input-tokens-per-minute <count>",
      "without what is read from a cache, or none (default: none)",
      parseLimit,
    )
    .option("--output-tokens-per-minute <count>", "or none (default: none)", parseLimit)
    .option("--concurrency <count>", "requests at one time, or none (default: none)", parseLimit)
    .option("--json", "print JSON")
    .addHelpText("after", CREATE_EXAMPLES)
    .action(async (name: string, options: CreateOptions) => {
      const created = await client.post("/api/keys", createdKeySchema, bodyOf(name, options));
      emitKey(io, options, created);
    });
}

function addRotate(key: Command, io: CliIo, client: AdminClient): void {
  key
    .command("rotate")
    .description("Put a new key in the place of one, with the same rights and limits, and print it, once")
    .argument("<key>", "name or id")
    .option(
      "--overlap <span>",
      "how long the old key goes on to be accepted, at most 24h, or none (default: 1h)",
      parseOverlap,
    )
    .option("--json", "print JSON")
    .action(async (nameOrId: string, options: JsonOption & { overlap?: string }) => {
      const body: RotateKey = options.overlap === undefined ? {} : { overlap: options.overlap };
      emitKey(io, options, await client.post(`/api/keys/${segment(nameOrId)}/rotate`, createdKeySchema, body));
    });
}

function emitKey(io: CliIo, options: JsonOption, created: CreatedKeyWire): void {
  emit(io, options.json === true, created, (made) => made.key);
  if (options.json !== true) {
    io.stderr(`Created key "${created.name}" (${created.id}). It is not kept and cannot be shown again\n`);
  }
}

function bodyOf(name: string, options: CreateOptions): CreateKey {
  const limits = {
    ...given("requestsPerMinute", options.requestsPerMinute),
    ...given("inputTokensPerMinute", options.inputTokensPerMinute),
    ...given("outputTokensPerMinute", options.outputTokensPerMinute),
    ...given("concurrency", options.concurrency),
  };
  return {
    name,
    ...given("expiresIn", options.expires),
    ...given(
      "scopes",
      options.scope?.map((scope) => scopeOf(scope)),
    ),
    ...given("models", options.model),
    ...given("networks", options.from),
    ...(Object.keys(limits).length === 0 ? {} : { limits }),
  };
}

function given<Name extends string, Value>(name: Name, value: Value | undefined): { [Key in Name]?: Value } {
  return value === undefined ? {} : ({ [name]: value } as { [Key in Name]: Value });
}

function scopeOf(text: string): NonNullable<CreateKey["scopes"]>[number] {
  const scope = keyScopeSchema.safeParse(text);
  if (scope.success) return scope.data;
  throw new InvalidArgumentError(`It must be one of ${keyScopeSchema.options.join(", ")}.`);
}

export function parseSpan(text: string): string {
  if (spanMs(text) !== null) return text;
  throw new InvalidArgumentError("It must be a whole number and one of s, m, h, d, w, like 24h.");
}

function parseExpiry(text: string): string {
  return text === "never" ? text : parseSpan(text);
}

function parseOverlap(text: string): string {
  return text === "none" ? text : parseSpan(text);
}

function collect(text: string, before: string[] | undefined): string[] {
  return [...(before ?? []), text];
}

function parseLimit(text: string): Limit {
  if (text === "none") return text;
  if (/^[1-9][0-9]{0,9}$/.test(text)) return Number(text);
  throw new InvalidArgumentError("It must be a whole number from 1, or none.");
}

function renderKeys(keys: readonly KeyWire[]): string {
  if (keys.length === 0) return "No client keys yet";
  const rows = keys.map((key) => [
    key.name,
    key.id,
    key.state,
    shortInstant(key.createdAt),
    shortInstant(key.expiresAt),
    shortInstant(key.lastUsedAt),
  ]);
  return renderTable(["NAME", "ID", "STATE", "CREATED (UTC)", "EXPIRES (UTC)", "LAST USED (UTC)"], rows);
}

function renderKey(key: KeyWire): string {
  const { limits } = key;
  return renderFields([
    ["Name", key.name],
    ["Id", key.id],
    ["State", key.state],
    ["Owner", key.ownerId ?? "the operator"],
    ["Scopes", key.scopes?.join(", ") ?? "all but passthrough"],
    ["Models", key.models?.join(", ") ?? "all"],
    ["From", key.networks?.join(", ") ?? "everywhere"],
    ["Requests a minute", limitText(limits.requestsPerMinute)],
    ["Input tokens a minute", limitText(limits.inputTokensPerMinute)],
    ["Output tokens a minute", limitText(limits.outputTokensPerMinute)],
    ["Requests at one time", limitText(limits.concurrency)],
    ["Rotated to", orDash(key.rotatedTo)],
    ["Created (UTC)", shortInstant(key.createdAt)],
    ["Expires (UTC)", shortInstant(key.expiresAt)],
    ["Revoked (UTC)", shortInstant(key.revokedAt)],
    ["Last used (UTC)", shortInstant(key.lastUsedAt)],
  ]);
}

function limitText(limit: number | null): string {
  return limit === null ? "no limit" : String(limit);
}
