import { expect, test } from "bun:test";
import { modelClassOf } from "../account/model-class.ts";
import { subjectOf } from "../pool/pool-event.ts";
import { account, at, benched, conversation, createScene, MODEL, opus, told } from "./scene-for-tests.ts";

const many = Array.from({ length: 1_000 }, (_, index) => account(`n${String(index).padStart(4, "0")}`));
const [first, second] = many;

test("a list that is stale never yields an account that was benched since", () => {
  const scene = createScene(many);
  expect(told(scene.choose())).toBe("strategy n0000");
  for (const one of many.slice(0, 500)) {
    scene.learn(benched(one, 60));
  }
  expect(told(scene.choose())).toBe("strategy n0500");
  for (const one of many.slice(500)) {
    scene.learn(benched(one, 90));
  }
  expect(told(scene.choose())).toBe("wait all_rest 60");
  scene.seconds = 60;
  expect(told(scene.choose())).toBe("strategy n0000");
});

test("a list is made anew when an account changes", () => {
  const scene = createScene(many);
  scene.choose();
  scene.accounts = many.map((one) => (one === first ? { ...one, isPaused: true } : one));
  expect(told(scene.choose())).toBe("strategy n0001");
  scene.accounts = many;
  expect(told(scene.choose())).toBe("strategy n0000");
});

test("an account that others tried or may not use stays on the list for the rest", () => {
  const scene = createScene(many);
  scene.choose();
  const tried = new Set(many.slice(0, 20).map(({ id }) => id));
  expect(told(scene.choose({ tried }))).toBe("strategy n0020");
  expect(told(scene.choose())).toBe("strategy n0000");
});

test("accounts take turns in the very order of a small pool", () => {
  const scene = createScene(many);
  const names = Array.from({ length: 50 }, () => scene.start({}, { strategy: "round-robin" }).name);
  expect(names).toEqual(many.slice(0, 50).map(({ name }) => name));
});

test("whoever was used sinks, so that a crowd spreads before any answer", () => {
  const scene = createScene(many);
  const names = Array.from({ length: 300 }, (_, index) => scene.start({ conversation: conversation(`${index}`) }).name);
  expect(new Set(names).size).toBe(300);
});

test("a model that one account lacks is looked for elsewhere, and others still go there", () => {
  const scene = createScene(many);
  if (first === undefined || second === undefined) throw new Error("Cannot test without accounts");
  const on = subjectOf(first, MODEL, opus);
  scene.learn({ type: "model_missing", on, model: MODEL, cause: "status 404", atMs: at(0) });
  expect(told(scene.choose())).toBe("strategy n0001");
  expect(told(scene.choose({ model: "claude-opus-4-1" }))).toBe("strategy n0000");
});

test("looks at few of them for one request", () => {
  const scene = createScene(many);
  for (let index = 0; index < 50; index += 1) {
    scene.start({}, { strategy: "round-robin" });
  }
  let looks = 0;
  const shards = scene.pool.holds.shards;
  const holds = {
    get shards() {
      looks += 1;
      return shards;
    },
  };
  scene.pool = { ...scene.pool, holds };
  scene.choose({}, { strategy: "round-robin" });
  expect(looks).toBeLessThanOrEqual(2);
});

test("keeps lists of few model classes: clients make up names", () => {
  const scene = createScene(many);
  for (let index = 0; index < 200; index += 1) {
    const model = `made-up-${index}`;
    expect(told(scene.choose({ model, modelClass: modelClassOf(model) }))).toBe("strategy n0000");
  }
});
