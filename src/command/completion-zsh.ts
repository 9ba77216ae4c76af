import { stepsDown, type Word, type WordsOfCommand } from './completion-words.js'

/** Completion for zsh, with what each word is for. The words are in the script: no process is started on Tab. */
export function zshCompletion(commands: readonly WordsOfCommand[]): string {
  return `#compdef conclave
_conclave() {
  local place='' word previous='' files=''
  local -a found
  for word in "\${(@)words[2,CURRENT-1]}"; do
    case "$place $word" in
      (${stepsDown(commands)}) place="\${place:+$place }$word" ;;
    esac
    previous=$word
  done
  case "$place $previous" in
${valueCases(commands)}
    (*)
      case "$place" in
${nextCases(commands)}
      esac
      ;;
  esac
  _describe conclave found
  [[ -z $files ]] || _files
}
compdef _conclave conclave
`
}

function valueCases(commands: readonly WordsOfCommand[]): string {
  return commands
    .flatMap(({ place, values }) =>
      values.map(({ option, words, isFile }) => `    (${quoted(`${place} ${option}`)}) ${foundOf(words, isFile)} ;;`)
    )
    .join('\n')
}

function nextCases(commands: readonly WordsOfCommand[]): string {
  return commands
    .map(({ place, next, takesFile }) => `        (${quoted(place)}) ${foundOf(next, takesFile)} ;;`)
    .join('\n')
}

function foundOf(words: readonly Word[], orFiles: boolean): string {
  return `found=(${listed(words)})${orFiles ? ' files=yes' : ''}`
}

/** `_describe` has the word before the first colon, unless that is escaped, and what it is for behind. */
function listed(words: readonly Word[]): string {
  return words.map(({ text, what }) => quoted(`${text.replaceAll(':', '\\:')}:${what}`)).join(' ')
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`
}
