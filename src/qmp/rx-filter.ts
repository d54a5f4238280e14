/** What a guest wants to have of the frames that arrive: QMP `query-rx-filter`. Only virtio NICs say it. https://www.qemu.org/docs/master/interop/qemu-qmp-ref.html */

export interface RxFilter {
  /** That the guest uses now. */
  readonly mac: string;
  /** It takes all frames in: a bridge or a capture in the guest, or no driver yet. */
  readonly promiscuous: boolean;
}

/** Undefined: that NIC does not say it. @param device id of the NIC's device */
export function rxFilterOf(answer: unknown, device: string): RxFilter | undefined {
  if (!Array.isArray(answer)) return undefined;
  const row = answer.filter(isRecord).find(({ name }) => name === device);
  const mac = row?.['main-mac'];
  return typeof mac === 'string' ? { mac: mac.toLowerCase(), promiscuous: row?.['promiscuous'] === true } : undefined;
}

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
