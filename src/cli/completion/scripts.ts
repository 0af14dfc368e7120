export const COMPLETION_SHELLS = ['bash', 'zsh', 'fish'] as const;
export type CompletionShell = (typeof COMPLETION_SHELLS)[number];

/**
 * Each script hands the words to `epmux __complete`, which prints a candidate a line (value, tab,
 * description), or `:files` where a file name belongs.
 */
export const COMPLETION_SCRIPTS: Readonly<Record<CompletionShell, string>> = {
  // Bash replaces only what stands behind the last of its word breaks, so that much is taken off
  // each candidate.
  bash: `# epmux completion for bash:  eval "$(epmux completion bash)"
_epmux() {
  local line="\${COMP_LINE:0:COMP_POINT}" candidate rest
  local current="\${line##*[[:space:]]}" breaks="\${COMP_WORDBREAKS//[!:=@]/}" there=""
  if [[ -n $breaks ]]; then there="\${current%"\${current##*[$breaks]}"}"; fi
  COMPREPLY=()
  while IFS=$'\\t' read -r candidate rest; do
    if [[ $candidate == :files ]]; then
      compopt -o filenames 2>/dev/null
      while IFS= read -r candidate; do COMPREPLY+=("$candidate"); done < <(compgen -f -- "\${current#"$there"}")
      return
    fi
    COMPREPLY+=("\${candidate#"$there"}")
  done < <("\${1:-epmux}" __complete line "$line" 2>/dev/null)
}
complete -F _epmux epmux
`,
  zsh: `#compdef epmux
# epmux completion for zsh:  source <(epmux completion zsh), or as _epmux in a folder of $fpath
_epmux() {
  local -a candidates
  local value description
  while IFS=$'\\t' read -r value description; do
    if [[ $value == :files ]]; then
      _files
      return
    fi
    candidates+=("\${value//:/\\\\:}\${description:+:$description}")
  done < <("\${words[1]}" __complete words "\${(@Q)words[2,CURRENT]}" 2>/dev/null)
  _describe -t epmux epmux candidates
}
if [[ \${funcstack[1]} == _epmux ]]; then _epmux "$@"; else compdef _epmux epmux; fi
`,
  fish: `# epmux completion for fish:  epmux completion fish | source
function __epmux_complete
    set -l words (commandline -opc)
    set -l current (commandline -ct)
    set -l program $words[1]
    set -e words[1]
    for line in (command $program __complete words $words "$current" 2>/dev/null)
        if test "$line" = :files
            __fish_complete_path $current
            return
        end
        printf '%s\\n' $line
    end
end
complete -c epmux -f -a '(__epmux_complete)'
`,
};
