import { stepsDown, type Word, type WordsOfCommand } from './completion-words.js'

/**
 * Completion for bash, of 3.2 as well. The words are in the script: no process is started on Tab. They are read from the
 * line itself, since bash takes `keys:read` for three. Where there are none bash completes names of files.
 */
export function bashCompletion(commands: readonly WordsOfCommand[]): string {
  return `_conclave() {
  local line="\${COMP_LINE:0:COMP_POINT}" place='' word='' previous='' typed found=''
  read -r -a typed <<< "$line"
  case "$line" in *[[:space:]]) typed+=('') ;; esac
  for word in "\${typed[@]:1:\${#typed[@]}-2}"; do
    case "$place $word" in
      ${stepsDown(commands)}) place="\${place:+$place }$word" ;;
    esac
    previous=$word
  done
  word="\${typed[\${#typed[@]}-1]}"
  case "$place $previous" in
${valueCases(commands)}
    *)
      case "$place" in
${nextCases(commands)}
      esac
      ;;
  esac
  COMPREPLY=($(compgen -W "$found" -- "$word"))
  COMPREPLY=("\${COMPREPLY[@]#"\${word%"\${word##*:}"}"}")
}
complete -o default -F _conclave conclave
`
}

function valueCases(commands: readonly WordsOfCommand[]): string {
  return commands
    .flatMap(({ place, values }) =>
      values.map(({ option, words }) => `    '${place} ${option}') found='${listed(words)}' ;;`)
    )
    .join('\n')
}

function nextCases(commands: readonly WordsOfCommand[]): string {
  return commands
    .map(({ place, next, takesFile }) => `        '${place}') ${takesFile ? onlyBehindDash(next) : foundOf(next)} ;;`)
    .join('\n')
}

function foundOf(words: readonly Word[]): string {
  return `found='${listed(words)}'`
}

/** Nothing found makes bash offer files: in 3.2 nothing else offers them with a slash behind folders. */
function onlyBehindDash(words: readonly Word[]): string {
  return `case "$word" in -*) ${foundOf(words)} ;; esac`
}

function listed(words: readonly Word[]): string {
  return words.map(({ text }) => text).join(' ')
}
