/**
 * Where qrun keeps what (CONTRACT §1). Computed once from the environment and the user; nothing is created here.
 */
import path from 'node:path';

/** Root's own definitions, which all others see too. */
export const hostConfig = '/etc/qrun';

export interface Places {
  /** Directories of `profiles/` and `networks/`, first match wins. The first is the one that is written to. */
  readonly config: readonly string[];
  /** Example profiles of the package, looked in last. */
  readonly examples: string;
  readonly state: string;
  readonly runtime: string;
  readonly cache: string;
  /** Host-wide registry, made by `setup`; may not exist. */
  readonly host: string;
}

export interface PlacesInput {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly uid: number;
  readonly home: string;
  /** The root folder of the installed package. */
  readonly packageRoot: string;
}

/** An XDG variable counts only if it is an absolute path (the base directory specification says so). */
function absolute(value: string | undefined): string | undefined {
  return value !== undefined && path.isAbsolute(value) ? value : undefined;
}

interface OwnPlace {
  /** The variable that names it. */
  readonly override: string;
  readonly asRoot: string;
  readonly xdg: string;
  readonly fallback: string;
}

export function placesOf({ env, uid, home, packageRoot }: PlacesInput): Places {
  const root = uid === 0;
  const own = ({ override, asRoot, xdg, fallback }: OwnPlace): string => {
    const named = env[override];
    if (named !== undefined && named !== '') return path.resolve(named);
    return root ? asRoot : path.join(absolute(env[xdg]) ?? fallback, 'qrun');
  };
  const named = env['QRUN_CONFIG_DIR'];
  const userConfig = path.join(absolute(env['XDG_CONFIG_HOME']) ?? path.join(home, '.config'), 'qrun');
  const runtimeBase = absolute(env['XDG_RUNTIME_DIR']);
  return {
    config:
      named !== undefined && named !== '' ? [path.resolve(named)] : root ? [hostConfig] : [userConfig, hostConfig],
    examples: path.join(packageRoot, 'profiles'),
    state: own({
      override: 'QRUN_STATE_DIR',
      asRoot: '/var/lib/qrun',
      xdg: 'XDG_STATE_HOME',
      fallback: path.join(home, '.local/state'),
    }),
    // without a runtime directory of the session's: a 0700 one of the user's, checked before each use (resources/directory)
    runtime:
      runtimeBase === undefined && !root && !env['QRUN_RUNTIME_DIR']
        ? `/tmp/qrun-${uid}`
        : own({ override: 'QRUN_RUNTIME_DIR', asRoot: '/run/qrun', xdg: 'XDG_RUNTIME_DIR', fallback: '/nonexistent' }),
    cache: own({
      override: 'QRUN_CACHE_DIR',
      asRoot: '/var/cache/qrun',
      xdg: 'XDG_CACHE_HOME',
      fallback: path.join(home, '.cache'),
    }),
    host: path.resolve(env['QRUN_HOST_DIR'] || '/var/lib/qrun/host'),
  };
}

/** The directory of a VM's state: leases, lock, journal, run record, logs. */
export const vmDir = (places: Places, vm: string): string => path.join(places.state, 'vms', vm);
