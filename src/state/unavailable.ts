/**
 * The state backend failed, or the outcome of a command is unknown. Not an HTTP error: the caller
 * decides how to respond.
 */
export class StateUnavailableError extends Error {
  readonly code = 'CRUDAUTH_STATE_UNAVAILABLE'

  /** @param cause the reason, without keys, arguments or values */
  constructor(cause: Error) {
    super('The state backend is unavailable', { cause })
    this.name = 'StateUnavailableError'
  }
}
