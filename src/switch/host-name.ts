/** Names that stand in answers of the name server, in lower case and without the dot at the end. */

const label = /^[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?$/;

/** One label or several. */
export const isHostName = (text: string): boolean =>
  text.length <= 253 && text.split('.').every((one) => label.test(one));

/** Names that programs look up by themselves, and that no guest may take: whoever has them gets others' traffic. */
const reserved = new Set(['localhost', 'wpad', 'isatap', '_gateway', 'gateway']);

/** What a guest says that it is called, if that can be a name here: only the first label counts. */
export function parseGuestName(bytes: Buffer): string | undefined {
  const text = bytes.toString('latin1').replace(/\0+$/, '').toLowerCase();
  const [name = ''] = text.split('.');
  return label.test(name) && !reserved.has(name) ? name : undefined;
}
