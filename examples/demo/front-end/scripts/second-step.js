/** The second step of a sign-in. The challenge is in memory only, so reloading starts over. */

import { auth } from './auth.js'
import { byId, showView } from './dom.js'
import { onClick, onSubmit, swapsFields } from './forms.js'
import { showSecret } from './totp-secret.js'

let offerFields
let challenge = null

function endStep() {
  challenge = null
  byId('step-secret').replaceChildren()
}

/** Leads back to the start if the challenge has ended. */
async function ask(request) {
  try {
    return await request()
  } catch (error) {
    if (error.code !== 'CRUDAUTH_TOKEN_INVALID_OR_USED') throw error
    endStep()
    showView('signed-out')
    error.text = 'This sign-in has expired, or there were too many wrong codes. Sign in again.'
    throw error
  }
}

/** @param signedIn what follows: called with recovery codes after a set-up */
export function mountSecondStep({ signedIn, refresh }) {
  offerFields = swapsFields('step')
  onSubmit('step', async ({ code, remember_device }) => {
    const body = { challenge, code, remember_device: remember_device === 'on' }
    const { recovery_codes } = await ask(() => auth.mfa.verify(body))
    endStep()
    return signedIn(recovery_codes)
  })
  onClick('step-back', async () => {
    endStep()
    await refresh()
  })
}

/** @param result of a sign-in that needs a second factor */
export function beginStep({ challenge: token, setup }) {
  challenge = token
  byId('step-text').textContent = setup
    ? 'Accounts here need a second factor. Add yours to an authenticator app, and enter the code that it shows.'
    : 'This account has a second factor. Enter a code to continue.'
  byId('step-secret').hidden = !setup
  if (setup) showSecret(byId('step-secret'), setup)
  // A new secret has no recovery codes yet.
  offerFields(setup ? [0] : [0, 1])
  showView('second-step')
  byId('step-code').focus()
}

/** Continues with the challenge that a sign-in with a provider has left in the URL. */
export async function resumeStep(token) {
  const { setup } = await ask(() => auth.mfa.challenge(token))
  beginStep({ challenge: token, setup })
}
