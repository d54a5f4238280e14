/**
 * `npm run test:boot [SCENARIO…]`: `qrun setup` on Debian machines that really boot, under QEMU without KVM. For each way in which a host's interfaces
 * are made: look, setup, a guest of an ordinary user's, reboot, again, ports, undo, look, reboot, look. Root's, and some minutes for each; with --fast
 * the managers run in namespaces instead, without systemd and guests. --keep keeps the disks and what was said.
 */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { buildGuest } from '../guest/build.mjs';
import { cacheDir, isRoot } from '../setup/places.mjs';
import { playAutostart } from './autostart.mjs';
import { makeDisk, makeRoot, makeTree, user } from './image.mjs';
import { Machine } from './machine.mjs';
import { NamespaceMachine } from './namespace-machine.mjs';
import { lan, out, router, scenarios } from './scenarios.mjs';
import { asUser, seconds, tell, Trial } from './trial.mjs';

const hostAddress = '10.0.5.1';
/** Modules that the kernel takes in for a bridge or for another module, and keeps until the next boot. */
const loadedByOthers = ['bridge', 'llc', 'stp', 'vhost_iotlb'];
const setupLine = ({ uplink }) =>
  uplink === undefined
    ? `qrun setup --bridge br0 --address ${hostAddress}/24`
    : `qrun setup --bridge br0 --uplink ${lan} --address ${hostAddress}/24 --yes`;

async function start(trial) {
  await trial.machine.start();
  await settled(trial);
  await begun(trial);
}

/** What the scenario's host has that nobody makes at its start; until the kernel has made its part. */
async function begun({ machine, scenario }) {
  if (scenario.begin !== undefined) await machine.must(`${scenario.begin}; sleep 3`);
}

/** Until the cards have their addresses, where they are to have some. */
async function settled({ machine, scenario }, link = lan) {
  const until = (name, network) =>
    machine.run(`for i in $(seq 60); do ip -4 -br address show ${name} | grep -q ${network} && break; sleep 1; done`);
  const isPort = scenario.uplink !== undefined;
  if (scenario.asksAll === true) await until(out, '10.0.2');
  if ((isPort && scenario.begin === undefined) || scenario.asksAll === true)
    await until(isPort ? link : lan, '192.168.77');
  await machine.run('udevadm settle; sleep 3');
}

async function setup(trial) {
  const { machine, scenario } = trial;
  const line = setupLine(scenario);
  const dry = await machine.run(`${line} --dry-run`);
  trial.check(dry.status === 0 && dry.text.includes(scenario.by), `the dry run names ${scenario.by}`, dry.text);
  const done = await machine.run(line);
  trial.check(done.status === 0, line, done.text);
  for (const line of done.text.split('\n')) if (line.startsWith('note')) tell(`         ${line}`);
}

/** What is to be there after setup, and after each reboot. */
async function prepared(trial, when) {
  const { scenario } = trial;
  await settled(trial, 'br0');
  await trial.holds(
    'ip -d link show br0 | grep -q "bridge .*stp_state 0"',
    `${when}: the bridge is there, without STP`,
  );
  await trial.holds('ip -br link show br0 up | grep -q br0', `${when}: it is up`);
  await trial.holds(
    `test "$(ip -o -4 address show dev br0 | grep -c 'inet ${hostAddress}/24')" = 1`,
    `${when}: it has the address`,
  );
  await trial.holds(
    'test "$(sysctl -n net.ipv4.ping_group_range)" = "$(printf "0\\t2147483647")"',
    `${when}: the ping range`,
  );
  if (trial.machine.real)
    await trial.holds('for m in tun macvtap vhost_net; do test -d /sys/module/$m; done', `${when}: the modules`);
  await trial.holds(
    'getcap /usr/lib/qemu/qemu-bridge-helper | grep -q cap_net_admin=ep',
    `${when}: the helper's right`,
  );
  await trial.holds(
    'test -z "$(systemctl list-units --failed --no-legend)" || { systemctl list-units --failed; journalctl -b -p err --no-pager | tail -30; false; }',
    `${when}: no unit has failed`,
  );
  if (scenario.uplink === undefined) return;
  await trial.holds(`ip link show ${lan} | grep -q "master br0"`, `${when}: ${lan} is its port`);
  await trial.holds(
    `test -z "$(ip -o -4 address show dev ${lan})" || { ip address; false; }`,
    `${when}: ${lan} has no address`,
  );
  await trial.holds(
    'ip -o -4 address show dev br0 | grep -q 192.168.77. || { ip address; false; }',
    `${when}: the bridge has the LAN's`,
  );
  // QEMU's DHCP server tells no router where nothing may leave
  if (scenario.uplink === 'static' || !trial.machine.real)
    await trial.holds(
      'ip route show default dev br0 | grep -q via || { ip route; false; }',
      `${when}: the way out by it`,
    );
  await trial.holds(`ping -c 2 -W 5 ${router}`, `${when}: the LAN's router answers`);
}

