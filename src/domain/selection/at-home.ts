import { assertNever } from "../../kernel/result.ts";
import { isCacheAlive, type MoveKind, movePriceMicroUsd } from "../affinity/move.ts";
import { hasJustFailed } from "../pool/origin-circuit.ts";
import { getEntry } from "../pool/sharded-map.ts";
import { lastResort, useOf } from "./anew.ts";
import { type Asking, bestOf, firstOf, surveyAll } from "./asking.ts";
import type { Choice, Move, Use } from "./choice.ts";
import { type Away, isSpill, isWorthWaiting } from "./home-rule.ts";
import { type Lodging, warmth } from "./lodging.ts";
import { type Circle, type Entry, kindOf } from "./roster.ts";
import { look, type Standing, type Unusable } from "./standing.ts";
import { hasRoom } from "./strategies.ts";
import { type Accept, earlier, everyone, type Survey, survey } from "./survey.ts";

/** An account that could take the conversation, and what that costs. */
type Target = { readonly entry: Entry; readonly kind: MoveKind; readonly priceMicroUsd: number };

type Leaving = {
  readonly asking: Asking;
  readonly lodging: Lodging;
  readonly guest: Lodging | null;
  /** The home as it is now. */
  readonly now: Standing | Unusable;
  readonly isTried: boolean;
  readonly away: Away;
};

/** Nearer ones first: what a move loses grows from one to the next. */
const KINDS: readonly MoveKind[] = ["same_cache", "same_organization", "other_organization", "other_platform"];
const KINDS_AT_HOME: readonly MoveKind[] = ["same_cache", "same_organization"];

/**
 * The home, if it has room. With nothing in its cache it gives way to an account of a better tier. With a dead cache any account of its organization is as good: thinking is bound to the
 * organization (protocol P21, P22). Else wait for it, or leave it, whatever is cheaper.
 * @param guest where the conversation was served last while it was away from home
 */
// hot path
export function chooseForHome(asking: Asking, lodging: Lodging, guest: Lodging | null): Choice {
  const { view, roster } = asking;
  const { home, entry } = lodging;
  const now = look(view, entry);
  const isTried = view.question.tried.has(entry.account.id);
  const circle = roster.organizationOf(entry);
  const isAlive = isCacheAlive(home, view.question.nowMs);
  const better = isAlive && home.prefixTokens > 0 ? null : betterTier(asking, lodging);
  if (better !== null) {
    const move = { from: entry.account.id, kind: kindOf(entry, better), priceMicroUsd: 0, homeReturnsAtMs: null };
    return useOf(asking, better, { why: "home_moved", move: { ...move, setsHome: true } });
  }
  if (now.usable && hasRoom(now) && !isTried && (isAlive || circle.entries.length === 1)) {
    return useOf(asking, entry, { why: "home", move: null });
  }
  const near = isAlive ? null : bestOf(asking, circle, (other) => KINDS_AT_HOME.includes(kindOf(entry, other)));
  if (near?.entry === entry) {
    return useOf(asking, entry, { why: "home", move: null });
  }
  const away = awayOf(now, isTried);
  const leaving: Leaving = { asking, lodging, guest, now, isTried, away };
  return near === null ? leave(leaving) : go(leaving, targetOf(leaving, near.entry), null);
}

/**
 * Where the operator wants the conversation, once it may be there again: a lower tier was only for the while. One that
 * had a cache has thinking too, and stays in its organization.
 */
// hot path
function betterTier(asking: Asking, { home, entry }: Lodging): Entry | null {
  const { roster, rule } = asking;
  const { priority } = entry.account;
  const best = roster.all.entries[0];
  if (best === undefined || best.account.priority >= priority) {
    return null;
  }
  const isFree = home.prefixTokens === 0 && rule.crossOrganization === "allow";
  const isAllowed: Accept = (other) =>
    other.account.priority < priority && (isFree || KINDS_AT_HOME.includes(kindOf(entry, other)));
  return firstOf(asking, roster.all, isAllowed)?.entry ?? null;
}

function awayOf(now: Standing | Unusable, isTried: boolean): Away {
  if (!now.usable) {
    return { untilMs: now.untilMs, servesOthers: false };
  }
  return isTried || now.rank === "probe"
    ? { untilMs: null, servesOthers: true }
    : { untilMs: now.fullUntilMs, servesOthers: true };
}

function leave(leaving: Leaving): Choice {
  const { asking, lodging, now, isTried } = leaving;
  const target =
    behindAnotherUpstream(leaving) ??
    nearest(leaving, ["same_cache"]) ??
    guestTarget(leaving) ??
    nearest(leaving, kindsOf(leaving));
  const isHomeProbe = now.usable && now.rank === "probe" && !isTried;
  if (isHomeProbe && (target === null || target.priceMicroUsd > 0)) {
    // A test costs one refused request at worst; a move costs its price for certain.
    return useOf(asking, lodging.entry, { why: "probe", move: null });
  }
  return target === null ? stay(leaving) : waitOrGo(leaving, target, null);
}

