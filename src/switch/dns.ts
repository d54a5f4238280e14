/**
 * The network's own names: members, leases and what the configuration says. Whatever else is asked goes on to the gateway, whose slirp asks the host's
 * resolver; where there is no way out, it does not exist.
 */
import { buildReply6, payloadOfDatagram6 } from './datagram6.ts';
import { isHostOf, slirpMac, type Subnet } from './address.ts';
import { buildDnsAnswer, dnsCodes, dnsTypes, encodeName, parseDnsQuestion, parseReverseName } from './dns-message.ts';
import type { DnsQuestion, DnsRecord } from './dns-message.ts';
import { buildDatagram, type Datagram } from './frame.ts';
import type { NameTable } from './name-table.ts';

export interface DnsSettings {
  readonly subnet: Subnet;
  readonly dnsServer: number;
  readonly isolated: boolean;
}

/** The answer in its envelope, `pass` if the gateway has to be asked, undefined if it is no question of a guest's. */
export function answerDns(datagram: Datagram, names: NameTable, settings: DnsSettings): Buffer | 'pass' | undefined {
  if (!isHostOf(settings.subnet, datagram.sourceIp)) return undefined;
  const question = parseDnsQuestion(datagram.payload);
  if (question === undefined) return undefined;
  const payload = answerQuestion(question, names, settings);
  return payload === 'pass'
    ? 'pass'
    : buildDatagram({
        sourceMac: slirpMac(settings.dnsServer),
        sourceIp: settings.dnsServer,
        sourcePort: datagram.destinationPort,
        destinationMac: datagram.sourceMac,
        destinationIp: datagram.sourceIp,
        destinationPort: datagram.sourcePort,
        payload,
      });
}

/** The same for a frame of a question over IPv6, to the gateway's own address. */
export function answerDns6(frame: Buffer, names: NameTable, settings: DnsSettings): Buffer | 'pass' | undefined {
  const payload = payloadOfDatagram6(frame);
  const question = payload === undefined ? undefined : parseDnsQuestion(payload);
  if (question === undefined) return undefined;
  const answer = answerQuestion(question, names, settings);
  return answer === 'pass' ? 'pass' : buildReply6(frame, answer);
}

export function answerQuestion(question: DnsQuestion, names: NameTable, settings: DnsSettings): Buffer | 'pass' {
  const addresses = question.class === internet ? names.addressesOf(question.name) : undefined;
  if (addresses !== undefined) return buildDnsAnswer(question, dnsCodes.noError, addressRecords(question, addresses));
  const reverse = question.class === internet ? parseReverseName(question.name) : undefined;
  if (reverse !== undefined && isHostOf(settings.subnet, reverse))
    return answerReverse(question, names.nameOf(reverse));
  if (question.name === names.domain) return buildDnsAnswer(question, dnsCodes.noError);
  const isOurs = names.domain !== undefined && question.name.endsWith(`.${names.domain}`);
  return isOurs || settings.isolated ? buildDnsAnswer(question, dnsCodes.noSuchName) : 'pass';
}

const internet = 1;

/** A name that has no address of the kind that is asked for exists nevertheless. */
function addressRecords({ type }: DnsQuestion, addresses: readonly number[]): DnsRecord[] {
  if (type !== dnsTypes.a && type !== dnsTypes.any) return [];
  return addresses.map((ip) => {
    const data = Buffer.alloc(4);
    data.writeUInt32BE(ip);
    return { type: dnsTypes.a, data };
  });
}

function answerReverse(question: DnsQuestion, name: string | undefined): Buffer {
  if (name === undefined) return buildDnsAnswer(question, dnsCodes.noSuchName);
  const isAsked = question.type === dnsTypes.ptr || question.type === dnsTypes.any;
  return buildDnsAnswer(question, dnsCodes.noError, isAsked ? [{ type: dnsTypes.ptr, data: encodeName(name) }] : []);
}
