/** The state's backend did not do what was asked, or nobody knows whether it did. Not an HTTP error: the caller decides. */
export class StateUnavailableError extends Error {
  readonly code = 'CRUDAUTH_STATE_UNAVAILABLE'

  /** @param cause why, without keys, arguments or values */
  constructor(cause: Error) {
    super('The state backend is unavailable', { cause })
    this.name = 'StateUnavailableError'
  }
}