/** A guest of an ordinary user's: it answers the host, and who manages the host's interfaces leaves its tap alone. */
async function guestOn(trial, { name, nic, address, probe }) {
  const { machine } = trial;
  const profile = [
    'kernel: vmlinuz',
    'initrd: initrd.gz',
    `append: console=ttyS0 quiet nokaslr mitigations=off panic=-1 no_timer_check qrun.wait=0 qrun.ip=eth0=${address}/24`,
    'accel: tcg',
    'memory: 128M',
    `nics: [${nic}]`,
  ].join('\n');
  await machine.must(`cat >/home/${user}/.config/qrun/profiles/${name}.yaml <<'EOF'\n${profile}\nEOF`);
  const run = await machine.run(asUser(`qrun run ${name} -d`));
  trial.check(run.status === 0, `an ordinary user's qrun ${name}`, run.text);
  if (run.status !== 0) return;
  if (probe !== undefined) await trial.holds(probe, `${name}: its port is there`);
  await trial.holds(
    `for i in $(seq 400); do ping -c 1 -W 2 ${address} >/dev/null && exit 0; done; ip -d link; ip neigh; exit 1`,
    `${name}: the guest answers the host`,
    { timeoutMs: 1_000_000 },
  );
  await trial.holds(
    'for t in $(ls /sys/class/net | grep -E "^(tap|qr-)"); do ip -4 -o address show dev $t; done | grep . && { ip address; exit 1; }; true',
    `${name}: nobody gave its port an address`,
  );
  await machine.run(asUser(`qrun kill ${name}`));
  await trial.holds(
    'for i in $(seq 30); do ip -br link | grep -q ^tap || exit 0; sleep 1; done; ip -br link; exit 1',
    `${name}: its tap goes with it`,
  );
}

/** A tap as the bridge helper makes it, and a macvtap and a tap as qrun names them, with somebody at their other end: nobody asks for addresses there. */
async function leftAlone(trial) {
  const { machine, scenario } = trial;
  const open = (name) =>
    `qemu-system-x86_64 -M none -nodefaults -display none -daemonize -pidfile /run/${name}.pid -netdev tap,id=n,ifname=${name},script=no,downscript=no`;
  const macvtap = scenario.uplink === undefined ? lan : 'br0';
  const after = await raised(trial, macvtap);
  await machine.must(
    [
      `for tap in tap7 qr-boot0; do ip tuntap add dev $tap mode tap; ip link set $tap master br0; ip link set $tap up; done`,
      ...[open('tap7'), open('qr-boot0')],
      `ip link add link ${macvtap} name qr-boot1 type macvtap mode bridge; ip link set qr-boot1 up; sleep 15`,
    ].join('\n'),
  );
  for (const name of ['tap7', 'qr-boot0', 'qr-boot1'])
    await trial.holds(
      `ip -br link show ${name} up | grep LOWER_UP && test -z "$(ip -o -4 address show dev ${name})" || { ip address; exit 1; }`,
      `${name} is left alone`,
    );
  await trial.holds(
    'ip link show tap7 | grep "master br0" && ip link show qr-boot0 | grep "master br0"',
    'both taps are ports still',
  );
  await machine.must(
    `kill $(cat /run/tap7.pid /run/qr-boot0.pid); sleep 1; for name in tap7 qr-boot0 qr-boot1; do ip link delete $name; done; ${after}`,
  );
}

/** Takes a card up that may be down. @returns what makes it as it was */
async function raised({ machine }, card) {
  const { text } = await machine.run(`ip -br link show ${card} up`);
  if (text !== '') return 'true';
  await machine.must(`ip link set ${card} up`);
  return `ip link set ${card} down`;
}

const onBridge = (trial) =>
  guestOn(trial, {
    name: 'web1',
    nic: 'bridge:br0',
    address: '10.0.5.2',
    probe: 'ip -br link show master br0 | grep ^tap',
  });

