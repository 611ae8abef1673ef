import type { PeopleStores } from "../../control/people-ports.ts";
import type { WriteHandle } from "../schema.ts";
import { createSignInStore } from "./sign-in-store.ts";
import { createSetupStore, createTokenStore } from "./token-store.ts";
import { createUserSessionStore } from "./user-session-store.ts";
import { createUserStore } from "./user-store.ts";

export function createPeopleStores(db: WriteHandle): PeopleStores {
  return {
    users: createUserStore(db),
    sessions: createUserSessionStore(db),
    signIns: createSignInStore(db),
    tokens: createTokenStore(db),
    setup: createSetupStore(db),
  };
}
