/** `qrun completion SHELL`: a script that asks `qrun __complete` at each TAB, so that it knows the profiles and VMs of that moment. */
import { QrunError } from '../errors.ts';
import type { CompletionArguments } from './arguments.ts';
import type { Run } from './command.ts';

const bash = `# qrun completion for bash: source it, or keep it as ~/.local/share/bash-completion/completions/qrun
_qrun() {
  local -a answer
  mapfile -t answer < <("$1" __complete bash "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
  COMPREPLY=()
  if [[ \${answer[0]-} == files ]]; then
    compopt -o filenames 2>/dev/null
    mapfile -t COMPREPLY < <(compgen -f -- "$2")
  else
    COMPREPLY=("\${answer[@]:1}")
  fi
}
complete -F _qrun qrun
`;

const zsh = `#compdef qrun
# qrun completion for zsh: source it, or keep it as _qrun in a directory of $fpath
_qrun() {
  local -a answer described
  local line
  answer=("\${(@f)$("\${words[1]}" __complete zsh "\${(@)words[2,CURRENT]}" 2>/dev/null)}")
  if [[ \${answer[1]} == files ]]; then
    _files
    return
  fi
  for line in "\${(@)answer[2,-1]}"; do
    if [[ $line == *$'\\t'* ]]; then
      described+=("\${\${line%%$'\\t'*}//:/\\\\:}:\${line#*$'\\t'}")
    else
      described+=("\${line//:/\\\\:}")
    fi
  done
  _describe qrun described
}
if [[ \${funcstack[1]} == _qrun ]]; then
  _qrun "$@"
else
  compdef _qrun qrun
fi
`;

const fish = `# qrun completion for fish: source it, or keep it as ~/.config/fish/completions/qrun.fish
function __qrun_complete
  set -l words (commandline -opc) (commandline -ct)
  set -l answer (command $words[1] __complete fish $words[2..-1] 2>/dev/null)
  if test "$answer[1]" = files
    __fish_complete_path (commandline -ct)
  else if set -q answer[2]
    printf '%s\\n' $answer[2..-1]
  end
end
complete -c qrun -f -a '(__qrun_complete)'
`;

const scripts: Readonly<Record<string, string>> = { bash, zsh, fish };

export const run: Run<CompletionArguments> = async ({ shell }, { report }) => {
  const script = scripts[shell];
  if (script === undefined)
    throw new QrunError('usage', `there is no completion for ${shell}`, { hint: 'qrun completion bash|zsh|fish' });
  if (report.json) report.document({ shell, script });
  else report.out(script);
  return 0;
};
