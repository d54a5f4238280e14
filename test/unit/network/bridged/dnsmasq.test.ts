import { expect, test } from 'vitest';
import { renderDnsmasq, renderDnsmasqHosts } from '../../../../src/network/bridged/dnsmasq.ts';
import { parseDnsmasqLeases, parseDnsmasqLeases6 } from '../../../../src/network/bridged/leases.ts';
import { layoutOf } from '../../../../src/network/layout.ts';
import { parseNetwork } from '../../../../src/network/parse.ts';
import { saidOf } from '../network-text.ts';
import type { IfName, VmName } from '../../../../src/names.ts';

const files = { hosts: '/host/lan0.hosts', leases: '/state/lan0.leases', pid: '/run/lan0.pid' };

function linesOf(text: string): string[] {
  const network = parseNetwork(text, { file: '/etc/qrun/networks/lan0.yaml', name: 'lan0' as VmName, uid: 0 });
  return renderDnsmasq({ network, layout: layoutOf(network), bridge: 'qr-lan0' as IfName, files })
    .trimEnd()
    .split('\n');
}

test('it answers on its own bridge, and nowhere else', () => {
  const lines = linesOf('addresses: [10.10.120.1/24]');
  expect(lines).toEqual(expect.arrayContaining(['interface=qr-lan0', 'except-interface=lo', 'bind-dynamic']));
  expect(lines.filter((line) => /^(interface|listen-address)=/.test(line))).toEqual(['interface=qr-lan0']);
});

test('addresses come from the ranges that are written, and fixed ones from the rest of the subnet', () => {
  const lines = linesOf(`
addresses: [10.10.120.1/24]
dhcp:
  ranges: [10.10.120.50-10.10.120.60]
  lease: 1h
  options: [{ option: ntp-server, value: 10.10.120.1 }, { option: default-ttl, value: "40" }]
mtu: 1400
`);
  expect(lines).toEqual(
    expect.arrayContaining([
      'dhcp-range=10.10.120.50,10.10.120.60,255.255.255.0,3600',
      'dhcp-range=10.10.120.0,static,255.255.255.0,3600',
      'dhcp-option-force=42,10.10.120.1',
      // one byte: as a number
      'dhcp-option-force=23,40',
      'dhcp-option-force=26,1400',
      'no-ping',
      'dhcp-authoritative',
    ]),
  );
});

test('an isolated network hands out no gateway and asks no name server', () => {
  const lines = linesOf('forward: isolated\naddresses: [10.10.120.1/24, "fd00:120::1/64"]');
  expect(lines).toEqual(expect.arrayContaining(['dhcp-option=3', 'no-resolv', 'ra-param=qr-lan0,0,0']));
  expect(lines.filter((line) => line.startsWith('server='))).toEqual([]);
});

test('names: the domain, hosts with and without it, records', () => {
  const lines = linesOf(`
addresses: [10.10.120.1/24]
dns:
  domain: lan0.test
  search: [example.test]
  hosts: [{ ip: 10.10.120.1, names: [gw, db.other.test] }]
  forwarders: [9.9.9.9]
  records:
    txt: [{ name: note, text: 'a, b' }]
    srv: [{ name: _ldap._tcp, target: db.lan0.test, port: 389 }, { name: _sip._udp, target: gw, port: 5060 }]
`);
  expect(lines).toEqual(
    expect.arrayContaining([
      'domain=lan0.test',
      'local=/lan0.test/',
      'host-record=gw.lan0.test,gw,db.other.test,10.10.120.1',
      'txt-record=note,"a, b"',
      'txt-record=note.lan0.test,"a, b"',
      'srv-host=_ldap._tcp,db.lan0.test,389',
      'srv-host=_sip._udp,gw.lan0.test,5060',
      'server=9.9.9.9',
      'no-resolv',
      'dhcp-option=option:domain-search,lan0.test,example.test',
    ]),
  );
});

