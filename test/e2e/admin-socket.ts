import { join } from "node:path";
import type { GatewayProcess, LedgerLine } from "./gateway-process.ts";

/** `account list --json`, the fields that tests read. */
export type AccountLine = {
  readonly name: string;
  readonly state: string;
  readonly until: string | null;
  readonly reason: string | null;
  readonly windows: readonly {
    readonly name: string;
    readonly modelClass: string | null;
    readonly status: string | null;
    readonly limit: number | null;
    readonly remaining: number | null;
    readonly usedRatio: number | null;
    readonly resetAt: string | null;
  }[];
};

export type NewAccount = {
  readonly name: string;
  readonly baseUrl: string;
  readonly credential: string;
  readonly credentialKind: "api_key" | "bearer";
  readonly priority: number;
  readonly organization?: string;
};

/** What the CLI does through the Unix socket, without a process per command. */
export interface AdminSocket {
  addAccount(account: NewAccount): Promise<void>;
  accounts(): Promise<readonly AccountLine[]>;
  removeAccount(name: string): Promise<void>;
  request(id: string): Promise<DatedLine>;
  /** The last request that began, or null. */
  newest(): Promise<DatedLine | null>;
}

export type DatedLine = LedgerLine & { readonly startedAt: string };

export function adminSocket(gateway: GatewayProcess): AdminSocket {
  async function call<Value>(method: string, path: string, body?: object): Promise<Value> {
    const answer = await fetch(`http://localhost/api${path}`, {
      method,
      unix: join(gateway.dataDir, "control.sock"),
      ...(body === undefined ? {} : { headers: { "content-type": "application/json" }, body: JSON.stringify(body) }),
    });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`Cannot ${method} ${path}: ${answer.status} ${text}`);
    return JSON.parse(text);
  }
  return {
    addAccount: async (account) => void (await call("POST", "/accounts", { provider: "anthropic", ...account })),
    accounts: () => call("GET", "/accounts"),
    removeAccount: async (name) => void (await call("DELETE", `/accounts/${encodeURIComponent(name)}`)),
    request: (id) => call("GET", `/requests/${id}`),
    async newest() {
      const [line] = await call<readonly DatedLine[]>("GET", "/requests?limit=1");
      return line ?? null;
    },
  };
}
