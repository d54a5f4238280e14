/** What a scenario finds: said at once, and counted. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { user } from './image.mjs';
import { differences } from './look.mjs';
import { scenarios } from './scenarios.mjs';

const lookScript = readFileSync(path.join(import.meta.dirname, 'look.sh'), 'utf8');
const begin = performance.now();

export const tell = (text) => process.stdout.write(`${text}\n`);
export const seconds = () => `${((performance.now() - begin) / 1000).toFixed(0).padStart(5)} s`;

/** In a session of the user's. Without single quotes. */
export const asUser = (command) => `runuser -l ${user} -c '${command}'`;

/** One scenario, with what was found wrong. */
export class Trial {
  constructor(name, machine) {
    this.name = name;
    this.scenario = scenarios[name];
    this.machine = machine;
    this.faults = 0;
  }

  check(holds, sentence, evidence = '') {
    tell(`${seconds()}  ${this.name}: ${holds ? 'yes' : 'NO '}  ${sentence}`);
    if (holds) return;
    this.faults++;
    if (evidence !== '') tell(evidence.trimEnd().replaceAll(/^/gm, '          '));
  }

  async holds(script, sentence, options) {
    const { status, text } = await this.machine.run(script, options);
    this.check(status === 0, sentence, `${script}\n${text}`);
  }

  /** It ends with 0, and says that. */
  async does(script, said = /^/) {
    const { status, text } = await this.machine.run(script);
    this.check(status === 0 && said.test(text), script, text);
  }

  async fails(script, expected, { said, sentence }) {
    const { status, text } = await this.machine.run(script);
    this.check(status === expected && text.includes(said), sentence, `${script}\n${status}: ${text}`);
  }

  async look() {
    return await this.machine.must(lookScript);
  }

  /** `but`: lines that may be there besides. */
  same(before, after, { sentence, but = [] }) {
    const text = differences(before, after, but);
    this.check(text === '', sentence, text);
  }
}
