/** Offers passkeys in the autofill of the login field (conditional UI), while the form is shown. */

import { AuthError } from 'fastify-crudauth/client'
import { auth } from './auth.js'
import { byId } from './dom.js'
import { sayError } from './messages.js'
import { withPasskey } from './passkey-errors.js'

/** A challenge lasts for five minutes. In milliseconds. */
const renewEveryMs = 240_000

/** Ends the request under way. A page can have one at a time. */
let running = null
let finish

/** Call it before another sign-in starts. */
export function stopAutofill() {
  running?.abort()
  running = null
}

/** Refusals of the browser, outages and rate limits. Perhaps nobody has chosen a passkey yet. */
const isSilent = ({ status }) => status === 0 || status === 429 || status >= 500

/** Does nothing unless the form is shown. A refused passkey isn't asked for again by itself. */
export async function startAutofill() {
  if (running !== null || byId('signed-out').hidden) return
  running = new AbortController()
  const { signal } = running
  const renewal = setTimeout(restart, renewEveryMs)
  try {
    if (!(await auth.passkeys.isConditionalSupported())) return
    const rememberMe = byId('login-remember').checked
    const result = await withPasskey(() =>
      auth.passkeys.signIn({ conditional: true, signal, rememberMe }),
    ).catch((error) => {
      if (signal.aborted || isSilent(error)) return null
      throw error
    })
    if (result) await finish(result)
  } catch (error) {
    if (!(error instanceof AuthError)) throw error
    sayError(error)
  } finally {
    clearTimeout(renewal)
  }
}

function restart() {
  stopAutofill()
  startAutofill()
}

/** @param signedIn called with the result of the sign-in */
export function mountAutofill(signedIn) {
  finish = signedIn
  document.addEventListener('view-change', restart)
  byId('login-remember').addEventListener('change', restart)
}
