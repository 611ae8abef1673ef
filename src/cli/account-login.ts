import type { Command } from "commander";
import { addedAccountSchema } from "../contract/accounts.ts";
import { type BeginLogin, type BegunLoginWire, begunLoginSchema } from "../contract/logins.ts";
import { type AdminClient, segment } from "./admin-client.ts";
import { CliFailure, type CliIo, EXIT, emit } from "./cli-io.ts";
import { listenForRedirect, type Redirected, type RedirectListener } from "./redirect-listener.ts";
import { printable } from "./table.ts";

export type LoginOptions = {
  readonly oauth?: boolean;
  readonly clientId?: string;
  readonly authorizeUrl?: string;
  readonly tokenUrl?: string;
  readonly scope?: readonly string[];
  readonly redirectUri?: string;
  readonly loopback?: boolean;
  readonly acceptTerms?: boolean;
  readonly json?: boolean;
};

type Reach = { readonly io: CliIo; readonly client: AdminClient };
type AccountFields = Omit<
  BeginLogin,
  "clientId" | "authorizeUrl" | "tokenUrl" | "scopes" | "redirectUri" | "acceptTerms"
>;

const REAUTH_EXAMPLES = `
Examples:
  account reauth work
  account reauth work --loopback`;

/** The options of \`account add\` that belong to a login. */
export function addLoginOptions(command: Command): Command {
  return command
    .option("--oauth", "log in with OAuth 2.0 and PKCE; the tokens then renew themselves")
    .option("--client-id <id>", "with --oauth: registered by you with the provider (default: CLIENT_ID of the gateway)")
    .option("--authorize-url <url>", "with --oauth: where the owner logs in")
    .option("--token-url <url>", "with --oauth: where codes and refresh tokens go")
    .option("--scope <scope>", "with --oauth: what to ask for; may be given several times", collect)
    .option("--redirect-uri <uri>", "with --oauth: as registered, when the provider wants it named")
    .option("--loopback", "with --oauth: the browser comes back to 127.0.0.1 on a free port; nothing to paste")
    .option("--accept-terms", "with --oauth: you confirm that the provider's terms allow this use of the account");
}

export function addReauthCommand(account: Command, reach: Reach): void {
  account
    .command("reauth")
    .description("Log an account in again; it keeps its id, name and history")
    .argument("<account>", "name or id")
    .option("--redirect-uri <uri>", "as registered, when the provider wants it named")
    .option("--loopback", "the browser comes back to 127.0.0.1 on a free port; nothing to paste")
    .option("--json", "print JSON")
    .addHelpText("after", REAUTH_EXAMPLES)
    .action((nameOrId: string, options: LoginOptions) =>
      logIn(options, reach, (redirectUri) =>
        reach.client.post(`/api/accounts/${segment(nameOrId)}/logins`, begunLoginSchema, {
          ...(redirectUri === null ? {} : { redirectUri }),
        }),
      ),
    );
}

export async function addByLogin(fields: AccountFields, options: LoginOptions, reach: Reach): Promise<void> {
  const { clientId, authorizeUrl, tokenUrl } = options;
  if (authorizeUrl === undefined || tokenUrl === undefined) {
    throw new CliFailure(EXIT.usage, "Cannot add account: --oauth needs --authorize-url and --token-url");
  }
  if (options.acceptTerms !== true) {
    const fact = "you must confirm that the provider's terms allow this use of the account";
    throw new CliFailure(EXIT.usage, `Cannot add account: ${fact}`, "give --accept-terms");
  }
  const body = { ...fields, authorizeUrl, tokenUrl, scopes: [...(options.scope ?? [])], acceptTerms: true };
  await logIn(options, reach, (redirectUri) =>
    reach.client.post("/api/logins", begunLoginSchema, {
      ...body,
      ...(clientId === undefined ? {} : { clientId }),
      ...(redirectUri === null ? {} : { redirectUri }),
    }),
  );
}

type Begin = (redirectUri: string | null) => Promise<BegunLoginWire>;

async function logIn(options: LoginOptions, reach: Reach, begin: Begin): Promise<void> {
  if (options.loopback === true && options.redirectUri !== undefined) {
    throw new CliFailure(EXIT.usage, "Cannot log in: give only one of --loopback and --redirect-uri");
  }
  const listener = options.loopback === true ? listenForRedirect() : null;
  try {
    const begun = await begin(listener?.redirectUri ?? options.redirectUri ?? null);
    const { code, state } = await answerOf(begun, listener, reach.io);
    const body = { session: begun.session, code, state };
    const account = await reach.client.post("/api/logins/finish", addedAccountSchema, body);
    const done = ({ name, id, modelCount }: typeof account) =>
      `Logged in account "${name}" (${id}); ${modelCount} models`;
    emit(reach.io, options.json === true, account, done);
    if (account.warning !== null) reach.io.stderr(`warning: ${printable(account.warning)}\n`);
  } finally {
    listener?.stop();
  }
}

async function answerOf(begun: BegunLoginWire, listener: RedirectListener | null, io: CliIo): Promise<Redirected> {
  io.stderr(`Open this address in the owner's browser, within 10 minutes:\n\n  ${begun.authorizeUrl}\n\n`);
  if (listener !== null) return listener.redirected();
  const question = "What the provider shows then, or the address it leads to (not shown): ";
  const text = io.isTty ? await io.ask(question, { isHidden: true }) : await io.stdin();
  const answer = parsePasted(text.trim());
  if (answer !== null) return answer;
  const fact = "paste the whole address with its code and state, or both as CODE#STATE";
  throw new CliFailure(EXIT.refused, `Cannot read the answer: ${fact}`);
}

/** `https://.../callback?code=C&state=S`, or `C#S`, as some providers show it. */
export function parsePasted(text: string): Redirected | null {
  const url = URL.parse(text);
  const [code, state] =
    url !== null && /^https?:$/.test(url.protocol)
      ? [url.searchParams.get("code"), url.searchParams.get("state")]
      : text.split("#");
  return code && state ? { code, state } : null;
}

function collect(scope: string, before: readonly string[] | undefined): readonly string[] {
  return [...(before ?? []), ...scope.split(/[\s,]+/).filter((word) => word !== "")];
}
