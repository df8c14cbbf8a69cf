/** The second step of a sign-in. The challenge is in memory only, so reloading starts over. */

import { auth } from './auth.js'
import { byId, showView } from './dom.js'
import { focusField, onClick, onSubmit, swapsFields } from './forms.js'
import { withPasskey } from './passkey-errors.js'
import { showSecret } from './totp-secret.js'

/** Methods that are answered with a field, in the order of the fields. */
const withFields = ['totp', 'recovery_code']

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
  onClick('step-passkey', async () => {
    const { checked } = byId('step').elements.remember_device
    const body = { challenge, remember_device: checked }
    await ask(() => withPasskey(() => auth.mfa.verifyPasskey(body)))
    endStep()
    return signedIn()
  })
  onClick('step-back', async () => {
    endStep()
    await refresh()
  })
}

function textOf(setup, hasFields, hasPasskey) {
  if (setup)
    return 'Accounts here need a second factor. Add yours to an authenticator app, and enter the code that it shows.'
  if (!hasFields && !hasPasskey)
    return 'The second factor of this account is a passkey, and this browser has no passkeys.'
  const how = hasFields
    ? `Enter a code${hasPasskey ? ' or use your passkey' : ''}`
    : 'Use your passkey'
  return `This account has a second factor. ${how} to continue.`
}

/**
 * Continues with the challenge of a sign-in: from its response, or from the URL after a sign-in with
 * a provider.
 */
export async function beginStep(token) {
  const { setup, methods } = await ask(() => auth.mfa.challenge(token))
  challenge = token
  const fields = withFields.flatMap((method, at) => (methods.includes(method) ? [at] : []))
  const hasPasskey = methods.includes('passkey') && auth.passkeys.isSupported()
  byId('step-text').textContent = textOf(setup, fields.length > 0, hasPasskey)
  byId('step-secret').hidden = !setup
  if (setup) showSecret(byId('step-secret'), setup)
  offerFields(fields)
  byId('step-passkey').hidden = !hasPasskey
  showView('second-step')
  focusField(byId('step'))
}
