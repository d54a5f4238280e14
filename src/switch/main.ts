/**
 * `node dist/switch.cjs CONFIGFILE`: the switch process of one `transport: hub` network. It inherits nothing but its standard streams, and says
 * what happens on stderr. SIGTERM ends it at once; SIGHUP makes it read its configuration and members again.
 */
import { createLog } from './log.ts';
import { ConfigFault } from './read-config.ts';
import { runSwitch } from './process.ts';

const log = createLog();

process.on('uncaughtException', (error) => {
  log.say(`a fault of the switch itself: ${error instanceof Error ? (error.stack ?? error.message) : 'unknown'}`);
  process.exit(70);
});
try {
  runSwitch(process.argv[2] ?? '', log);
} catch (error) {
  if (!(error instanceof ConfigFault)) throw error;
  log.say(`cannot use ${process.argv[2] ?? 'no file'}: ${error.message}`);
  process.exitCode = 2;
}
