/** `config.yaml`, what a user wants of every run. Loads the YAML and schema libraries: import it lazily. */
import * as z from 'zod/mini';
import { parseDefinition } from './definition.ts';
import { oneOf } from './fields.ts';
import { faultsOfIssues } from './issues.ts';

export interface Settings {
  /** Whether an ordinary user's qrun may use sudo for steps that need root. */
  readonly sudo: 'never' | 'ask' | 'noninteractive';
}

const defaultSettings: Settings = { sudo: 'never' };

function settingsSchema() {
  return z.strictObject({
    sudo: z._default(
      oneOf('Whether qrun may use sudo for what needs root: never, with a password asked for, or without asking.', [
        'never',
        'ask',
        'noninteractive',
      ]),
      defaultSettings.sudo,
    ),
  });
}

/** @throws QrunError `invalid-profile` with all faults of the text */
export function parseSettings(text: string, file: string): Settings {
  // a file of comments alone is as good as none
  if (text.split('\n').every((line) => /^\s*(#|$)/.test(line))) return defaultSettings;
  return parseDefinition(text, {
    file,
    what: 'configuration',
    code: 'invalid-profile',
    read: (written) => {
      const parsed = settingsSchema().safeParse(written, { jitless: true });
      if (parsed.success) return { value: parsed.data, faults: [] };
      return { faults: faultsOfIssues(parsed.error.issues, written, {}) };
    },
  });
}
