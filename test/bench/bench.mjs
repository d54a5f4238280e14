/**
 * `npm run bench`: what qrun costs, as ratios within one run. Everything happens in a temporary directory as an ordinary user, with nothing of the
 * caller's environment, and ends with it.
 *
 *     --json          one JSON document on stdout; progress goes to stderr anyway
 *     --only NAME     start-up, detached, links, virsh, hundred, lab, guests, wire, leases or networks; may be repeated
 *     --rounds N      turns that are taken, default 15
 *
 * Exit status: 0 everything was measured, whether or not the bounds are met; 1 something could not be; 2 wrong usage.
 */
import { parseArgs } from 'node:util';
import { installCommand, installMissing } from '../setup/packages.mjs';
import { prepareClone } from '../setup/prepare.mjs';
import { Bench } from './collect.mjs';
import { detached, virsh } from './detached.mjs';
import { guests } from './guests.mjs';
import { hundred } from './hundred.mjs';
import { lab } from './lab.mjs';
import { leases } from './leases.mjs';
import { links } from './links.mjs';
import { networks } from './networks.mjs';
import { createPlace } from './place.mjs';
import { renderText } from './report.mjs';
import { startUp } from './start-up.mjs';
import { wire } from './wire.mjs';

const measures = [startUp, detached, links, networks, virsh, hundred, lab, guests, wire, leases];
/** All of it takes a third of that on two cores. */
const limitMs = 45 * 60_000;

const say = (text) => process.stderr.write(`${text}\n`);

function readOptions() {
  try {
    const { values } = parseArgs({
      options: {
        json: { type: 'boolean', default: false },
        only: { type: 'string', multiple: true },
        rounds: { type: 'string', default: '15' },
      },
    });
    const rounds = Number(values.rounds);
    if (!Number.isInteger(rounds) || rounds < 1) throw new Error('--rounds wants a number from 1');
    const unknown = values.only?.find((name) => !measures.some((measure) => measure.name === name));
    if (unknown !== undefined) throw new Error(`--only is one of ${measures.map(({ name }) => name).join(', ')}`);
    return { json: values.json, rounds, chosen: measures.filter(({ name }) => values.only?.includes(name) ?? true) };
  } catch (error) {
    say(`bench: ${error.message}`);
    process.exit(2);
  }
}

/** What a measure needs that only the caller may make; what cannot be had fails that measure alone. */
function prepareMeasures(chosen, rounds) {
  return new Map(
    chosen.map((measure) => {
      try {
        const made = measure.prepare?.({ say, rounds });
        return [measure, () => made];
      } catch (error) {
        const fail = () => {
          throw error;
        };
        return [measure, fail];
      }
    }),
  );
}

async function main() {
  const { json, rounds, chosen } = readOptions();
  prepareClone();
  const missing = installMissing({ say });
  if (missing.length > 0) say(`missing packages, install them with: ${installCommand(missing)}`);
  const prepared = prepareMeasures(chosen, rounds);
  const place = createPlace();
  process.on('exit', place.dispose);
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => process.exit(1));
  const bench = new Bench({ place, rounds, limitMs, say });
  for (const measure of chosen) await bench.part(measure.name, () => measure.run(bench, prepared.get(measure)()));
  const document = bench.document();
  process.stdout.write(json ? `${JSON.stringify(document, null, 2)}\n` : renderText(document));
  process.exitCode = document.failed.length > 0 ? 1 : 0;
}

await main();
