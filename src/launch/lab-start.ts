/** Starts the VMs of a lab in their order, and waits for what is to be waited for. Undoing is the caller's business. */
import { QrunError } from '../errors.ts';
import type { LabVm, LabWait } from '../lab/lab.ts';
import type { VmName } from '../names.ts';
import { delay } from '../system/delay.ts';
import { realPathOf } from '../system/glance.ts';
import { throwIfInterrupted } from './interrupt.ts';
import type { LabContext } from './lab-context.ts';
import { errorOf, interruptedBy } from './lab-errors.ts';
import { profileOf, type Plans, type Profiles } from './lab-plans.ts';
import { createLimit } from './limit.ts';
import { prepareProfile, type Prepared } from './prepare.ts';
import type { RunRecord } from './run-record.ts';
import { startVm } from './start.ts';
import { isRunningVm, readVm, type Vm } from './vms.ts';
import { waitForVm } from './wait-vm.ts';

/** One that this command has started: this run of it, and no other. */
export interface StartedVm {
  readonly name: VmName;
  readonly runId: string;
}

export interface LabVmResult {
  readonly vm: VmName;
  /** False: it ran already. */
  readonly started: boolean;
  /** Absent when a script of `qrun show --shell` runs it. */
  readonly record?: RunRecord;
  readonly pid: number;
}

export interface LabStartInput {
  readonly vms: readonly LabVm[];
  readonly profiles: Profiles;
  readonly plans: Plans;
  /** Is added to with each start. */
  readonly started: StartedVm[];
}

/** More at once would only wait for one another on the processors. */
const startsAtOnce = 8;
/** For the start that another qrun is at. */
const othersPatienceMs = 10_000;

export class LabStart {
  readonly #input: LabStartInput;
  readonly #byName: ReadonlyMap<VmName, LabVm>;
  /** As given, but for one thing: a failure cuts the waits and starts of the others as a signal does. */
  readonly #context: LabContext;
  readonly #cut = new AbortController();
  readonly #limit = createLimit(startsAtOnce);
  readonly #starts = new Map<VmName, Promise<LabVmResult>>();
  readonly #waits = new Map<string, Promise<void>>();
  #failure: { readonly error: unknown } | undefined;

  constructor(input: LabStartInput, context: LabContext) {
    this.#input = input;
    this.#byName = new Map(input.vms.map((vm) => [vm.name, vm]));
    this.#context = { ...context, interrupted: AbortSignal.any([...asList(context.interrupted), this.#cut.signal]) };
  }

