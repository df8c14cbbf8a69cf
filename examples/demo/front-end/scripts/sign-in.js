/** The start page: the forms to sign in and to sign up, and the buttons of the providers. */

import { auth, pageError } from './auth.js'
import { byId, link } from './dom.js'
import { onClick, onSubmit } from './forms.js'
import { say } from './messages.js'
import { mountAutofill, startAutofill, stopAutofill } from './passkey-autofill.js'
import { withPasskey } from './passkey-errors.js'
import { showSignInButtons } from './providers.js'
import { beginStep } from './second-step.js'
import { csrfCookie } from './session-hint.js'
import { mountTabs } from './tabs.js'

/** Guarded pages that lead here. Any other target could be forged in the URL. */
const guarded = ['/dashboard', '/members']

/** @param refresh shows the account of a new session */
export function mountSignIn({ refresh }) {
  const select = mountTabs(document.querySelector('[role=tablist]'))
  const then = new URLSearchParams(location.search).get('then')

  /** Call it after each sign-in. Resolves to what to say. */
  async function signedIn() {
    if (csrfCookie() === null) throw pageError('COOKIE_REFUSED')
    if (guarded.includes(then)) return void location.assign(then)
    await refresh()
    return 'Signed in.'
  }

  const follow = (result) => ('mfaRequired' in result ? beginStep(result.challenge) : signedIn())

  /** Signs in. Meanwhile no passkey is offered, because the browser asks for one at a time. */
  async function signIn(attempt) {
    stopAutofill()
    try {
      return await follow(await attempt())
    } catch (error) {
      startAutofill()
      throw error
    }
  }

  onSubmit('login', ({ username, password, remember_me }) =>
    signIn(() => auth.login({ username, password, remember_me: remember_me === 'on' })),
  )

  byId('passkey-sign-in').hidden = !auth.passkeys.isSupported()
  onClick('passkey-sign-in', () =>
    signIn(() =>
      withPasskey(() => auth.passkeys.signIn({ rememberMe: byId('login-remember').checked })),
    ),
  )
  mountAutofill(async (result) => {
    const done = await follow(result)
    if (done) say(done)
  })

  onSubmit('register', async ({ email, username, password }, form) => {
    await auth.register({ email, username, password })
    form.reset()
    select(0)
    byId('login-name').value = username
    byId('login-password').focus()
    // The same text whether or not the address has an account. Only its owner learns that, by email.
    return [
      `Almost there: a message to ${email} was sent. You find it in the `,
      link('/mailbox', 'mailbox'),
      '.',
    ]
  })

  showSignInButtons(byId('providers'))
  return { signedIn }
}
