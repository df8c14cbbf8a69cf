/** The start page: sign-in, the second step, and the account of the signed-in user. */

import { AuthError } from 'fastify-crudauth/client'
import { mountAccount } from './account/account.js'
import { showCodes } from './account/recovery-codes.js'
import { auth, pageError } from './auth.js'
import { byId, showView } from './dom.js'
import { isLandingCode } from './error-texts.js'
import { say, sayError } from './messages.js'
import { enhancePasswords } from './password-fields.js'
import { loadProviders, nameOf } from './providers.js'
import { beginStep, mountSecondStep } from './second-step.js'
import { csrfCookie, forgetCsrfCookie } from './session-hint.js'
import { mountSignIn } from './sign-in.js'
import { mountSudo } from './sudo.js'

const account = mountAccount({ refresh })

/** The CSRF cookie of the session that is shown, or null. */
let shown = null

function leave() {
  if (shown !== null) forgetCsrfCookie(shown)
  account.forget()
  for (const dialog of document.querySelectorAll('dialog[open]')) dialog.close()
  showView('signed-out')
}

/** Shows the signed-in user, or the sign-in forms. */
async function refresh() {
  shown = csrfCookie()
  const me = shown === null ? null : await auth.me()
  if (me !== null) return account.show(me)
  leave()
  // The session was ended elsewhere.
  if (shown !== null) throw new AuthError('', 401, 'CRUDAUTH_UNAUTHENTICATED', null)
}

/** Reads and removes what the URL says after linking. Only what the server confirms is shown. */
function takeLinked() {
  const url = new URL(location.href)
  const linked = url.searchParams.get('linked')
  url.searchParams.delete('linked')
  if (linked !== null) history.replaceState(null, '', url.pathname + url.search)
  return linked
}

async function open() {
  const { error, challenge } = auth.oauth.readLanding()
  const linked = takeLinked()
  await loadProviders()
  const { signedIn } = mountSignIn({ refresh })
  mountSecondStep({
    refresh,
    async signedIn(codes) {
      const done = await signedIn()
      if (codes) showCodes(codes)
      return done
    },
  })
  if (challenge) return beginStep(challenge)
  await refresh()
  if (error !== null && isLandingCode(error)) sayError(pageError(error))
  else if (account.isLinked(linked)) say(`Linked ${nameOf(linked)}.`)
}

enhancePasswords()
mountSudo()

// A request has found that the session has ended.
auth.addEventListener('signedout', leave)

// While the page was hidden, another device may have ended the session, or another tab signed in.
document.addEventListener('visibilitychange', () => {
  const isStale = !byId('signed-in').hidden || csrfCookie() !== shown
  if (document.visibilityState === 'visible' && isStale) refresh().catch(sayError)
})

open().catch((error) => {
  sayError(error)
  if (byId('signed-in').hidden) showView('signed-out')
})