/** Macvtaps for an ordinary user, on the LAN's card or, where that is a port, on the bridge's. */
async function onPorts(trial) {
  const { machine, scenario } = trial;
  const card = scenario.uplink === undefined ? lan : 'br0';
  const bridge =
    card === 'br0' ? 'forward: bridge\nbridge: { name: br0 }' : `forward: macvtap\nbridge: { uplink: ${card} }`;
  await machine.must(
    `mkdir -p /etc/qrun/networks; printf '%s\\n' '${bridge}' 'ports: 2' 'owner: ${user}' >/etc/qrun/networks/lan0.yaml`,
  );
  const after = await raised(trial, card);
  const up = await machine.run('qrun net up lan0');
  trial.check(up.status === 0, 'qrun net up lan0', up.text);
  if (card === 'br0')
    await guestOn(trial, { name: 'web2', nic: '{ kind: network, network: lan0 }', address: '10.0.5.3' });
  else {
    const shim =
      'ip link add link CARD name shim0 type macvlan mode bridge && ip address add 10.0.6.1/24 dev shim0 && ip link set shim0 up';
    await machine.must(shim.replace('CARD', card));
    await guestOn(trial, { name: 'web2', nic: '{ kind: network, network: lan0 }', address: '10.0.6.3' });
    await machine.must('ip link delete shim0');
  }
  const down = await machine.run('qrun net down lan0');
  trial.check(down.status === 0, 'qrun net down lan0', down.text);
  await machine.must(`qrun net rm lan0; rm -rf /etc/qrun; ${after}`);
  await trial.holds('test -z "$(ls /sys/class/net | grep ^qr-)"', 'no port is left');
}

async function undo(trial) {
  const { machine, scenario } = trial;
  if (machine.real) await machine.must(asUser('qrun rm web1 web2'));
  const result = await machine.run('qrun setup --undo');
  trial.check(result.status === 0, 'qrun setup --undo', result.text);
  if (scenario.unmend !== undefined) await machine.must(scenario.unmend);
  await settled(trial);
}

async function play(trial) {
  const { machine, scenario } = trial;
  await start(trial);
  const before = await trial.look();
  await setup(trial);
  await prepared(trial, 'now');
  if (machine.real) await onBridge(trial);
  if (scenario.mend !== undefined) await machine.must(scenario.mend);
  await machine.reboot();
  await prepared(trial, 'after a reboot');
  const again = await machine.run(setupLine(scenario));
  trial.check(again.status === 0 && again.text.includes('is so already'), 'a second setup does nothing', again.text);
  if (machine.real) await onBridge(trial);
  await leftAlone(trial);
  if (machine.real) await onPorts(trial);
  await undo(trial);
  trial.same(before, await trial.look(), { sentence: 'after --undo all is as before', but: loadedByOthers });
  await machine.reboot();
  await settled(trial);
  await begun(trial);
  trial.same(before, await trial.look(), { sentence: 'after --undo and a reboot all is as before' });
}

async function main() {
  if (!isRoot()) throw new Error('a Debian tree is made as root: sudo npm run test:boot');
  const words = process.argv.slice(2);
  const keep = words.includes('--keep');
  const names = words.filter((word) => !word.startsWith('-'));
  const chosen = names.length === 0 ? Object.keys(scenarios) : names;
  const unknown = chosen.find((name) => scenarios[name] === undefined);
  if (unknown !== undefined) throw new Error(`no scenario ${unknown}: ${Object.keys(scenarios).join(' ')}`);
  const cache = process.env.QRUN_BOOT_CACHE ?? path.join(cacheDir(undefined), 'boot');
  mkdirSync(cache, { recursive: true });
  const guest = buildGuest({ cacheDir: cacheDir(undefined), say: tell });
  let faults = 0;
  for (const name of chosen) {
    const scenario = scenarios[name];
    if (scenario.starts === true && words.includes('--fast')) {
      tell(`${seconds()}  ${name}: only where systemd runs`);
      continue;
    }
    const tree = makeTree({ directory: cache, more: scenario.packages, say: tell });
    const directory = mkdtempSync(path.join(cache, `${name}-`));
    const input = { tree, directory, guest, scenario };
    const machine = words.includes('--fast')
      ? new NamespaceMachine({ directory, root: makeRoot(input), services: scenario.enable ?? [] })
      : new Machine(makeDisk(input));
    const trial = new Trial(name, machine);
    try {
      await (scenario.starts === true ? playAutostart(trial) : play(trial));
    } catch (error) {
      trial.check(false, 'to the end', error instanceof Error ? error.message : String(error));
    } finally {
      await machine.stop();
      if (!keep) rmSync(directory, { recursive: true, force: true });
    }
    faults += trial.faults;
  }
  tell(
    `${seconds()}  ${faults === 0 ? 'all is so' : `${faults} are not so`} (${chosen.join(', ')}; ${os.availableParallelism()} processors)`,
  );
  process.exitCode = faults === 0 ? 0 : 1;
}

await main();
