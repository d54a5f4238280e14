/**
 * A bridge that was given no MAC has the lowest of its ports'. Where these are taps of guests alone, it changes with every guest that comes or goes, and
 * is all zeros without any: guests that know the host by it lose it until they ask again. https://docs.kernel.org/networking/bridge.html
 */
import { hostname } from 'node:os';
import path from 'node:path';
import { digestOf } from '../digest.ts';
import { namesIn } from '../system/glance.ts';
import { attributeOf } from './sysfs.ts';

/** Set, and not drawn or borrowed: NET_ADDR_SET. */
const given = '3';

/**
 * The MAC that the bridge could be given for good; undefined: its own does not change with guests.
 * @param directory in /sys/class/net
 */
export function lackingMacOf(directory: string): string | undefined {
  if (attributeOf(path.join(directory, 'addr_assign_type')) !== given && onlyGuests(directory))
    return macFor(directory);
  return undefined;
}

/** The MAC of a tap of QEMU's helper, of libvirt's and of qrun's begins with fe, so that it is never the lowest of several. */
const onlyGuests = (directory: string): boolean =>
  namesIn(path.join(directory, 'brif')).every((port) =>
    attributeOf(path.join(path.dirname(directory), port, 'address')).startsWith('fe:'),
  );

function macFor(directory: string): string {
  const now = attributeOf(path.join(directory, 'address'));
  if (!now.startsWith('fe:') && now !== '00:00:00:00:00:00') return now;
  const bytes =
    digestOf(`${hostname()}\0${path.basename(directory)}`)
      .slice(0, 10)
      .match(/../g) ?? [];
  return ['02', ...bytes].join(':');
}
