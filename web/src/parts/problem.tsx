import type { Failure } from '../failure.js'

export function Problem({ failure }: { failure: Failure | null }) {
  if (!failure) return null
  return (
    <p className="problem" role="alert">
      {failure.message}
    </p>
  )
}
