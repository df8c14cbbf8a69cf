/** The second step of a sign-in. The challenge is in memory only, so reloading starts over. */

import { call } from './api.js'
import { swapsFields } from './forms.js'
import { showSecret } from './mfa-secret.js'
import { byId, showView } from './view.js'

const offerFields = swapsFields('step')
let challenge = null

export function endStep() {
  challenge = null
  byId('step-secret').replaceChildren()
}

async function ask(url, body) {
  try {
    return await call('POST', url, { challenge, ...body })
  } catch (error) {
    if (error.code === 'CRUDAUTH_TOKEN_INVALID_OR_USED') {
      error.text = 'This sign-in has expired, or there were too many wrong codes. Sign in again.'
      endStep()
      showView('signed-out')
    }
    throw error
  }
}

/** @param answer of a sign-in that needs a second factor */
export function beginStep({ challenge: token, setup }) {
  challenge = token
  byId('step-text').textContent = setup
    ? 'Accounts here need a second factor. Add yours to an authenticator app, and enter the code that it shows.'
    : 'This account has a second factor. Enter the code that your authenticator app shows.'
  byId('step-secret').hidden = !setup
  if (setup) showSecret(byId('step-secret'), setup)
  // A new secret has no recovery codes yet.
  offerFields(setup ? [0] : [0, 1])
  showView('second-step')
  byId('step-code').focus()
}

/** Goes on with the challenge that a sign-in with a provider has left in the URL. */
export async function resumeStep(token) {
  challenge = token
  beginStep({ challenge, ...(await ask('/auth/mfa/challenge')) })
}

/** Resolves to the recovery codes after a setup, otherwise to undefined. */
export async function finishStep({ code, remember_device }) {
  const remembers = remember_device === 'on'
  const { recovery_codes } = await ask('/auth/mfa/verify', { code, remember_device: remembers })
  endStep()
  return recovery_codes
}
