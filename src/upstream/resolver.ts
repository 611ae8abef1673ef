import { lookup } from "node:dns/promises";
import { err, ok, type Result } from "../kernel/result.ts";
import { type AddressPolicy, mayDial } from "./public-address.ts";

/** All addresses of a name, in the order of preference. Rejects when the name does not resolve. */
export type Resolve = (hostname: string) => Promise<readonly string[]>;

export type ResolveProblem = {
  readonly kind: "connect" | "address_refused";
  readonly detail: string;
};

export type Resolver = (hostname: string) => Promise<Result<readonly string[], ResolveProblem>>;

export type ResolverOptions = {
  readonly resolve: Resolve;
  readonly addresses: AddressPolicy;
  /** Monotonic milliseconds. */
  readonly nowMs: () => number;
};

const CACHE_MS = 30_000;
const LOOKUP_MS = 10_000;
const MAX_CACHED_NAMES = 256;
/** More answers are checked all the same; connecting tries only the first few. */
const MAX_ADDRESSES = 8;

type Entry = {
  readonly answer: Promise<Result<readonly string[], ResolveProblem>>;
  expiresAtMs: number;
};

/** The system's resolver: hosts file, search order and all. */
export async function resolveBySystem(hostname: string): Promise<readonly string[]> {
  const answers = await lookup(hostname, { all: true, order: "verbatim" });
  return answers.map((answer) => answer.address);
}

/**
 * Resolves names to addresses that may be dialled. One address that may not be dialled among the answers refuses
 * the name: a resolver that mixes them is under someone's control. Answers live at most 30 s, failures not at all;
 * callers of one name share one look-up, which may take at most 10 s. Never rejects. At most 8 addresses are returned.
 */
export function createResolver(options: ResolverOptions): Resolver {
  const cache = new Map<string, Entry>();
  return (hostname) => {
    const nowMs = options.nowMs();
    const cached = cache.get(hostname);
    if (cached !== undefined && nowMs < cached.expiresAtMs) return cached.answer;
    cache.delete(hostname);
    if (cache.size >= MAX_CACHED_NAMES) {
      for (const oldest of cache.keys()) {
        cache.delete(oldest);
        break;
      }
    }
    const answer = resolveOnce(hostname, options);
    const entry: Entry = { answer, expiresAtMs: nowMs + CACHE_MS };
    cache.set(hostname, entry);
    void answer.then((result) => {
      if (!result.ok && cache.get(hostname) === entry) cache.delete(hostname);
    });
    return answer;
  };
}

async function resolveOnce(
  hostname: string,
  { resolve, addresses: policy }: ResolverOptions,
): Promise<Result<readonly string[], ResolveProblem>> {
  const answers = await answersWithin(resolve, hostname);
  if (!answers.ok) return err({ kind: "connect", detail: answers.error });
  const addresses = answers.value;
  if (addresses.length === 0) return err({ kind: "connect", detail: "the name has no address" });
  if (!addresses.every((address) => mayDial(address, true, policy))) {
    return err({ kind: "address_refused", detail: "the name resolves to an address that is not public" });
  }
  return ok(alternateFamilies(addresses).slice(0, MAX_ADDRESSES));
}

async function answersWithin(resolve: Resolve, hostname: string): Promise<Result<readonly string[], string>> {
  let timer: Timer | undefined;
  const tooLate = new Promise<Result<readonly string[], string>>((settle) => {
    timer = setTimeout(() => settle(err(`the name did not resolve within ${LOOKUP_MS} ms`)), LOOKUP_MS);
    timer.unref();
  });
  try {
    return await Promise.race([resolve(hostname).then(ok), tooLate]);
  } catch (error) {
    return err(`the name does not resolve (${codeOf(error)})`);
  } finally {
    clearTimeout(timer);
  }
}

/** So that one dead family costs one attempt, not all. @see RFC 8305 section 4 */
function alternateFamilies(addresses: readonly string[]): readonly string[] {
  const unique = [...new Set(addresses)];
  const isV6First = unique[0]?.includes(":") ?? false;
  const first = unique.filter((address) => address.includes(":") === isV6First);
  const second = unique.filter((address) => address.includes(":") !== isV6First);
  return first
    .flatMap((address, index) => {
      const other = second[index];
      return other === undefined ? [address] : [address, other];
    })
    .concat(second.slice(first.length));
}

/** The error's code, which never holds more than upper-case words; messages may hold anything. */
export function codeOf(error: unknown): string {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  return typeof code === "string" && /^[A-Z0-9_]{1,64}$/.test(code) ? code : "unknown reason";
}
