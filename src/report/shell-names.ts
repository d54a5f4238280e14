/**
 * Names that mean something to a shell by itself: builtins, keywords, and for fish the functions that come with it. Only those that a VM could
 * have, and of all versions; a test asks the shells that are there.
 */

export type AliasShell = 'bash' | 'zsh' | 'fish';

const words = (text: string): ReadonlySet<string> => new Set(text.trim().split(/\s+/));

const bash = words(`
  alias bg bind break builtin caller case cd command compgen complete compopt continue coproc declare dirs disown do done echo elif else enable esac
  eval exec exit export false fc fg fi for function getopts hash help history if in jobs kill let local logout mapfile popd printf pushd pwd read
  readarray readonly return select set shift shopt source suspend test then time times trap true type typeset ulimit umask unalias unset until wait
  while`);

const zsh = words(`
  alias autoload bg bindkey break builtin bye case cd chdir command compadd comparguments compcall compctl compdescribe compfiles compgroups compquote
  compset comptags comptry compvalues continue coproc declare dirs disable disown do done echo echotc echoti elif else emulate enable end esac eval
  exec exit export false fc fg fi float for foreach function functions getln getopts hash history if integer jobs kill let limit local log logout
  nocorrect noglob popd print printf private pushd pushln pwd r read readonly rehash repeat return sched select set setopt shift source suspend test
  then time times trap true ttyctl type typeset ulimit umask unalias unfunction unhash unlimit unset unsetopt until vared wait whence where which
  while zcompile zformat zle zmodload zparseopts zregexparse zstyle`);

const fish = words(`
  N_ abbr alias and argparse begin bg bind block break breakpoint builtin case cd cdh command commandline complete contains contains_seq continue
  count diff dirh dirs disown down-or-search echo edit_command_buffer else emit end eval exec exit export false fg fish_add_path
  fish_breakpoint_prompt fish_clipboard_copy fish_clipboard_paste fish_command_not_found fish_commandline_append fish_commandline_prepend fish_config
  fish_default_key_bindings fish_default_mode_prompt fish_delta fish_git_prompt fish_greeting fish_hg_prompt fish_hybrid_key_bindings fish_indent
  fish_is_root_user fish_job_summary fish_key_reader fish_mode_prompt fish_opt fish_print_git_action fish_print_hg_root fish_prompt
  fish_status_to_signal fish_svn_prompt fish_title fish_update_completions fish_vcs_prompt fish_vi_cursor fish_vi_key_bindings for funced funcsave
  function functions grep help history if isatty jobs kill la ll ls man math nextd not open or path popd prevd printf prompt_hostname prompt_login
  prompt_pwd psub pushd pwd random read realpath return seq set set_color setenv source status string suspend switch test time trap true type ulimit
  umask up-or-search vared wait while`);

export const shellNames: Readonly<Record<AliasShell, ReadonlySet<string>>> = { bash, zsh, fish };
