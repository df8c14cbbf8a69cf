/** Password reset: without a token the page requests an email, with one it sets the password. */

import { auth } from './auth.js'
import { byId, link, showView } from './dom.js'
import { onSubmit } from './forms.js'
import { enhancePasswords } from './password-fields.js'

const token = auth.readLinkToken()
enhancePasswords()
showView(token === null ? 'ask' : 'set')

onSubmit('request', async ({ email }, form) => {
  await auth.recovery.requestReset({ email, redirect_to: '/' })
  form.reset()
  return [
    `If ${email} has an account, a message was sent. You find it in the `,
    link('/mailbox', 'mailbox'),
    '.',
  ]
})

onSubmit('confirm', async ({ new_password }) => {
  try {
    const { redirect_to } = await auth.recovery.confirmReset(token, new_password)
    // Follow the path in the response, which the server checked. The one in the URL can be forged.
    byId('next').href = redirect_to ?? '/'
    showView('done')
  } catch (error) {
    if (error.code !== 'CRUDAUTH_TOKEN_INVALID_OR_USED') throw error
    showView('expired')
  }
})
