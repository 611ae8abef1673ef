/**
 * Does the time of an operation tell two kinds of input apart? Samples of both are taken in random order, so that
 * whatever else the machine does hits both; the slowest twentieth is cropped; Welch's t says whether the means differ.
 * @see Reparaz, Balasch, Verbauwhede: "Dude, is my code constant time?" (DATE 2017), whose threshold of 4.5 this is
 */
export const MAX_ABS_T = 4.5;

const CROP_RATIO = 0.05;
const WARM_UP_RATIO = 0.1;

/** An operation that gives a promise is awaited. */
export type TimingSubject<Input> = {
  readonly name: string;
  readonly inputs: readonly [readonly Input[], readonly Input[]];
  readonly run: (input: Input) => unknown;
  /**
   * Makes each sample's input anew, as a request does: where an input that is used again lies in memory is worth some
   * nanoseconds, always the same ones.
   */
  readonly copy?: (input: Input) => Input;
  /** How often one sample runs it; default 1. More of them lift a small difference out of the clock's grain. */
  readonly repeat?: number;
};

export type TimingSamples = { readonly first: readonly number[]; readonly second: readonly number[] };

export type TimingVerdict = {
  /** The t of each pass; the second is taken when the first is suspicious. */
  readonly t: readonly number[];
  readonly leaks: boolean;
  /** Mean of the first kind minus that of the second, cropped, of the last pass. */
  readonly differenceNs: number;
};

export type ProbeOptions = {
  /** In all, of both kinds together. */
  readonly samples: number;
  /** 0 <= x < 1 */
  readonly random: () => number;
};

/** Leaks: |t| was at least 4.5 twice in a row. Once happens to the innocent when the machine is busy. */
export async function probeTiming<Input>(subject: TimingSubject<Input>, options: ProbeOptions): Promise<TimingVerdict> {
  const t: number[] = [];
  let differenceNs = 0;
  for (let pass = 0; pass < 2; pass += 1) {
    const { first, second } = cropped(await sampled(subject, options));
    t.push(welchT(first, second));
    differenceNs = meanOf(first) - meanOf(second);
    if (!isSuspicious(t.at(-1))) return { t, leaks: false, differenceNs };
  }
  return { t, leaks: true, differenceNs };
}

/** Nanoseconds of each sample. */
async function sampled<Input>(
  subject: TimingSubject<Input>,
  { samples, random }: ProbeOptions,
): Promise<TimingSamples> {
  const { inputs, run, copy, repeat = 1 } = subject;
  const times: [number[], number[]] = [[], []];
  const warmUp = Math.ceil(samples * WARM_UP_RATIO);
  for (let at = -warmUp; at < samples; at += 1) {
    const side = random() < 0.5 ? 0 : 1;
    const kind = inputs[side];
    const chosen = kind[Math.floor(random() * kind.length)];
    if (chosen === undefined) throw new Error(`Cannot probe ${subject.name}: it has no input of kind ${side}`);
    const input = copy === undefined ? chosen : copy(chosen);
    const startNs = Bun.nanoseconds();
    for (let turn = 0; turn < repeat; turn += 1) {
      const outcome = run(input);
      if (outcome instanceof Promise) await outcome;
    }
    const tookNs = Bun.nanoseconds() - startNs;
    if (at >= 0) times[side].push(tookNs);
  }
  return { first: times[0], second: times[1] };
}

/** Without the slowest samples of both together: interrupts and garbage collection say nothing about the input. */
function cropped({ first, second }: TimingSamples): TimingSamples {
  const all = Float64Array.from([...first, ...second]).sort();
  const limit = all[Math.floor(all.length * (1 - CROP_RATIO))] ?? Number.POSITIVE_INFINITY;
  const isUsual = (tookNs: number): boolean => tookNs <= limit;
  return { first: first.filter(isUsual), second: second.filter(isUsual) };
}

/** Welch's t of two samples; 0 when both are constant and equal. @see Welch 1947 */
export function welchT(first: readonly number[], second: readonly number[]): number {
  const difference = meanOf(first) - meanOf(second);
  const error = Math.sqrt(varianceOf(first) / first.length + varianceOf(second) / second.length);
  return difference === 0 ? 0 : difference / error;
}

function isSuspicious(t: number | undefined): boolean {
  // NaN, for nothing measured, is suspicious.
  return !(Math.abs(t ?? Number.NaN) < MAX_ABS_T);
}

function meanOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

function varianceOf(values: readonly number[]): number {
  const mean = meanOf(values);
  return values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (values.length - 1);
}
