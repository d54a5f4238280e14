/** Which file a network's name, or a path, means, and its text. */
import { parseNetworkName, type VmName } from '../names.ts';
import type { Places } from '../places.ts';
import {
  findDefinition,
  listDefinitions,
  readDefinition,
  type DefinitionFile,
  type DefinitionFiles,
  type DefinitionOptions,
  type ListedDefinition,
} from './definition-files.ts';

export type NetworkFile = DefinitionFile;
export type ListedNetwork = ListedDefinition;
export type NetworkFileOptions = DefinitionOptions;

const networks: DefinitionFiles = {
  folder: 'networks',
  what: 'network',
  code: 'invalid-network',
  parseName: parseNetworkName,
  make: (name) => `qrun net define FILE --name ${name}`,
  use: (name) => `qrun net info ${name}`,
  anyFile: 'qrun net define FILE --name NAME takes any file',
};

/**
 * `argument` is a path if it has a `/` or ends in `.yaml`, else the name of a network in the config directories, the package's own last.
 * @throws QrunError `invalid-name`, `unknown-name`, `unsafe-file`, `permission`, `invalid-network` (not text)
 */
export const readNetworkFile = (argument: string, options: NetworkFileOptions): NetworkFile =>
  readDefinition(argument, networks, options);

/** The file that `argument` means, without opening it; undefined when there is none. For `edit` and `rm`. @throws QrunError `invalid-name` */
export const findNetworkFile = (
  argument: string,
  options: Omit<NetworkFileOptions, 'system'>,
): { readonly name: VmName; readonly file: string } | undefined => findDefinition(argument, networks, options);

/** By name; of several files of one name the first found counts, as for `readNetworkFile`. Nothing is opened. */
export const listNetworks = (places: Places): ListedNetwork[] => listDefinitions(places, networks);
