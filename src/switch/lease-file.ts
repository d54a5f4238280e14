/** The leases on disk (SwitchLeases): written as a whole, soon after a change and not more often than now and then; read at the start. */
import { renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { formatIpv4, formatMac, parseIpv4, parseMac } from './address.ts';
import type { SwitchLeases } from './config.ts';
import { isHostName } from './host-name.ts';
import type { Lease } from './lease-table.ts';
import type { Log } from './log.ts';

const writeEveryMs = 250;
/** A lease that ran out so long ago is forgotten. */
const rememberS = 30 * 24 * 3600;

export interface LeaseFile {
  /** The first of several changes is written at once, the others a little later together. */
  readonly changed: () => void;
  /** Writes what was not written yet. */
  readonly finish: () => void;
}

export interface LeaseFileOptions {
  readonly file: string;
  readonly log: Log;
  readonly leases: () => readonly Lease[];
}

export function createLeaseFile({ file, log, leases }: LeaseFileOptions): LeaseFile {
  let timer: NodeJS.Timeout | undefined;
  let isDirty = false;
  function write(): void {
    isDirty = false;
    try {
      replace(file, renderLeases(leases(), Date.now() / 1000));
    } catch (error) {
      log.once('leases', `cannot write ${file}: ${error instanceof Error ? error.message : 'error'}`);
    }
  }
  return {
    changed: () => {
      isDirty = true;
      if (timer !== undefined) return;
      write();
      timer = setTimeout(() => {
        timer = undefined;
        if (isDirty) write();
      }, writeEveryMs);
    },
    finish: () => {
      clearTimeout(timer);
      if (isDirty) write();
    },
  };
}

/** A reader, or a kill, finds the old text or the new one. */
function replace(file: string, text: string): void {
  const draft = path.join(path.dirname(file), `.${path.basename(file)}.switch`);
  try {
    writeFileSync(draft, text, { mode: 0o600 });
    renameSync(draft, file);
  } catch (error) {
    rmSync(draft, { force: true });
    throw error;
  }
}

export function renderLeases(leases: readonly Lease[], nowS: number): string {
  const document: SwitchLeases = {
    v: 1,
    leases: leases
      .filter(({ isOffer, expiresS }) => !isOffer && expiresS > nowS - rememberS)
      .map(({ mac, ip, hostName, expiresS }) => ({
        mac: formatMac(mac),
        ip: formatIpv4(ip),
        ...(hostName !== undefined && { hostName }),
        expires: Math.floor(expiresS),
      })),
  };
  return `${JSON.stringify(document, undefined, 1)}\n`;
}

/** What can be understood of it; undefined if it is no such file at all. */
export function parseLeases(text: string): Lease[] | undefined {
  let document: Partial<SwitchLeases> | null;
  try {
    document = JSON.parse(text) as Partial<SwitchLeases> | null;
  } catch {
    return undefined;
  }
  if (typeof document !== 'object' || document?.v !== 1 || !Array.isArray(document.leases)) return undefined;
  return document.leases.flatMap((one: unknown) => parseLease(one) ?? []);
}

function parseLease(value: unknown): Lease | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const { mac, ip, hostName, expires } = value as Readonly<Record<string, unknown>>;
  const parsed = {
    mac: typeof mac === 'string' ? parseMac(mac) : undefined,
    ip: typeof ip === 'string' ? parseIpv4(ip) : undefined,
  };
  if (parsed.mac === undefined || parsed.ip === undefined || typeof expires !== 'number' || !Number.isFinite(expires))
    return undefined;
  return {
    mac: parsed.mac,
    ip: parsed.ip,
    expiresS: expires,
    isOffer: false,
    ...(typeof hostName === 'string' && isHostName(hostName) && { hostName }),
  };
}
