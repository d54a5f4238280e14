/**
 * What starts with the host, on one that really starts: networks and VMs of root's and of an ordinary user's who lingers, by the units that `qrun
 * autostart` writes. Three reboots: into it, through the end of guests that run, and with nothing of it left.
 */
import { user } from './image.mjs';
import { asUser, tell } from './trial.mjs';

const home = `/home/${user}`;
const consoleOf = {
  web1: '/var/lib/qrun/vms/web1/console.log',
  web2: `${home}/.local/state/qrun/vms/web2/console.log`,
};
const endOf = (vm) => consoleOf[vm].replace('console.log', 'last.json');
const journalOf = { root: 'UNIT', user: 'USER_UNIT' };
const systemctl = { root: (words) => `systemctl ${words}`, user: (words) => asUser(`systemctl --user ${words}`) };

const unitsOf = {
  root: 'qrun-net-lan0 qrun-net-lan1 qrun-vm-web1 qrun-vm-still1 qrun-vm-gone1',
  user: 'qrun-net-lab qrun-vm-web2 qrun-vm-web3',
};

/** A machine under emulation, on a host that has other things to do, takes its time. */
const soon = async (trial, { condition, sentence, seconds = 300 }) =>
  await trial.holds(
    `end=$(($(date +%s) + ${seconds})); until { ${condition}; }; do test $(date +%s) -lt $end || exit 1; sleep 1; done`,
    sentence,
    { timeoutMs: (seconds + 240) * 1000 },
  );
const file = (name, ...lines) =>
  `mkdir -p $(dirname ${name}); printf '%s\\n' ${lines.map((line) => `'${line}'`).join(' ')} >${name}`;

const guest = (name, network) => [
  ...['kernel: /opt/guest/vmlinuz', 'initrd: /opt/guest/initrd.gz', 'accel: tcg', 'memory: 128M'],
  `append: console=ttyS0 quiet nokaslr mitigations=off panic=-1 no_timer_check qrun.name=${name}`,
  `nics: [network:${network}]`,
  // an emulated guest on an emulated host that is slow hears of its end late; a user's guests have 120 s
  'shutdown: { timeout: 100 }',
];
/** One that costs nothing while it runs. */
const still = (...more) => ['accel: tcg', 'memory: 32M', 'args: [-S]', 'shutdown: { timeout: 3 }', ...more];

const files = [
  `mkdir -p /opt/guest; cp ${home}/.config/qrun/profiles/vmlinuz ${home}/.config/qrun/profiles/initrd.gz /opt/guest; chmod -R a+rX /opt/guest`,
  file(
    '/etc/qrun/networks/lan0.yaml',
    'forward: nat',
    'scope: system',
    'addresses: [10.66.0.1/24]',
    'ports: 1',
    `owner: ${user}`,
  ),
  file('/root/lan1.yaml', 'forward: bridge', 'bridge: { name: br0 }', 'ports: 1', `owner: ${user}`, 'autostart: true'),
  file('/etc/qrun/profiles/web1.yaml', ...guest('web1', 'lan0')),
  file('/etc/qrun/profiles/still1.yaml', ...still('nics: [user]')),
  file('/etc/qrun/profiles/gone1.yaml', ...still('nics: [user]')),
  file(`${home}/.config/qrun/networks/lab.yaml`, 'forward: nat', 'scope: user'),
  file(`${home}/.config/qrun/profiles/web2.yaml`, ...guest('web2', 'lab')),
  file(`${home}/.config/qrun/profiles/web3.yaml`, ...still('nics: [network:lan0]')),
  `chown -R ${user}: ${home}/.config`,
];

/** Without a session and without linger: no systemd of the user's. */
const bare = `setpriv --reuid=${user} --regid=${user} --init-groups env -i HOME=${home} PATH=/usr/local/bin:/usr/bin:/bin`;

