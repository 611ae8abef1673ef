import { type Ask, ask, codeOf, PASSWORD, type Person, personOf, type Told } from "./admin-client.ts";
import { type GatewayOptions, type GatewayProcess, startGateway } from "./gateway-process.ts";

export type RoleName = "member" | "operator" | "auditor" | "admin" | "owner";

/** A gateway as it runs, with people who signed in as people do. */
export interface AdminWorld {
  readonly gateway: GatewayProcess;
  readonly owner: Person;
  ask(asked: Ask): Promise<Told>;
  /** Created by the owner, signed in, with a password of their own and, where the role asks for it, a second factor. */
  join(name: string, role: RoleName): Promise<Person>;
  /** The text of a new admin token of this person. */
  token(person: Person, name: string): Promise<string>;
  stop(): Promise<void>;
}

const GIVEN = "twelve brown horses in a field";

export async function startAdminWorld(options: GatewayOptions = {}): Promise<AdminWorld> {
  const gateway = await startGateway(options);
  const asked = (request: Ask) => ask(gateway, request);
  const secret = /bccf_st_[0-9A-Za-z]+/.exec(gateway.output())?.[0] ?? "";
  const body = { secret, name: "olivia", password: PASSWORD };
  const set = must(await asked({ method: "POST", path: "/auth/setup", body }));
  const owner = await enrol(asked, personOf(set, { password: PASSWORD, seed: null }));
  const world: AdminWorld = {
    gateway,
    owner,
    ask: asked,
    async join(name, role) {
      const draft = { name, role, password: GIVEN };
      must(await asked({ method: "POST", path: "/api/users", as: owner, body: draft }));
      const login = must(await asked({ method: "POST", path: "/auth/login", body: { name, password: GIVEN } }));
      const first = personOf(login, { password: GIVEN, seed: null });
      const change = { current: GIVEN, next: PASSWORD };
      const changed = must(await asked({ method: "POST", path: "/auth/password", as: first, body: change }));
      const person = personOf(changed, { password: PASSWORD, seed: null });
      return role === "admin" || role === "owner" ? enrol(asked, person) : person;
    },
    async token(person, name) {
      const made = must(await asked({ method: "POST", path: "/api/tokens", as: person, body: { name } }));
      return JSON.parse(made.text).token;
    },
    async stop() {
      await gateway.stop();
    },
  };
  return world;
}

async function enrol(asked: AdminWorld["ask"], person: Person): Promise<Person> {
  const begun = must(await asked({ method: "POST", path: "/auth/totp", as: person }));
  const seed: string = JSON.parse(begun.text).secret;
  const body = { code: codeOf(seed) };
  const confirmed = must(await asked({ method: "POST", path: "/auth/totp/confirm", as: person, body }));
  return personOf(confirmed, { password: person.password, seed });
}

export function must(answer: Told): Told {
  if (answer.status >= 300) throw new Error(`Cannot go on: ${answer.status} ${answer.text}`);
  return answer;
}

export type RouteLine = {
  readonly method: string;
  readonly path: string;
  readonly plane: "data" | "own" | "admin";
  readonly auth: string;
  readonly permission: readonly string[];
  readonly csrf: string;
  readonly stepUp: boolean;
};

export function routesOf(gateway: GatewayProcess): Promise<readonly RouteLine[]> {
  return gateway.json(["routes"]);
}

/** A path that fits: each parameter is something that does not exist. */
export function pathOf({ path }: Pick<RouteLine, "path">): string {
  return path.replace(/\{[A-Za-z]+\}/g, "nothing-of-this-name");
}
