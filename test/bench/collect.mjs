/** What a bench has found out so far. */
import os from 'node:os';
import { Home } from './place.mjs';
import { killProcessesOf } from './processes.mjs';
import { median, perRound, quantile } from './rounds.mjs';

export class Bench {
  /** Processes that wanted to run before anything was started here. */
  #load = os.loadavg()[0];
  #say;
  #end;
  #rounds;
  #limitMs;
  #figures = [];
  #samples = new Map();
  #checks = new Map();
  #notes = [];
  #skipped = [];
  #failed = [];

  constructor({ place, rounds, limitMs, say }) {
    this.place = place;
    this.#rounds = rounds;
    this.#limitMs = limitMs;
    this.#end = performance.now() + limitMs;
    this.#say = say;
  }

  /** For takeTurns. */
  get turns() {
    const checkTime = () => {
      if (performance.now() > this.#end) throw new Error(`the bench takes more than ${this.#limitMs / 60_000} minutes`);
    };
    return { rounds: this.#rounds, warmUps: 2, checkTime };
  }

  /** One thing that may fail by itself: the others are measured all the same. */
  async part(name, run) {
    this.#say(`bench: ${name}`);
    try {
      await run();
    } catch (error) {
      this.#failed.push({ name, why: error.message });
      this.#say(`bench: ${name}: ${error.message}`);
      killProcessesOf(this.place.dir);
    }
  }

  /** `value` makes one number of one round's times. */
  figure({ name, against, bound, aim, times, unit = 'ratio', value }) {
    this.#keep({ name, against, unit, bound, aim, values: perRound(times, value), times });
  }

  ratio({ of, to, ...figure }) {
    this.figure({ ...figure, value: (times) => times[of] / times[to] });
  }

  /** One value of many that are taken along the way. */
  sample({ name, unit, bound, value }) {
    const found = this.#samples.get(name) ?? { name, unit, bound, values: [] };
    found.values.push(value);
    this.#samples.set(name, found);
  }

  /** What must be so each time it is looked at. */
  check(name, met, detail) {
    const found = this.#checks.get(name) ?? { name, looks: 0, met: true };
    const kept = met || !found.met ? {} : { met: false, detail };
    this.#checks.set(name, { ...found, ...kept, looks: found.looks + 1 });
  }

  note(text) {
    this.#notes.push(text);
  }

  skip(name, why) {
    this.#skipped.push({ name, why });
    this.#say(`bench: ${name} is skipped: ${why}`);
  }

  #keep({ name, against, unit, bound, aim, values, times }) {
    const value = median(values);
    this.#figures.push({
      name,
      ...(against !== undefined && { against }),
      unit,
      value: round(value),
      quartiles: [round(quantile(values, 0.25)), round(quantile(values, 0.75))],
      ...(bound !== undefined && { bound, met: value <= bound }),
      ...(aim !== undefined && { aim, aimMet: value <= aim }),
      rounds: values.length,
      ...(times !== undefined && {
        mediansMs: Object.fromEntries(Object.entries(times).map(([side, ms]) => [side, round(median(ms))])),
      }),
    });
  }

  /** What another process has measured. */
  absorb({ figures, checks, notes, skipped, failed }) {
    this.#figures.push(...figures);
    for (const check of checks) this.#checks.set(check.name, check);
    this.#notes.push(...notes);
    this.#skipped.push(...skipped);
    this.#failed.push(...failed);
  }

  document() {
    for (const sample of this.#samples.values()) this.#keep(sample);
    this.#samples.clear();
    return {
      v: 1,
      machine: { ...readMachine(this.place), loadBefore: round(this.#load) },
      figures: this.#figures,
      checks: [...this.#checks.values()],
      notes: this.#notes,
      skipped: this.#skipped,
      failed: this.#failed,
    };
  }
}

const round = (value) => Number(value.toPrecision(4));

function readMachine(place) {
  const home = new Home(place, 'machine');
  const [qemu] = readOr(home, [process.env.QRUN_QEMU || 'qemu-system-x86_64', '--version']).split('\n');
  return {
    cores: os.availableParallelism(),
    node: readOr(home, [place.node, '--version']).trim(),
    qemu: /version ([\d.]+)/.exec(qemu)?.[1] ?? 'none',
    kernel: os.release(),
    user: os.userInfo().uid === 0 ? 'root' : 'ordinary',
  };
}

function readOr(home, argv) {
  try {
    return home.read(argv);
  } catch {
    return '';
  }
}
