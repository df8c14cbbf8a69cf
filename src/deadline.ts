/** What was awaited took longer than it may. */
export class DeadlineError extends Error {
  readonly code = 'CRUDAUTH_DEADLINE'

  constructor(what: string, milliseconds: number) {
    super(`${what} did not answer within ${milliseconds} ms`)
    this.name = 'DeadlineError'
  }
}

/**
 * The promise's result, or a `DeadlineError` after `milliseconds`. What comes later is dropped, a late rejection too:
 * nobody waits for it any more, and unhandled it would end the process.
 */
export function within<T>(promise: Promise<T>, milliseconds: number, what: string): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new DeadlineError(what, milliseconds)), milliseconds)
    promise.then(
      (value) => {
        clearTimeout(timer)
        resolve(value)
      },
      (error) => {
        clearTimeout(timer)
        reject(error)
      },
    )
  })
}