test('IPv6: advertised, and stateless unless a range is written', () => {
  expect(linesOf('addresses: [10.10.120.1/24, "fd00:120::1/64"]')).toEqual(
    expect.arrayContaining(['enable-ra', 'dhcp-range=fd00:120::,ra-stateless,64,43200']),
  );
  expect(
    linesOf('addresses: [10.10.120.1/24, "fd00:120::1/64"]\ndhcp: { ranges: ["fd00:120::100-fd00:120::1ff"] }'),
  ).toEqual(expect.arrayContaining(['enable-ra', 'dhcp-range=fd00:120::100,fd00:120::1ff,64,43200']));
});

test('several networks on one bridge: each range with its own mask, fixed addresses in all of them', () => {
  const lines = linesOf(`
addresses: [10.10.120.1/24, 10.20.0.1/16, "fd00:120::1/64", "fd00:121::1/64"]
dhcp:
  ranges: [10.10.120.50-10.10.120.60, 10.20.7.1-10.20.8.0, "fd00:121::10-fd00:121::20", "fd00:121::30-fd00:121::40"]
  hosts: [{ mac: "52:54:00:aa:bb:cc", ip: "fd00:120::9" }, { mac: "52:54:00:aa:bb:cc", ip: 10.20.0.9 }]
`);
  expect(lines.filter((line) => line.startsWith('dhcp-range='))).toEqual([
    'dhcp-range=10.10.120.50,10.10.120.60,255.255.255.0,43200',
    'dhcp-range=10.20.7.1,10.20.8.0,255.255.0.0,43200',
    'dhcp-range=10.10.120.0,static,255.255.255.0,43200',
    'dhcp-range=10.20.0.0,static,255.255.0.0,43200',
    'dhcp-range=fd00:120::,static,slaac,64,43200',
    'dhcp-range=fd00:121::10,fd00:121::20,64,43200',
    'dhcp-range=fd00:121::30,fd00:121::40,64,43200',
  ]);
});

test('the longest lease: who asks for a time has ranges of his own', () => {
  const rangesOf = (dhcp: string) =>
    linesOf(`addresses: [10.10.120.1/24]\ndhcp: { ranges: [10.10.120.50-10.10.120.60], ${dhcp} }`).filter((line) =>
      /^dhcp-(range|match)=/.test(line),
    );
  expect(rangesOf('lease: 1h, maxLease: infinite')).toEqual([
    'dhcp-match=set:asks,51',
    'dhcp-range=tag:!asks,10.10.120.50,10.10.120.60,255.255.255.0,3600',
    'dhcp-range=tag:asks,10.10.120.50,10.10.120.60,255.255.255.0,infinite',
    'dhcp-range=tag:!asks,10.10.120.0,static,255.255.255.0,3600',
    'dhcp-range=tag:asks,10.10.120.0,static,255.255.255.0,infinite',
  ]);
  expect(rangesOf('lease: 1h, maxLease: 1h')).toEqual([
    'dhcp-range=10.10.120.50,10.10.120.60,255.255.255.0,3600',
    'dhcp-range=10.10.120.0,static,255.255.255.0,3600',
  ]);
});

test('with dhcpd it answers names alone, and makes IPv6 known', () => {
  const lines = linesOf(`
addresses: [10.10.120.1/24, "fd00:120::1/64"]
dhcp: { server: dhcpd, tftp: { root: /srv/tftp, file: pxelinux.0 } }
`);
  expect(lines.filter((line) => /^(dhcp|addn|enable)/.test(line))).toEqual([
    'addn-hosts=/host/lan0.hosts',
    'enable-ra',
    // never the file that it would take by itself
    'dhcp-leasefile=/state/lan0.leases',
    'dhcp-lease-max=65536',
    'dhcp-range=fd00:120::,ra-stateless,64,43200',
    'enable-tftp',
  ]);
});

test('paths are quoted: none of their characters is a word of its own', () => {
  expect(linesOf('addresses: [10.10.120.1/24]\ndhcp: { tftp: { root: "/srv/a #b, c", file: "x,y z" } }')).toEqual(
    expect.arrayContaining(['tftp-root="/srv/a #b, c"', 'dhcp-boot="x,y z"']),
  );
});