async function write(trial) {
  const { machine } = trial;
  for (const one of files) await machine.must(one);
  await trial.fails(`${bare} qrun net autostart lab`, 3, {
    said: `loginctl enable-linger ${user}`,
    sentence: 'without a session the user is told to linger',
  });
  await trial.does('qrun net autostart lan0', /lan0 starts with the host/);
  await trial.does('qrun net define /root/lan1.yaml', /lan1 starts with the host/);
  await trial.does('qrun autostart web1', /web1 starts with the host/);
  await trial.does('qrun autostart still1', /still1 starts with the host/);
  await trial.does('qrun autostart gone1', /gone1 starts with the host/);
  await trial.does(asUser('qrun net autostart lab'), /logs in first; .*loginctl enable-linger alice/);
  await trial.does(`loginctl enable-linger ${user}`);
  for (const vm of ['web2', 'web3']) await trial.does(asUser(`qrun autostart ${vm}`), /starts with the host/);
  for (const [who, units] of Object.entries(unitsOf))
    await trial.holds(systemctl[who](`is-enabled ${units}`), `${who}: is-enabled ${units}`);
  await oddPlaces(trial);
  await machine.must('rm /etc/qrun/profiles/gone1.yaml');
}

/** Places and a program of which systemd must not understand a word but as it stands. */
const odd = [
  'odd=" %n \\$HOME \\"q\\" \\\\x41 é;"',
  'test -d "/opt/qrun$odd" || exit 9',
  'export QRUN_STATE_DIR="$HOME/state$odd"',
  'qrun() { node "/opt/qrun$odd/bin/qrun.js" "$@"; }',
  'qrun net autostart odd',
  'systemctl --user start qrun-net-odd',
  'test -s "$QRUN_STATE_DIR/networks/odd/network.json"',
  'qrun net ls | grep -E "^odd +pinned .* yes "',
  'systemctl --user stop qrun-net-odd',
  'qrun net ls | grep -E "^odd +defined "',
  'qrun net autostart odd --off',
  'rm -r "$QRUN_STATE_DIR"',
];

async function oddPlaces(trial) {
  const { machine } = trial;
  const script = `${home}/odd.sh`;
  await machine.must(`cat >${script} <<'EOF'\nset -e\n${odd.join('\n')}\nEOF`);
  await machine.must(`${odd[0]}; cp -r /opt/qrun "/opt/qrun$odd"`);
  await machine.must(file(`${home}/.config/qrun/networks/odd.yaml`, 'forward: isolated', 'scope: user'));
  await trial.holds(
    `${asUser(`sh ${script}`)} || { cat ${home}/.config/systemd/user/qrun-net-odd.service; journalctl -b --no-pager | tail -20; false; }`,
    'a unit with places that have blanks, quotes, %, $ and backslashes',
  );
  await machine.must(`${odd[0]}; rm -r "/opt/qrun$odd" ${script} ${home}/.config/qrun/networks/odd.yaml`);
}

/** A guest under two emulations takes its time. */
const isUp = (vm) => `grep -q "qrun-guest: up name=${vm}" ${consoleOf[vm]}`;

