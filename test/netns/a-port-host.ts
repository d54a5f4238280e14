/** Root and ordinary users on one host with a registry of their own, for networks whose ports root makes. */
import { chownSync, mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { createHome, testFacts, type Home, type Result } from '../harness/harness.ts';
import { keptCache } from '../harness/warm-cache.ts';
import { createLinkHost, type LinkHost } from './a-link-host.ts';

/** A user without an account of its own, and in one group besides. */
export class PortUser {
  readonly uid: number;
  readonly #root: Home;
  readonly #gid: number;
  readonly #dir: string;

  constructor(root: Home, uid: number, gid: number) {
    this.#root = root;
    this.uid = uid;
    this.#gid = gid;
    this.#dir = path.join(root.dir, `u${uid}`);
    for (const name of ['', 'c', 'c/profiles', 's', 'r', 'k']) this.#mkdir(name);
    for (const [name, bytes] of keptCache()) this.#write(path.join('k', name), bytes);
  }

  #mkdir(name: string): void {
    const directory = path.join(this.#dir, name);
    mkdirSync(directory, { mode: 0o700 });
    chownSync(directory, this.uid, this.uid);
  }

  #write(name: string, content: string | Buffer): void {
    const file = path.join(this.#dir, name);
    writeFileSync(file, content, { mode: 0o600 });
    chownSync(file, this.uid, this.uid);
  }

  profile(name: string, text: string): void {
    this.#write(`c/profiles/${name}.yaml`, text);
  }

  qrun(...args: string[]): Promise<Result> {
    const places = [
      ['CONFIG', 'c'],
      ['STATE', 's'],
      ['RUNTIME', 'r'],
      ['CACHE', 'k'],
    ].map(([place, name]) => `QRUN_${place}_DIR=${path.join(this.#dir, name ?? '')}`);
    return this.#root.run([
      ...['setpriv', `--reuid=${this.uid}`, `--regid=${this.uid}`, `--groups=${this.#gid}`, '--inh-caps=-all', '--'],
      ...['env', `HOME=${this.#dir}`, ...places, testFacts().node, testFacts().bin, ...args],
    ]);
  }
}

export interface PortHost {
  readonly host: LinkHost;
  readonly root: Home;
  /** The test's ordinary user. */
  readonly home: Home;
  readonly another: (uid: number, gid: number) => PortUser;
}

export async function createPortHost(context: Parameters<typeof createLinkHost>[0]): Promise<PortHost> {
  const host = await createLinkHost(context);
  const root = createHome({ as: 'root', namespace: host.namespace });
  const home = createHome({ namespace: host.namespace, env: { QRUN_HOST_DIR: root.env['QRUN_HOST_DIR'] ?? '' } });
  return { host, root, home, another: (uid, gid) => new PortUser(root, uid, gid) };
}
