/** `kind: vde`: a port of a VDE switch. */
import * as z from 'zod/mini';
import type { Parsed } from '../../profile/address.ts';
import { parsedText, socketPath, wholeNumber, word, type FieldContext } from '../../profile/fields.ts';
import { nicMap } from './common.ts';

export function vdeSchema(context: FieldContext) {
  return nicMap('vde', 'A port of a VDE switch. Needs no rights beyond those on its directory.', {
    // the switch's socket is a file of that directory: DIR/ctl
    socket: socketPath(context, "The switch's directory.", '/ctl'.length),
    port: z.exactOptional(wholeNumber('The port to take. Default: any.', 1, 65535)),
    group: z.exactOptional(
      word('The group that owns the port.', { pattern: '[A-Za-z_][A-Za-z0-9_.-]{0,31}', what: 'name of a group' }),
    ),
    mode: z.exactOptional(
      parsedText('The rights on the port, octal and in quotes.', parseMode, {
        pattern: '^0?[0-7]{3}$',
        examples: ['0660'],
      }),
    ),
  });
}

function parseMode(written: string): Parsed<number> {
  if (!/^0?[0-7]{3}$/.test(written))
    return { fault: `${JSON.stringify(written)} are no rights: octal and in quotes, such as "0660"` };
  return { value: Number.parseInt(written, 8) };
}
