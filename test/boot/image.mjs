/**
 * The root disk of a Debian 12 with every network manager in it, none of them enabled, and qrun in /opt. The packages come from the machine's own
 * mirrors, once; a disk for each scenario is made of them.
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { renderSources, runTool } from '../setup/apt.mjs';
import { repository } from '../setup/places.mjs';

const packages = [
  ...['systemd-sysv', 'udev', 'dbus', 'kmod', 'iproute2', 'iputils-ping', 'procps', 'sudo', 'libcap2-bin', 'nftables'],
  ...['ifupdown', 'isc-dhcp-client', 'network-manager', 'dhcpcd'],
  ...['qemu-system-x86', 'ipxe-qemu', 'linux-image-cloud-amd64', 'initramfs-tools', 'busybox'],
];

/** Of the packages above; a scenario enables what it is about. */
const managers = ['NetworkManager', 'NetworkManager-wait-online', 'networking', 'dhcpcd', 'systemd-networkd'];
const timers = ['apt-daily', 'apt-daily-upgrade', 'dpkg-db-backup', 'e2scrub_all', 'fstrim', 'man-db'];

export const user = 'alice';

/** @returns {string} the tree with those packages and `more`, made if it is not there yet */
export function makeTree({ directory, more = [], say }) {
  const included = [...packages, ...more];
  const key = createHash('sha256').update(included.join(' ')).digest('hex').slice(0, 12);
  const tree = path.join(directory, `tree-${key}`);
  if (existsSync(tree)) return tree;
  say('Debian 12 from the mirror: some 500 MB, a minute or two');
  const draft = `${tree}.new`;
  rmSync(draft, { recursive: true, force: true });
  const sources = `${tree}.sources`;
  writeFileSync(sources, renderSources('bookworm'));
  const excluded = ['doc', 'man', 'locale'].map((name) => `--dpkgopt=path-exclude=/usr/share/${name}/*`);
  runTool('mmdebstrap', [
    ...[
      '--quiet',
      '--variant=minbase',
      '--mode=root',
      '--format=directory',
      '--aptopt=APT::Install-Recommends "false"',
    ],
    ...excluded,
    `--include=${included.join(',')}`,
    ...['bookworm', draft, sources],
  ]);
  runTool('useradd', ['--root', draft, '--create-home', '--shell', '/bin/bash', user]);
  // systemd's own choice, where it finds a first start
  writeFileSync(path.join(draft, 'etc/machine-id'), `${createHash('md5').update('qrun').digest('hex')}\n`);
  writeFileSync(path.join(draft, 'etc/hostname'), 'boot\n');
  writeFileSync(path.join(draft, 'etc/hosts'), '127.0.0.1 localhost\n127.0.1.1 boot\n');
  systemctl(draft, 'disable', [...managers, ...timers.map((name) => `${name}.timer`)]);
  renameSync(draft, tree);
  return tree;
}

/** Units that there are not are no matter. */
function systemctl(tree, verb, units) {
  for (const unit of units) spawnSync('systemctl', [`--root=${tree}`, verb, unit], { stdio: 'ignore' });
}

/**
 * @param {{tree: string, directory: string, guest: {vmlinuz: string, initrd: string}, scenario: {files?: Record<string, string>, enable?: readonly string[]}}} input
 */
export function makeDisk(input) {
  const { tree, directory } = input;
  const root = makeRoot(input);
  const disk = path.join(directory, 'disk.img');
  rmSync(disk, { force: true });
  runTool('mkfs.ext4', ['-q', '-F', '-d', root, disk, '3G']);
  rmSync(root, { recursive: true, force: true });
  const boot = readdirSync(path.join(tree, 'boot'));
  const file = (prefix) => path.join(tree, 'boot', boot.find((name) => name.startsWith(prefix)) ?? prefix);
  return { directory, disk, kernel: file('vmlinuz'), initrd: file('initrd') };
}

/** What is on the disk, as a directory. It shares its files with the tree: none may be written in place. */
export function makeRoot({ tree, directory, guest, scenario }) {
  const root = path.join(directory, 'root');
  rmSync(root, { recursive: true, force: true });
  // links to the same files: what is written here is written anew
  runTool('cp', ['-al', `${tree}/.`, root]);
  placeAgent(root);
  placeQrun(root, guest);
  for (const [file, text] of Object.entries(scenario.files ?? {})) place(root, file, text);
  systemctl(root, 'enable', scenario.enable ?? []);
  return root;
}

/** NetworkManager takes no connection that others can read. */
function place(root, file, text) {
  const target = path.join(root, file);
  mkdirSync(path.dirname(target), { recursive: true });
  rmSync(target, { force: true });
  writeFileSync(target, text);
  chmodSync(target, file.includes('system-connections') ? 0o600 : 0o644);
}

function placeAgent(root) {
  mkdirSync(path.join(root, 'opt/boot'), { recursive: true });
  copyFileSync(path.join(import.meta.dirname, 'agent.sh'), path.join(root, 'opt/boot/agent.sh'));
  const unit = [
    ...['[Unit]', 'Description=Runs what the test says', ''],
    ...[
      '[Service]',
      'ExecStart=/bin/sh /opt/boot/agent.sh',
      'KillMode=process',
      'StandardOutput=journal+console',
      'StandardError=journal+console',
      'Environment=HOME=/root',
      '',
    ],
    ...['[Install]', 'WantedBy=multi-user.target', ''],
  ];
  place(root, 'etc/systemd/system/boot-agent.service', unit.join('\n'));
  systemctl(root, 'enable', ['boot-agent.service']);
}

/** As an installation has it: root's, and all may read it. With a profile of the ordinary user's for each way onto a network. */
function placeQrun(root, guest) {
  const from = process.env.QRUN_BOOT_PACKAGE ?? repository;
  const qrun = path.join(root, 'opt/qrun');
  for (const name of ['bin', 'dist', 'schema', 'profiles', 'labs', 'networks', 'package.json'])
    cpSync(path.join(from, name), path.join(qrun, name), { recursive: true });
  runTool('chmod', ['-R', 'u=rwX,go=rX', qrun]);
  copyFileSync(process.execPath, path.join(root, 'usr/local/bin/node'));
  chmodSync(path.join(root, 'usr/local/bin/node'), 0o755);
  symlinkSync('/opt/qrun/bin/qrun.js', path.join(root, 'usr/local/bin/qrun'));
  const home = path.join(root, 'home', user);
  const profiles = path.join(home, '.config/qrun/profiles');
  mkdirSync(profiles, { recursive: true });
  copyFileSync(guest.vmlinuz, path.join(profiles, 'vmlinuz'));
  copyFileSync(guest.initrd, path.join(profiles, 'initrd.gz'));
  runTool('chown', ['-R', '1000:1000', home]);
  runTool('chmod', ['-R', 'u=rwX,go=rX', home]);
}
