/** What the human monitor says of back ends: `info network`, the only place where QEMU tells how a stream is. */

export type LinkState =
  | { readonly state: 'pending' }
  | { readonly state: 'connected' }
  | { readonly state: 'failed'; readonly reason: string };

/**
 * Lines such as ` \ net0: index=0,type=stream,connection error`. What stands behind the type differs: nothing, `listening` or `connecting` while there is no
 * other end; `connection error` (7.2) or `error: …` (later) when it failed; else where it is connected.
 * Undefined: there is no stream of that id.
 */
export function linkStateOf(text: string, netdev: string): LinkState | undefined {
  for (const line of text.split(/\r?\n/)) {
    const [, id, info = ''] = /^(?: \\ )?([^:\s]+): index=\d+,type=stream,(.*)$/.exec(line) ?? [];
    if (id === netdev) return stateOf(info.trim());
  }
  return undefined;
}

function stateOf(info: string): LinkState {
  if (/^(|listening|connecting|waiting.*)$/.test(info)) return { state: 'pending' };
  const reason = /^error: (.*)$/.exec(info)?.[1];
  if (reason !== undefined) return { state: 'failed', reason };
  return info === 'connection error' ? { state: 'failed', reason: info } : { state: 'connected' };
}
