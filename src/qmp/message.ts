/** The messages of QMP, and how one line becomes one. https://www.qemu.org/docs/master/interop/qmp-spec.html */
export interface QmpVersion {
  readonly major: number;
  readonly minor: number;
  readonly micro: number;
}

export type QmpMessage =
  | { readonly kind: 'greeting'; readonly version: QmpVersion; readonly package: string }
  | { readonly kind: 'return'; readonly value: unknown; readonly id?: string }
  | { readonly kind: 'error'; readonly errorClass: string; readonly description: string; readonly id?: string }
  | QmpEvent;

export interface QmpEvent {
  readonly kind: 'event';
  /** Such as `SHUTDOWN`, `POWERDOWN`, `STOP`, `RESUME`, `RESET`, `GUEST_PANICKED`. */
  readonly event: string;
  readonly data: Readonly<Record<string, unknown>>;
}

/** Undefined for whatever is no message of QMP's. */
export function parseQmpMessage(line: string): QmpMessage | undefined {
  const value = parseObject(line);
  if (value === undefined) return undefined;
  const id = typeof value['id'] === 'string' ? { id: value['id'] } : {};
  if (typeof value['event'] === 'string') return parseEvent(value['event'], value);
  if (isObject(value['QMP'])) return parseGreeting(value['QMP']);
  if ('return' in value) return { kind: 'return', value: value['return'], ...id };
  const error = value['error'];
  if (!isObject(error)) return undefined;
  return { kind: 'error', errorClass: text(error['class']), description: text(error['desc']), ...id };
}

function parseEvent(event: string, value: Readonly<Record<string, unknown>>): QmpEvent {
  return { kind: 'event', event, data: isObject(value['data']) ? value['data'] : {} };
}

function parseGreeting(greeting: Readonly<Record<string, unknown>>): QmpMessage {
  const version = isObject(greeting['version']) ? greeting['version'] : {};
  const qemu = isObject(version['qemu']) ? version['qemu'] : {};
  return {
    kind: 'greeting',
    version: { major: number(qemu['major']), minor: number(qemu['minor']), micro: number(qemu['micro']) },
    package: text(version['package']),
  };
}

function parseObject(line: string): Readonly<Record<string, unknown>> | undefined {
  if (!line.startsWith('{')) return undefined;
  try {
    const value: unknown = JSON.parse(line);
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

function number(value: unknown): number {
  return typeof value === 'number' && Number.isFinite(value) ? value : 0;
}