async function started(trial, when) {
  const { machine } = trial;
  const shows = async (condition, sentence) => await soon(trial, { condition, sentence: `${when}: ${sentence}` });
  await shows('qrun net ls | grep -E "^lan0 +pinned .* yes "', 'qrun net ls: lan0 is up');
  await shows('qrun net ls | grep -E "^lan1 +pinned .* yes "', 'lan1 is up, on the bridge of setup');
  await shows('qrun ps | grep -E "^web1 .* running "', 'qrun ps: web1 runs');
  await shows(asUser('qrun net ls | grep -E "^lab +pinned .* yes "'), 'qrun net ls of the user’s: lab is up');
  await shows(asUser('qrun ps | grep -E "^web2 .* running "'), 'qrun ps of the user’s: web2 runs');
  await shows(asUser('qrun ps | grep -E "^web3 .* paused "'), 'web3 runs, on its port of lan0');
  // one is enough for is-active
  for (const who of ['root', 'user'])
    await trial.holds(
      `states=$(${systemctl[who](`is-active ${unitsOf[who].replace(' qrun-vm-gone1', '')}`)}); echo $states; test "$(echo "$states" | sort -u)" = active`,
      `${when}: ${who}’s units are active`,
    );
  // each may have been tried again since
  for (const { who, network, vm } of [
    { who: 'root', network: 'lan0', vm: 'web1' },
    { who: 'user', network: 'lab', vm: 'web2' },
  ])
    await trial.holds(
      [
        `journalctl -b -o cat ${journalOf[who]}=qrun-net-${network}.service + ${journalOf[who]}=qrun-vm-${vm}.service | tee /dev/stderr | awk '`,
        `/^(Finished|Failed to start) qrun-net-${network}[.]service/ { tried = 1 }`,
        `/^Starting qrun-vm-${vm}[.]service/ { after = tried; exit }`,
        "END { exit !after }'",
      ].join('\n'),
      `${when}: ${vm} came after ${network}`,
    );
  const { text } = await machine.run(`qrun net ls; qrun ps; ${asUser('qrun net ls; qrun ps')}`);
  tell(text.replaceAll(/^/gm, '          '));
}

const guestUp = async (trial, vm) =>
  await soon(trial, { condition: isUp(vm), sentence: `the guest of ${vm} is up`, seconds: 1200 });

/** Units whose VM is gone say so, and are alone in that. */
async function failedReadably(trial) {
  await trial.holds(
    'test "$(systemctl list-units --failed --no-legend --plain | cut -d " " -f 1)" = qrun-vm-gone1.service || { systemctl list-units --failed; journalctl -b -p err --no-pager | tail -30; false; }',
    'only the unit whose VM is gone has failed',
  );
  await trial.holds(
    'journalctl -b --no-pager -u qrun-vm-gone1 | grep -i "no .*gone1" || { journalctl -b --no-pager -u qrun-vm-gone1; false; }',
    'its journal says why',
  );
  await trial.holds(
    `test -z "$(${systemctl.user('list-units --failed --no-legend')})" || { ${systemctl.user('list-units --failed')}; journalctl -b --no-pager | tail -30; false; }`,
    'none of the user’s has',
  );
  await trial.does('qrun doctor || true', /qrun-vm-gone1.service: its profile is gone/);
}

/** By qrun and by systemd; nobody starts it again. */
async function stopped(trial) {
  const { machine } = trial;
  await trial.does(asUser('qrun stop web3'), /web3 stopped/);
  await trial.does('qrun kill still1');
  await machine.must('sleep 25');
  await trial.holds(
    `${systemctl.user('show -p ActiveState -p NRestarts -p Result qrun-vm-web3')} | sort | tr "\\n" " " | grep "ActiveState=inactive NRestarts=[0-9]* Result=success" && ${asUser('! qrun ps | grep web3')}`,
    'web3, stopped by qrun stop, is not started again, and its unit has not failed',
  );
  await trial.holds(
    'test "$(systemctl is-active qrun-vm-still1)" = inactive && ! qrun ps | grep still1',
    'still1, killed by qrun kill, is not either',
  );
  await trial.does('systemctl start qrun-vm-still1');
  await trial.holds('qrun ps | grep "^still1 "', 'systemctl start: it runs again');
  await trial.does('systemctl restart qrun-vm-still1 && systemctl is-active qrun-vm-still1');
  await trial.does('systemctl stop qrun-vm-still1');
  await trial.holds('! qrun ps | grep still1', 'systemctl stop: it does not');
  await trial.does(systemctl.user('start qrun-vm-web3'));
}

/** Root's guest, and the way to it. */
async function reached(trial) {
  await guestUp(trial, 'web1');
  await trial.holds(
    `ping -c 2 -W 5 $(sed -n 's/.*net eth0 .* ip=\\([0-9.]*\\).*/\\1/p' ${consoleOf.web1} | tail -1)`,
    'web1 answers, at its lease of lan0',
  );
}

