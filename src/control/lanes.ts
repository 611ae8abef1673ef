import { err, ok, type Result } from "../kernel/result.ts";

/** Work of one key is done one after the other, of different keys side by side. */
export type Lanes = {
  /** busy: `maxWaiting` wait for this key already. */
  run<Value>(key: string, work: () => Promise<Value>): Promise<Result<Value, "busy">>;
};

type Lane = { last: Promise<unknown>; count: number };

/** A key costs memory only while something of it is under way. */
export function createLanes(maxWaiting: number): Lanes {
  const lanes = new Map<string, Lane>();
  return {
    async run(key, work) {
      const lane = lanes.get(key) ?? { last: Promise.resolve(), count: 0 };
      if (lane.count > maxWaiting) return err("busy");
      lanes.set(key, lane);
      lane.count += 1;
      const turn = lane.last.then(work);
      lane.last = turn.catch(() => undefined);
      try {
        return ok(await turn);
      } finally {
        lane.count -= 1;
        if (lane.count === 0) lanes.delete(key);
      }
    },
  };
}