test.for(['web1\nconf-file=/x', 'a\u2028b'])('36: what is more than a line is written nowhere: %j', (text) => {
  expect(() =>
    linesOf(JSON.stringify({ addresses: ['10.10.120.1/24'], dns: { records: { txt: [{ name: 'note', text }] } } })),
  ).toThrow();
});

test('fixed hosts: one line each, a name only if it is one, of two with one address the first', () => {
  expect(
    renderDnsmasqHosts([
      { mac: '52:54:00:00:00:01', ip: '10.0.0.5', name: 'web1' },
      { mac: '52:54:00:00:00:02', ip: '10.0.0.5', name: 'web2' },
      { mac: '52:54:00:00:00:03', ip: 'fd00::5', name: 'not_a.name' },
      { mac: '52:54:00:00:00:04', ip: '10.0.0.6', name: 'web1' },
    ]),
  ).toBe('52:54:00:00:00:01,10.0.0.5,web1\n52:54:00:00:00:03,[fd00::5]\n52:54:00:00:00:04,10.0.0.6\n');
  expect(
    renderDnsmasqHosts([
      { mac: '52:54:00:00:00:01', ip: '10.0.0.5', name: 'db' },
      { mac: '52:54:00:00:00:01', ip: 'fd00::5', name: 'db' },
      { mac: '52:54:00:00:00:01', ip: '10.0.0.6' },
    ]),
  ).toBe('52:54:00:00:00:01,10.0.0.5,[fd00::5],db\n');
  expect(() => renderDnsmasqHosts([{ mac: 'x\ny', ip: '10.0.0.5' }])).toThrow('more than a line');
});

test('leases: those of IPv4 by MAC, those of IPv6 by DUID and IAID; what is something else is passed over', () => {
  const text = [
    '1700000000 52:54:00:00:00:01 10.0.0.5 web1 01:52:54:00:00:00:01',
    '0 52:54:00:00:00:02 10.0.0.6 * *',
    'duid 00:01:00:01:2b',
    '1700000000 123456 fd00::5 web1 00:01:ff',
    '0 T7 fd00::6 * *',
    '1700000000 8 10.0.0.9 * 00:01',
    '1700000000 99999999999 fd00::7 * 00:01',
    'torn 52:54',
    '1700000000 9 fd00',
    '',
  ].join('\n');
  expect(parseDnsmasqLeases(text)).toEqual([
    { mac: '52:54:00:00:00:01', ip: '10.0.0.5', hostName: 'web1', expires: 1_700_000_000 },
    { mac: '52:54:00:00:00:02', ip: '10.0.0.6', expires: 0xff_ff_ff_ff },
  ]);
  expect(parseDnsmasqLeases6(text)).toEqual([
    { iaid: 123_456, ip: 'fd00::5', hostName: 'web1', duid: '00:01:ff', expires: 1_700_000_000 },
    { iaid: 7, ip: 'fd00::6', expires: 0xff_ff_ff_ff },
  ]);
});

test('antiSpoof: addresses of IPv6 that nobody’s are before they are asked for are refused', () => {
  const six = (prefix: number) => `antiSpoof: true\naddresses: [10.1.1.1/24, "fd00:1::1/${prefix}"]\n`;
  const said = (text: string) => saidOf(text, { uid: 0 });
  expect(said(`${six(64)}dhcp: { ranges: ["fd00:1::10-fd00:1::20"] }`)).toEqual([
    expect.stringMatching(/dhcp\.ranges\[0\]: fd00:1::10-fd00:1::20: with antiSpoof .*"dhcp\.hosts"/),
  ]);
  expect(said(six(112))).toEqual([expect.stringMatching(/addresses\[1\]: fd00:1::1\/112: .* smaller than \/64/)]);
  expect(said(`${six(64)}dhcp: { hosts: [{ vm: a, ip: "fd00:1::9" }], ranges: [10.1.1.5-10.1.1.9] }`)).toEqual([]);
  // that there is no DHCP is the one thing to say
  expect(said(`forward: route\n${six(112)}`)).toEqual([expect.stringMatching(/antiSpoof: .* what DHCP gave it/)]);
});
