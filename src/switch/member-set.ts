/** The NICs of the network, as qrun has written them down: one small file for each. A file that is none is told once and left out. */
import { readdirSync } from 'node:fs';
import path from 'node:path';
import { errnoOf } from '../errors.ts';
import { parseIpv4, parseMac } from './address.ts';
import type { SwitchMember } from './config.ts';
import { isHostName } from './host-name.ts';
import type { Log } from './log.ts';
import { parseJson, readSmall, signatureOf } from './small-file.ts';

export interface Member {
  readonly vm: string;
  readonly mac: number;
  readonly port?: string;
  readonly ip?: number;
  readonly hostName?: string;
}

const maxMembers = 4096;

export class MemberSet {
  readonly #directory: string;
  readonly #log: Log;
  #signature = '';
  #byMac = new Map<number, Member>();
  #vmOfPort = new Map<string, string>();

  constructor(directory: string, log: Log) {
    this.#directory = directory;
    this.#log = log;
  }

  get all(): readonly Member[] {
    return [...this.#byMac.values()];
  }

  /** Whose MAC it is, if that VM has a port here at all. */
  vmOfMac(mac: number): string | undefined {
    const member = this.#byMac.get(mac);
    return member?.port === undefined ? undefined : member.vm;
  }

  vmOfPort(port: string): string | undefined {
    return this.#vmOfPort.get(port);
  }

  /** Reads the directory anew. Gives whether anything there is different. */
  scan(): boolean {
    const files = memberFiles(this.#directory, this.#log);
    const signature = files.map(signatureOf).join('\n');
    if (signature === this.#signature) return false;
    this.#signature = signature;
    this.#byMac = new Map();
    this.#vmOfPort = new Map();
    for (const file of files.slice(0, maxMembers)) this.#add(file);
    return true;
  }

  #add(file: string): void {
    const name = path.basename(file);
    const text = readSmall(file);
    if (text === undefined) return; // it has just been removed
    const member = parseMember(text);
    if (member === undefined) this.#log.once(`member ${name}`, `${name} describes no member, and is left out`);
    else if (this.#byMac.has(member.mac))
      this.#log.once(`twice ${name}`, `${name} has the MAC of another member, and is left out`);
    else {
      this.#byMac.set(member.mac, member);
      if (member.port !== undefined) this.#vmOfPort.set(member.port, member.vm);
    }
  }
}

function memberFiles(directory: string, log: Log): string[] {
  try {
    const names = readdirSync(directory).filter((name) => name.endsWith('.json') && !name.startsWith('.'));
    return names.toSorted().map((name) => path.join(directory, name));
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT')
      log.once('members directory', `cannot read ${directory}: ${errnoOf(error) ?? 'error'}`);
    return [];
  }
}

/** Undefined: it is no member of a version that we know. */
function parseMember(text: string): Member | undefined {
  const value = parseJson(text) as Partial<Record<keyof SwitchMember, unknown>> | undefined;
  if (typeof value !== 'object' || value === null || value.v !== 1) return undefined;
  const mac = typeof value.mac === 'string' ? parseMac(value.mac) : undefined;
  if (mac === undefined || typeof value.vm !== 'string') return undefined;
  const ip = typeof value.ip === 'string' ? parseIpv4(value.ip) : undefined;
  const hostName = typeof value.hostName === 'string' ? value.hostName.toLowerCase() : undefined;
  return {
    vm: value.vm,
    mac,
    ...(typeof value.port === 'string' && { port: path.basename(value.port) }),
    ...(ip !== undefined && { ip }),
    ...(hostName !== undefined && isHostName(hostName) && { hostName }),
  };
}
