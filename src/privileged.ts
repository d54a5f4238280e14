/** How something is done that needs root: as it is by root, through sudo by anybody else whose configuration allows it. */

/** `sudo:` of config.yaml, where it is not `never`. */
export type Sudo = 'ask' | 'noninteractive';

export function privilegedArgv(argv: readonly string[], sudo: Sudo | undefined): string[] {
  if (sudo === undefined) return [...argv];
  return sudo === 'ask' ? ['sudo', '--', ...argv] : ['sudo', '-n', '--', ...argv];
}
