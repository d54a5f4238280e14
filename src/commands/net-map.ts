import { collectMap, writePicture } from '../launch/map.ts';
import { renderSvg } from '../map/render-svg.ts';
import { renderTree } from '../map/render-tree.ts';
import type { Run } from './command.ts';
import { launchContext } from './launch-context.ts';
import type { NetMapArguments } from './network-arguments.ts';

export const run: Run<NetMapArguments> = async ({ svg, running }, context) => {
  const { report, system } = context;
  const map = await collectMap(running, launchContext(context));
  if (report.json) report.document(map);
  else if (svg === '-') report.out(renderSvg(map));
  else if (svg !== undefined) {
    writePicture(svg, renderSvg(map));
    report.note(`wrote ${svg}`);
  } else {
    const tree = renderTree(map, { ...report.styles.stdout, unicode: isUtf8(system.env) });
    if (tree === '') report.note('no VM and no network');
    else report.out(tree);
  }
  return 0;
};

/** By the locale, as the C library chooses it. */
function isUtf8(env: Readonly<Record<string, string | undefined>>): boolean {
  return /utf-?8/i.test(env['LC_ALL'] || env['LC_CTYPE'] || env['LANG'] || '');
}