/** A guest with a system in it has its own time. */
async function poweredDown(trial) {
  await trial.does('systemctl stop qrun-vm-web1');
  await trial.holds(`grep poweroff ${consoleOf.web1}`, 'systemctl stop: the guest of web1 powered itself down');
  await trial.holds(`grep guest-shutdown ${endOf('web1')}`, 'and qrun knows that');
  await trial.holds('test "$(systemctl is-active qrun-vm-web1)" = inactive', 'its unit is inactive');
  await trial.does('systemctl start qrun-vm-web1');
}

/** What the last start left to be read. */
async function endedInOrder(trial) {
  for (const vm of ['web1', 'web2']) {
    await trial.holds(
      `grep poweroff ${consoleOf[vm]}.1 || { tail -5 ${consoleOf[vm]}.1; journalctl -b -1 --no-pager | tail -80; false; }`,
      `the host’s end: the guest of ${vm} powered itself down`,
    );
    await trial.holds(
      `journalctl -b -1 --no-pager | grep "qrun\\[.*${vm} stopped"`,
      `the journal of that end says that ${vm} stopped`,
    );
  }
}

/** Everything is taken back, each in its own way. */
async function takeAway(trial) {
  const { machine } = trial;
  await trial.does('qrun autostart gone1 --off', /starts by itself no more/);
  await trial.does(asUser('qrun net autostart lab --off'), /starts by itself no more/);
  await trial.does(asUser('qrun stop --timeout 5 web2 web3 && qrun rm web2 web3'));
  await trial.does(asUser('qrun net down lab && qrun net rm lab'));
  await trial.holds(
    `left=$(${systemctl.user('list-units --all --no-legend --plain "qrun-*"')}; find ${home}/.config/systemd ! -type d); test -z "$left" || { echo "$left"; false; }`,
    'the user’s systemd knows of no unit any more',
  );
  await reached(trial);
  await poweredDown(trial);
  await trial.does('qrun autostart web1 --off', /will not power it down/);
  await trial.holds(
    'test ! -e /etc/systemd/system/qrun-vm-web1.service && qrun ps | grep "^web1 "',
    '--off: the unit is gone, the VM runs on',
  );
  await trial.does('qrun stop --timeout 5 web1 still1 && qrun rm web1 still1', /web1 stopped/);
  await trial.does('qrun net down lan0 lan1 && qrun net rm lan0 lan1');
  await trial.holds(
    `for i in 1 2 3 4 5; do left=$(systemctl list-units --all --no-legend --plain "qrun-net-*" "qrun-vm-*"; systemctl list-unit-files --no-legend "qrun-net-*" "qrun-vm-*"); test -z "$left" && exit 0; sleep 2; done; echo "$left"; exit 1`,
    'nor does the host’s',
  );
  await machine.must(`loginctl disable-linger ${user}; rm -rf /etc/qrun /root/lan1.yaml`);
}

export async function playAutostart(trial) {
  const { machine } = trial;
  await machine.start();
  await machine.must('mkdir -p /var/log/journal && systemctl restart systemd-journald && udevadm settle; sleep 3');
  const before = await trial.look();
  await trial.does('qrun setup --bridge br0 --address 10.0.5.1/24');
  await write(trial);
  await machine.reboot();
  await started(trial, 'after a reboot');
  await failedReadably(trial);
  await stopped(trial);
  await reached(trial);
  await guestUp(trial, 'web2');
  await machine.reboot();
  await started(trial, 'after another');
  await endedInOrder(trial);
  await takeAway(trial);
  await trial.does('qrun setup --undo');
  await machine.reboot();
  await machine.must('udevadm settle; sleep 3');
  trial.same(before, await trial.look(), { sentence: 'after all is taken back, and a reboot, all is as before' });
}
