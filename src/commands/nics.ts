import { lostWayInWords } from '../launch/lost-ways.ts';
import { nicsOfVm } from '../launch/nics-of.ts';
import type { NicDocument } from '../launch/vms.ts';
import { lostInWords, renderForwards, startAnew } from '../report/vm.ts';
import type { VmArguments } from './arguments.ts';
import type { CommandContext, Run } from './command.ts';
import { launchContext } from './launch-context.ts';

export const run: Run<VmArguments> = async ({ vm }, context) => {
  const { report } = context;
  const nics = await nicsOfVm(vm, launchContext(context));
  if (report.json) {
    report.document(nics);
    return 0;
  }
  report.table(
    nics,
    [
      { title: 'ID', value: ({ id }) => id },
      { title: 'KIND', value: ({ kind, link }) => (link === undefined ? kind : `${kind} (${link})`) },
      { title: 'INTERFACE', value: ({ hostInterface }) => hostInterface ?? undefined },
      { title: 'SOURCE', value: ({ source }) => source },
      { title: 'MODEL', value: ({ model }) => model },
      { title: 'MAC', value: ({ mac }) => mac },
      { title: 'IPS', value: ({ ips }) => ips.join(' ') },
      { title: 'FORWARDS', value: ({ forwards }) => renderForwards(forwards ?? []) },
    ],
    `${vm} has no network interfaces`,
  );
  const lost = nics.filter(({ link }) => link === 'lost');
  for (const nic of lost) report.note(`${nic.id}: ${lostInWords(nic)}`);
  if (lost.length > 0) report.note(startAnew([vm]));
  for (const { id, hostWay } of nics) if (hostWay !== undefined) report.warn(tellWay(id, hostWay));
  for (const nic of nics) tellFilter(nic, report);
  return 0;
};

const allOfThem = 'mode: passthru, alone on its card, takes all frames; see docs/macvtap.md';

const tellWay = (nic: string, { lost: card, mend }: NonNullable<NicDocument['hostWay']>): string =>
  `${lostWayInWords({ nic, card })} (${mend})`;

function tellFilter({ id, mac, guestMac, promiscuous }: NicDocument, report: CommandContext['report']): void {
  if (guestMac !== undefined)
    report.warn(
      `${id}: the guest uses the MAC ${guestMac}, but its macvtap takes frames for ${mac} alone: write mac: ${guestMac} in the profile (${allOfThem})`,
    );
  else if (promiscuous === true)
    report.note(`${id}: the guest asks for all frames, and its macvtap brings those for ${mac} alone (${allOfThem})`);
}
