/** The look at the host that planning needs. Changes nothing, and needs no rights. */
import { lstatSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { readIdentity } from '../host/accounts.ts';
import { predictBridgeConf } from '../host/bridge-conf.ts';
import { confReader } from '../host/bridge-conf-file.ts';
import { readBridgeHelper } from '../host/bridge-helper.ts';
import { accessOf } from '../host/file-access.ts';
import { readHostAccess } from '../host/host-access.ts';
import { readHostLink } from '../host/host-link.ts';
import { readRoutes } from '../host/routes.ts';
import { lastingWayNameOf } from '../host-way-name.ts';
import type { Places } from '../places.ts';
import { qemuOf } from '../qemu/binary.ts';
import { readCapabilities } from '../qemu/probe.ts';
import { textOf } from '../system/glance.ts';
import type { System } from '../system/system.ts';
import type { CardFact, ConfFact, HostManager, ModuleState, SetupFacts, SetupOptions, UplinkFact } from './facts.ts';
import { accountNamed, groupNamed, groupOfGid } from './items/accounts.ts';
import { lookAtLink } from './items/look.ts';
import { isLoaded } from './items/module.ts';
import { readSysctl } from './items/sysctl.ts';
import { lookAtLeft, lookAtUplink } from './items/uplink-look.ts';
import type { SetupHost } from './kind.ts';
import { faultOfEditing } from './perform.ts';
import { dhcpcdUnit } from './dhcpcd-items.ts';
import { pingRangeKey, runAsName, wantedModules } from './general-items.ts';
import type { SetupRecord } from './record.ts';

export interface FactsInput {
  readonly system: System;
  readonly places: Places;
  readonly options: SetupOptions;
  readonly record: SetupRecord;
}

const tools = ['setcap', 'getcap', 'ip', 'groupadd', 'useradd', 'usermod', 'gpasswd', 'sysctl'];

export async function readSetupFacts({ system, places, options, record }: FactsInput): Promise<SetupFacts> {
  const host = { system };
  const helper = await readHelper(system, places);
  const bridge = options.bridge === undefined ? undefined : lookAtLink(options.bridge, host);
  const account = accountNamed(runAsName);
  const group = options.group === undefined ? undefined : groupNamed(options.group);
  const networkManager = isEnabled('NetworkManager.service', host);
  const networkd = isEnabled('systemd-networkd.service', host);
  const dhcpcd = dhcpcdFiles.find(isThere);
  return {
    helper,
    conf: readConf(helper.conf),
    ...(bridge !== undefined && { bridge }),
    ...(account !== undefined && { account }),
    ...(group !== undefined && { group }),
    ...(options.uplink !== undefined && { uplink: readUplink(options.uplink, host) }),
    ...(options.hostAccess !== undefined && { card: readCard(options.hostAccess, host) }),
    routes: readRoutes(),
    manager: managerOf({ networkManager, networkd }, host),
    watchers: {
      networkManager,
      networkd,
      ...(dhcpcd !== undefined && { dhcpcd, dhcpcdRuns: isEnabled(dhcpcdUnit, host) || dhcpcdRecords.some(isThere) }),
      udev: system.which('udevadm') !== undefined || isThere('/usr/lib/udev/rules.d'),
    },
    paths: { ip: system.which('ip') ?? '/sbin/ip', sysctl: system.which('sysctl') ?? '/sbin/sysctl' },
    missingTools: tools.filter((tool) => system.which(tool) === undefined),
    modules: Object.fromEntries(wantedModules.map((name) => [name, stateOfModule(name, host)])),
    pingRange: readSysctl(pingRangeKey),
    machineId: textOf('/etc/machine-id').trim() || 'no machine-id',
    macs: path.join(places.host, 'macs'),
    recorded: record.entries,
  };
}

const dhcpcdFiles = ['/etc/dhcpcd.conf'];
/** Where it writes its number down, when it is for all interfaces. */
const dhcpcdRecords = ['/run/dhcpcd/pid', '/run/dhcpcd.pid'];

async function readHelper(system: System, places: Places) {
  const compiledIn = await readCapabilities(system, qemuOf({ system, places })).then(
    ({ bridgeHelper }) => bridgeHelper,
    // a host without QEMU can be prepared too, where its helper is
    () => undefined,
  );
  return readBridgeHelper({ system, compiledIn, written: undefined, runAs: undefined, user: readIdentity(system) });
}

function readConf(file: string): ConfFact {
  const stat = lstatSync(file, { throwIfNoEntry: false });
  const fault = faultOfEditing(file);
  const everybodyReads = stat === undefined || (stat.mode & 0o004) !== 0;
  if (stat === undefined || fault !== undefined) return { everybodyReads, ...(fault !== undefined && { fault }) };
  const onlyGroup = (stat.mode & 0o040) === 0 || stat.gid === 0 ? undefined : groupOfGid(stat.gid);
  const readers = { everybodyReads, ...(!everybodyReads && onlyGroup !== undefined && { onlyGroup }) };
  try {
    return { ...readers, text: readFileSync(file, 'latin1'), included: readIncluded(file) };
  } catch {
    return readers; // a dry run of an ordinary user's
  }
}

/** What all users of the helper read, found as the helper finds it. */
function readIncluded(file: string): Readonly<Record<string, string>> {
  const found: Record<string, string> = {};
  const everybody = confReader(accessOf({ name: 'nobody', uid: 65_534, gid: 65_534 }));
  predictBridgeConf({
    bridge: '',
    file,
    read: (one) => {
      const read = everybody(one);
      if ('text' in read && one !== file) found[one] = read.text;
      return read;
    },
    cwd: '/',
  });
  return found;
}

function readUplink(name: string, host: SetupHost): UplinkFact {
  const link = lookAtLink(name, host);
  const defaults = defaultLinks(host);
  const left = lookAtLeft(name, host);
  return {
    ...lookAtUplink(name, host),
    ...(link !== undefined && { link }),
    wifi: isThere(`/sys/class/net/${name}/wireless`) || isThere(`/sys/class/net/${name}/phy80211`),
    unknownRoutes: left.routes,
    rules: left.rules,
    riders: ridersOf(name, host),
    onlyWayOut: defaults.length > 0 && defaults.every((one) => one === name),
  };
}

const riding = new Set(['macvlan', 'macvtap', 'ipvlan', 'ipvtap']);

function ridersOf(name: string, host: SetupHost): string[] {
  return (readHostLink(name)?.uppers ?? []).flatMap((upper) => {
    const look = lookAtLink(upper, host);
    if (look?.kind === undefined || !riding.has(look.kind)) return [];
    return [look.alias === undefined ? upper : `${upper} (${look.alias})`];
  });
}

function readCard(name: string, host: SetupHost): CardFact {
  const link = lookAtLink(name, host);
  const existing = lookAtLink(lastingWayNameOf(name), host);
  const { networks, strict, macvlan } = readHostAccess(name);
  const sysfs = readHostLink(name);
  const networkFile = networkFileOf(textOf(`/run/systemd/netif/links/${sysfs?.index ?? 0}`));
  return {
    ...(link !== undefined && { link }),
    ...(existing !== undefined && { existing }),
    wifi: sysfs?.kind === 'wifi',
    loopback: sysfs?.kind === 'loopback',
    macvlan: macvlan === true,
    networks,
    strict,
    ...(networkFile !== undefined && { networkFile }),
  };
}

/** Of what systemd-networkd says of a link. Undefined: it leaves the link alone. */
export function networkFileOf(state: string): string | undefined {
  const file = /^NETWORK_FILE=(.*)$/m.exec(state)?.[1];
  return file !== undefined && /^[A-Za-z0-9_.@-]+\.network$/.test(path.basename(file))
    ? path.basename(file)
    : undefined;
}

/** The interfaces of default routes. */
function defaultLinks({ system }: SetupHost): string[] {
  return ['-4', '-6'].flatMap((family) => {
    const { status, stdout } = system.runNow('ip', [family, 'route', 'show', 'default'], { timeoutMs: 30_000 });
    return status === 0 ? [...stdout.matchAll(/\bdev (\S+)/g)].map(([, name = '']) => name) : [];
  });
}

function managerOf(
  { networkManager, networkd }: { readonly networkManager: boolean; readonly networkd: boolean },
  { system }: SetupHost,
): HostManager {
  if (networkManager) return 'network-manager';
  if (networkd) return 'networkd';
  if (system.which('ifup') !== undefined && ifupdownRuns(textOf('/etc/network/interfaces'))) return 'ifupdown';
  return system.which('systemctl') === undefined ? 'none' : 'systemd';
}

/** Whether it makes more than the loopback, and reads what lies beside it. */
export function ifupdownRuns(interfaces: string): boolean {
  const makes = [...interfaces.matchAll(/^\s*iface\s+(\S+)/gm)].some(([, name]) => name !== 'lo');
  return makes && /^\s*source(-directory)?\s+\/etc\/network\/interfaces\.d\b/m.test(interfaces);
}

/** Where systemd does not run it looks at files alone: in a chroot `is-active` is ignored, and ends with 0 for whatever it is asked. */
function isEnabled(unit: string, { system }: SetupHost): boolean {
  if (system.which('systemctl') === undefined) return false;
  const ask = (verb: string): boolean =>
    system.runNow('systemctl', [verb, '--quiet', unit], { timeoutMs: 30_000 }).status === 0;
  return ask('is-enabled') || (isThere('/run/systemd/system') && ask('is-active'));
}

function stateOfModule(name: string, { system }: SetupHost): ModuleState {
  if (isLoaded(name)) return 'loaded';
  if (system.which('modprobe') === undefined) return 'absent';
  const { status, stdout } = system.runNow('modprobe', ['--show-depends', name], { timeoutMs: 30_000 });
  if (status !== 0) return 'absent';
  return stdout.trim().startsWith('builtin') ? 'loaded' : 'available';
}

const isThere = (file: string): boolean => lstatSync(file, { throwIfNoEntry: false }) !== undefined;
