/** The part of a V8 `.cpuprofile` that the summary reads. */
type ProfileNode = {
  readonly id: number;
  readonly callFrame: { readonly functionName: string; readonly url: string };
  readonly children?: readonly number[];
};
type Profile = {
  readonly nodes: readonly ProfileNode[];
  readonly samples: readonly number[];
  readonly timeDeltas: readonly number[];
};

export type Share = { readonly name: string; readonly ratio: number };

/**
 * Self time by source file below `root`, largest first. Time inside the runtime and inside packages is given to the file
 * of ours that called them, so that the list says what to change. "(elsewhere)" has no such caller: garbage collection,
 * timers, the idle loop.
 */
export function sharesByFile(profile: Profile, root: string): readonly Share[] {
  const nodes = new Map(profile.nodes.map((node) => [node.id, node]));
  const parents = new Map(profile.nodes.flatMap((node) => (node.children ?? []).map((child) => [child, node.id])));
  const ownerOf = (id: number): string => {
    for (let at: number | undefined = id; at !== undefined; at = parents.get(at)) {
      const url = nodes.get(at)?.callFrame.url ?? "";
      const start = url.indexOf(root);
      if (start !== -1) return url.slice(start + root.length);
    }
    return "(elsewhere)";
  };
  const owners = new Map<string, number>();
  let total = 0;
  for (const [at, id] of profile.samples.entries()) {
    const deltaUs = profile.timeDeltas[at] ?? 0;
    const owner = ownerOf(id);
    owners.set(owner, (owners.get(owner) ?? 0) + deltaUs);
    total += deltaUs;
  }
  return [...owners]
    .map(([name, us]) => ({ name, ratio: total === 0 ? 0 : us / total }))
    .toSorted((left, right) => right.ratio - left.ratio);
}

/** @throws Error when it is not a profile */
export function parseProfile(text: string): Profile {
  const parsed: unknown = JSON.parse(text);
  if (isProfile(parsed)) return parsed;
  throw new Error("Cannot read the profile: it has no nodes, samples and timeDeltas");
}

function isProfile(value: unknown): value is Profile {
  if (typeof value !== "object" || value === null) return false;
  return ["nodes", "samples", "timeDeltas"].every((name) => Array.isArray(new Map(Object.entries(value)).get(name)));
}
