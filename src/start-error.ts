/** A reason not to start, in a sentence for the operator that says what to do about it. */
export class StartError extends Error {
  override readonly name = 'StartError'
}
