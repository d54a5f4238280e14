/** What a guest wants to have of the frames that arrive: QMP `query-rx-filter`. Only virtio NICs say it. https://www.qemu.org/docs/master/interop/qemu-qmp-ref.html */
import { isRecord } from '../json-object.ts';

export interface RxFilter {
  /** That the guest uses now. */
  readonly mac: string;
  /** It asks for all frames: a bridge or a capture in the guest. */
  readonly promiscuous: boolean;
}

/** Undefined: that NIC does not say it. @param device id of the NIC's device */
export function rxFilterOf(answer: unknown, device: string): RxFilter | undefined {
  if (!Array.isArray(answer)) return undefined;
  const row = answer.filter(isRecord).find(({ name }) => name === device);
  const mac = row?.['main-mac'];
  if (row === undefined || typeof mac !== 'string') return undefined;
  return { mac: mac.toLowerCase(), promiscuous: row['promiscuous'] === true && wasAsked(row) };
}

/** A device takes all frames in from its reset on; a driver that has brought its interface up has said which groups it is in, and that after it. */
const wasAsked = (row: Readonly<Record<string, unknown>>): boolean =>
  ['unicast', 'multicast'].some((which) => {
    const table = row[`${which}-table`];
    return (Array.isArray(table) && table.length > 0) || row[`${which}-overflow`] === true;
  });
