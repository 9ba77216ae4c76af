const TINTS = 6

/** The first letter of a name, always on the same tint. */
export function Avatar({ name, id = name }: { name: string; id?: string }) {
  const tint = [...id].reduce((sum, letter) => (sum * 31 + (letter.codePointAt(0) ?? 0)) % 997, 7) % TINTS
  return (
    <span className={`avatar tint-${tint}`} aria-hidden="true">
      {[...name.trim()][0]?.toUpperCase() ?? '?'}
    </span>
  )
}
