/** Root's part of networks.mjs, in a network of its own: waits for a line on stdin, measures, writes one document. It ends when stdin does. */
import { Bench } from './collect.mjs';
import { manyForwards, manyNetworks, oneNetwork } from './networks-turns.mjs';
import { createPlace } from './place.mjs';

const limitMs = 20 * 60_000;
const say = (text) => process.stderr.write(`${text}\n`);

async function main() {
  await new Promise((resolve) => process.stdin.once('data', resolve));
  const place = createPlace({ stayRoot: true });
  process.on('exit', place.dispose);
  process.stdin.on('end', () => process.exit(1));
  const bench = new Bench({ place, rounds: Number(process.argv[2]), limitMs, say });
  await bench.part('a NAT network', () => oneNetwork(bench));
  await bench.part('20 networks', () => manyNetworks(bench));
  await bench.part('200 forwards', () => manyForwards(bench));
  process.stdout.write(JSON.stringify(bench.document()));
  process.exit(0);
}

process.stdin.on('end', () => process.exit(1));
await main();