  /** @returns when all run and all waits are over @throws QrunError of the first that failed, or of the signal */
  async run(): Promise<LabVmResult[]> {
    const { vms } = this.#input;
    const results = await Promise.allSettled(
      vms.map(async (vm) => {
        const result = await this.#start(vm);
        if (vm.wait !== undefined) await this.#reach(vm, vm.wait);
        return result;
      }),
    );
    if (this.#failure !== undefined) throw this.#failure.error;
    if (this.#context.interrupted?.aborted === true) throw interruptedBy(this.#context.interrupted);
    return results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
  }

  #start(vm: LabVm): Promise<LabVmResult> {
    const known = this.#starts.get(vm.name);
    if (known !== undefined) return known;
    const start = this.#startAfter(vm);
    this.#starts.set(vm.name, start);
    return start;
  }

  async #startAfter(vm: LabVm): Promise<LabVmResult> {
    const before = vm.after.flatMap(({ vm: name, wait }) => {
      const other = this.#byName.get(name);
      return other === undefined ? [] : [{ other, wait: wait ?? other.wait }];
    });
    if (before.length > 0) this.#context.tell(vm.name, 'waiting', `comes after ${before.map(wordsOf).join(' and ')}`);
    await Promise.all(
      before.map(async ({ other, wait }) => {
        await this.#start(other);
        if (wait !== undefined) await this.#reach(other, wait);
      }),
    );
    return await this.#guard(vm, () =>
      this.#limit(() =>
        this.#startNow(
          vm,
          before.every(({ wait }) => wait === undefined),
        ),
      ),
    );
  }

  /** Several may wait for the same: it is looked for once. */
  #reach(vm: LabVm, wait: LabWait): Promise<void> {
    const key = `${vm.name} ${wait.written}`;
    const known = this.#waits.get(key);
    if (known !== undefined) return known;
    const reached = this.#guard(vm, () => this.#waitFor(vm, wait), `waiting for ${wait.written}: `);
    this.#waits.set(key, reached);
    return reached;
  }

  /** The first error is the one that is told: those after it are most often of its making. */
  async #guard<T>(vm: LabVm, act: () => Promise<T>, what = ''): Promise<T> {
    try {
      return await act();
    } catch (error) {
      if (this.#failure === undefined) {
        const { interrupted } = this.#context;
        this.#failure = {
          error: interrupted?.aborted === true ? interruptedBy(interrupted) : errorOf({ vm, error }, what),
        };
        this.#context.tell(vm.name, 'failed', wordsOfError(error, vm.name));
        // as if by a signal: starts under way undo themselves, and what they throw then is nobody's news
        this.#cut.abort('SIGTERM');
      }
      throw error;
    }
  }

  async #startNow(vm: LabVm, isAtOnce: boolean): Promise<LabVmResult> {
    throwIfInterrupted(this.#context);
    const { name } = vm;
    const running = readVm(this.#context, name);
    if (running.pid !== undefined) return await this.#already(vm, running);
    this.#context.tell(name, 'waiting', 'starts');
    try {
      // what was found out before a long wait may be true no more
      const prepared = (isAtOnce ? this.#input.plans.get(name) : undefined) ?? (await this.#plan(name));
      return await this.#startPrepared(name, prepared);
    } catch (error) {
      // another qrun was faster
      const other =
        error instanceof QrunError && error.code === 'in-use' ? readVm(this.#context, name, true) : undefined;
      if (other?.pid === undefined) throw error;
      return await this.#already(vm, other);
    }
  }

  #plan(name: VmName): Promise<Prepared> {
    return prepareProfile(profileOf(this.#input.profiles, name), this.#context);
  }

  async #startPrepared(name: VmName, prepared: Prepared): Promise<LabVmResult> {
    for (const note of prepared.plan.notes) this.#context.warn(`${name}: ${note}`);
    const { record, pid, waiter } = await startVm(prepared, this.#context);
    this.#input.started.push({ name, runId: record.runId });
    waiter.process.forget();
    this.#context.tell(name, 'done', `runs, pid ${pid}`);
    return { vm: name, started: true, record, pid };
  }

  /** @throws QrunError `in-use` when it is another VM that has that name, or one that is about to end */
  async #already({ name }: LabVm, first: Vm): Promise<LabVmResult> {
    const vm = await untilStarted(first, this.#context);
    if (vm.pid === undefined)
      throw new QrunError('in-use', `${name} ended while it was being started by another qrun`, { hint: 'try again' });
    if (vm.state === 'powering-down')
      throw new QrunError('in-use', `${name} is powering down, pid ${vm.pid}`, {
        hint: `qrun wait ${name}, then try again`,
      });
    const { file } = profileOf(this.#input.profiles, name);
    const { pid, record } = vm;
    if (record !== undefined && realPathOf(record.profile) !== realPathOf(file))
      throw new QrunError('in-use', `${name} is running, pid ${pid}, from another profile: ${record.profile}`, {
        hint: `qrun stop ${name}`,
      });
    this.#context.tell(name, 'done', `runs already, pid ${pid}`);
    return { vm: name, started: false, pid, ...(record !== undefined && { record }) };
  }

  async #waitFor(vm: LabVm, wait: LabWait): Promise<void> {
    const { name } = vm;
    const timeoutS = this.#context.timeoutS ?? vm.timeoutS;
    this.#context.tell(name, 'working', `runs; waiting for ${wait.written}`);
    if (wait.what.what !== 'end' && readVm(this.#context, name).pid === undefined) throw ended(name);
    const status = await waitForVm(name, wait.what, {
      ...this.#context,
      ...(timeoutS !== undefined && { timeoutMs: timeoutS * 1000 }),
    });
    if (status !== 0)
      throw new QrunError('guest-crashed', 'it did not end well', { hint: `qrun logs ${name}`, status });
    this.#context.tell(name, 'done', wait.what.what === 'end' ? 'ended' : `runs; ${wait.written} is there`);
  }
}

const asList = <T>(value: T | undefined): T[] => (value === undefined ? [] : [value]);

const wordsOf = ({ other, wait }: { readonly other: LabVm; readonly wait: LabWait | undefined }): string =>
  wait === undefined ? other.name : `${other.name} (${wait.written})`;

const ended = (name: string): QrunError =>
  new QrunError('guest-crashed', 'it ended before that', { hint: `qrun logs ${name}` });

/** Its row has the name already. */
function wordsOfError(error: unknown, name: string): string {
  const message = error instanceof Error ? error.message : String(error);
  return message.startsWith(`${name}: `) ? message.slice(name.length + 2) : message;
}

/** A start that another qrun is at has no pid in its record yet; one of a script's has no record at all. */
async function untilStarted(first: Vm, context: LabContext): Promise<Vm> {
  let vm = first;
  for (const end = performance.now() + othersPatienceMs; isRunningVm(vm) && vm.record.pid === undefined;) {
    if (performance.now() >= end) return vm;
    await delay(20);
    vm = readVm(context, vm.vm, true);
  }
  return vm;
}