/** Nobody else has room. Of full accounts the home is the best: it has the cache. */
function stay(leaving: Leaving): Choice {
  const { asking, lodging, now, isTried, away } = leaving;
  const others = surveysOf(leaving);
  const probe = others.find((each) => each.probe !== null)?.probe ?? null;
  if (probe !== null) {
    return waitOrGo(leaving, targetOf(leaving, probe.entry), "probe");
  }
  const full = others.find((each) => each.full !== null)?.full ?? null;
  const isBehindCircuit = !now.usable && !isTried && now.reason === "origin_circuit_open";
  const found: Survey = {
    best: null,
    probe: null,
    full: now.usable && !isTried ? now : full,
    returnsAtMs: others
      .map((each) => earlier(each.returnsAtMs, each.full?.fullUntilMs ?? null))
      .reduce(earlier, away.untilMs),
    isAnyUsable: now.usable || others.some((each) => each.isAnyUsable),
    behindCircuit: isBehindCircuit
      ? lodging.entry
      : (others.find((each) => each.behindCircuit !== null)?.behindCircuit ?? null),
  };
  const choice = lastResort(asking, found, (entry, reason) =>
    entry === lodging.entry
      ? useOf(asking, entry, { why: reason ?? "home", move: null })
      : go(leaving, targetOf(leaving, entry), reason),
  );
  return choice.kind === "wait" && choice.untilMs === away.untilMs ? { ...choice, why: "home_returns" } : choice;
}

function waitOrGo(leaving: Leaving, target: Target, why: "probe" | null): Choice {
  const { asking, away } = leaving;
  const cost = { away, priceMicroUsd: target.priceMicroUsd };
  if (away.untilMs !== null && isWorthWaiting(cost, asking.rule, asking.view.question)) {
    return { kind: "wait", untilMs: away.untilMs, why: "home_returns", move: moveOf(leaving, target) };
  }
  return go(leaving, target, why);
}

function go(leaving: Leaving, target: Target, why: "probe" | "last_origin" | null): Use {
  const move = moveOf(leaving, target);
  return useOf(leaving.asking, target.entry, { why: why ?? (move.setsHome ? "home_moved" : "spill"), move });
}

function moveOf({ asking, lodging, away }: Leaving, { kind, priceMicroUsd }: Target): Move {
  return {
    from: lodging.home.accountId,
    kind,
    priceMicroUsd,
    homeReturnsAtMs: away.untilMs,
    setsHome: !isSpill(lodging.home, away, asking.view.question.nowMs),
  };
}

/** Whoever serves a spill serves the next ones too: its cache has the conversation by then, so that it costs nothing. */
function guestTarget({ asking, lodging, guest }: Leaving): Target | null {
  const { view, rule } = asking;
  const { question } = view;
  if (guest === null || !isCacheAlive(guest.home, question.nowMs) || question.tried.has(guest.entry.account.id)) {
    return null;
  }
  const kind = kindOf(lodging.entry, guest.entry);
  const isAllowed = rule.crossOrganization === "allow" || KINDS_AT_HOME.includes(kind);
  const found = isAllowed ? look({ ...view, warm: warmth(question, guest) }, guest.entry) : null;
  return found?.usable === true && hasRoom(found) ? { entry: guest.entry, kind, priceMicroUsd: 0 } : null;
}

/** The home's upstream has just failed this request: its other accounts would fail as well (demand D4). */
function behindAnotherUpstream(leaving: Leaving): Target | null {
  const { asking, lodging, isTried } = leaving;
  const { pool, nowMs } = asking.view.question;
  const { baseUrl } = lodging.entry.account;
  const isFailing = isTried && hasJustFailed(getEntry(pool.origins, baseUrl), nowMs);
  return isFailing ? nearest(leaving, kindsOf(leaving), (other) => other.account.baseUrl !== baseUrl) : null;
}

function nearest(leaving: Leaving, kinds: readonly MoveKind[], isAlso: Accept = everyone): Target | null {
  for (const kind of kinds) {
    const isKind = acceptOf(leaving, kind);
    const best = bestOf(leaving.asking, circleOf(leaving, kind), (other) => isKind(other) && isAlso(other));
    if (best !== null) {
      return targetOf(leaving, best.entry);
    }
  }
  return null;
}

/** Everyone but the home, nearer ones first. */
function surveysOf(leaving: Leaving): readonly Survey[] {
  const { view, rule } = leaving.asking;
  if (rule.crossOrganization === "allow") {
    const all = surveyAll(leaving.asking);
    if (!all.isAnyUsable) {
      return [all];
    }
  }
  return kindsOf(leaving).map((kind) =>
    survey(view, circleOf(leaving, kind).entries, { strategy: rule.strategy, accept: acceptOf(leaving, kind) }),
  );
}

function kindsOf({ asking }: Leaving): readonly MoveKind[] {
  return asking.rule.crossOrganization === "allow" ? KINDS : KINDS_AT_HOME;
}

function circleOf({ asking: { roster }, lodging: { entry } }: Leaving, kind: MoveKind): Circle {
  switch (kind) {
    case "same_cache":
    case "same_organization":
      return roster.organizationOf(entry);
    case "other_organization":
      return roster.platformOf(entry);
    case "other_platform":
      return roster.all;
    default:
      return assertNever(kind);
  }
}

function acceptOf({ lodging: { entry } }: Leaving, kind: MoveKind): Accept {
  return (other) => other !== entry && kindOf(entry, other) === kind;
}

function targetOf({ asking, lodging }: Leaving, entry: Entry): Target {
  const { model, nowMs } = asking.view.question;
  const kind = kindOf(lodging.entry, entry);
  return { entry, kind, priceMicroUsd: movePriceMicroUsd(lodging.home, { model, kind }, nowMs) };
}
