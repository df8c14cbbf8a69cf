/** Keeps a list up to date while the page is visible. */

import { AuthError } from 'fastify-crudauth/client'
import { quiet, sayError } from './messages.js'

const everyMs = 2000

/** @param load asks the server and shows the result */
export function poll(load) {
  let hasFailed = false
  const attempt = async () => {
    try {
      await load()
      if (hasFailed) quiet()
      hasFailed = false
    } catch (error) {
      if (!(error instanceof AuthError)) throw error
      hasFailed = true
      sayError(error)
      // A refusal stays one, such as that of the mailbox on another machine.
      return error.status !== 403
    }
    return true
  }
  const watch = async () => {
    if (document.visibilityState === 'visible' && !(await attempt())) return
    setTimeout(watch, everyMs)
  }
  document.addEventListener('visibilitychange', () => {
    if (document.visibilityState === 'visible') void attempt()
  })
  void watch()
}
