import type { SelectionRule } from "../domain/selection/choice.ts";
import { DEFAULT_STRATEGY, STRATEGIES, type StrategyName } from "../domain/selection/strategy-name.ts";
import { err, ok, type Result } from "../kernel/result.ts";
import { currentActor } from "./acting.ts";
import type { AuditedChanges } from "./audit-port.ts";
import type { SettingStore } from "./ports.ts";
import { type Refusal, refusal } from "./refusal.ts";

/** configuration: given by env or file, and not to be changed while the gateway runs. stored: by `strategy set`. */
export type StrategySource = "configuration" | "stored" | "default";

export type StrategyReport = {
  readonly name: StrategyName;
  readonly source: StrategySource;
  /** What gives it, when the configuration does: "LB_STRATEGY". */
  readonly givenBy: string | null;
};

export type SelectionService = {
  /** Reads what was stored once, before the listener opens. A stored name that is no strategy counts as none. */
  load(): Promise<void>;
  // hot path
  rule(): SelectionRule;
  strategy(): StrategyReport;
  /** Stored first; the next request is chosen by it, conversations keep their homes. */
  setStrategy(name: string): Promise<Result<StrategyReport, Refusal>>;
};

export type SelectionNeeds = {
  /** Only read; what changes goes through `changes`. */
  readonly store: Pick<SettingStore, "get">;
  readonly changes: AuditedChanges;
  /** As configured; `strategy` counts only when `strategyGivenBy` names who gave it. */
  readonly rule: SelectionRule;
  readonly strategyGivenBy: string | null;
};

const STRATEGY_KEY = "selection.strategy";

export function createSelectionService(needs: SelectionNeeds): SelectionService {
  const { store, changes, rule: configured, strategyGivenBy } = needs;
  let report: StrategyReport =
    strategyGivenBy === null
      ? { name: DEFAULT_STRATEGY, source: "default", givenBy: null }
      : { name: configured.strategy, source: "configuration", givenBy: strategyGivenBy };
  let rule: SelectionRule = { ...configured, strategy: report.name };

  const take = (name: StrategyName): StrategyReport => {
    report = { name, source: "stored", givenBy: null };
    rule = { ...configured, strategy: name };
    return report;
  };

  return {
    async load() {
      if (strategyGivenBy !== null) return;
      const stored = await store.get(STRATEGY_KEY);
      if (stored !== null && isStrategy(stored)) take(stored);
    },
    rule: () => rule,
    strategy: () => report,
    async setStrategy(name) {
      if (!isStrategy(name)) return err(unknownStrategy(name));
      if (strategyGivenBy !== null) return err(fixedStrategy(report.name, strategyGivenBy));
      await changes.change(
        {
          code: "CFG001I",
          actor: currentActor(),
          object: { type: "setting", id: STRATEGY_KEY, name: null },
          before: { strategy: report.name },
          after: { strategy: name },
        },
        ({ settings }) => settings.set(STRATEGY_KEY, name),
      );
      return ok(take(name));
    },
  };
}

function isStrategy(text: string): text is StrategyName {
  return STRATEGIES.some((name) => name === text);
}

function unknownStrategy(name: string): Refusal {
  const quoted = JSON.stringify(name.slice(0, 80));
  return refusal("strategy_unknown", `Cannot set strategy ${quoted}: it is none of ${STRATEGIES.join(", ")}`, "name");
}

function fixedStrategy(name: StrategyName, givenBy: string): Refusal {
  const fact = `${givenBy} gives ${name}; change it there, or remove it and start the gateway again`;
  return refusal("strategy_fixed", `Cannot set the strategy: ${fact}`, "name");
}
