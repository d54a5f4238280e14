/**
 * Root's part of links.mjs, in a network of its own: waits for a line on stdin, measures, writes one document. It ends when stdin does: nobody can
 * end a process of root's once the bench is an ordinary user.
 */
import { Bench } from './collect.mjs';
import { fifty } from './fifty.mjs';
import { kindsOn, linkFigures } from './links-kinds.mjs';
import { createPlace } from './place.mjs';

const limitMs = 30 * 60_000;
const say = (text) => process.stderr.write(`${text}\n`);

async function main() {
  await new Promise((resolve) => process.stdin.once('data', resolve));
  const place = createPlace({ stayRoot: true });
  process.on('exit', place.dispose);
  process.stdin.on('end', () => process.exit(1));
  const bench = new Bench({ place, rounds: Number(process.argv[2]), limitMs, say });
  for (const kind of kindsOn(place)) await bench.part(`links: ${kind.name}`, () => linkFigures(bench, kind));
  await bench.part('50 VMs on a bridge', () => fifty(bench));
  process.stdout.write(JSON.stringify(bench.document()));
  process.exit(0);
}

process.stdin.on('end', () => process.exit(1));
await main();
