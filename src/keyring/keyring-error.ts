export type MasterKeyProblem =
  | "absent"
  | "unreadable"
  | "symlink"
  | "not_a_file"
  | "owner"
  | "permissions"
  | "empty"
  | "length"
  | "all_zero"
  | "repeated_byte"
  | "not_created";

/** The process must not start. The message says what to do; it holds no byte of the key. */
export class MasterKeyRefused extends Error {
  readonly problem: MasterKeyProblem;

  constructor(problem: MasterKeyProblem, name: string, fact: string) {
    super(`Cannot use ${name} as the master key: ${fact}`);
    this.name = "MasterKeyRefused";
    this.problem = problem;
  }
}

/** The data was sealed under another master key. Nothing was written. */
export class WrongMasterKey extends Error {
  readonly expectedKekId: string;
  readonly presentedKekId: string;

  constructor(expectedKekId: string, presentedKekId: string) {
    super(
      `Cannot open the data keys: wrong master key (this one has the id ${presentedKekId}, ` +
        `the data was sealed under ${expectedKekId}); start with that key, or restore the matching backup`,
    );
    this.name = "WrongMasterKey";
    this.expectedKekId = expectedKekId;
    this.presentedKekId = presentedKekId;
  }
}

/** A stored data key does not open although the master key is the right one: it was changed on disk. */
export class DataKeyDamaged extends Error {
  readonly dataKeyId: number;

  constructor(dataKeyId: number) {
    super(
      `Cannot open the data key ${dataKeyId}: it was changed since it was stored; restore the database from a backup`,
    );
    this.name = "DataKeyDamaged";
    this.dataKeyId = dataKeyId;
  }
}
