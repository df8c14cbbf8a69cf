/** Password reset: without a token the page requests an email, with one it sets the password. */

import { call } from './api.js'
import { onSubmit } from './forms.js'
import { byId, link, showView } from './view.js'

const token = new URLSearchParams(location.search).get('token')
showView(token === null ? 'ask' : 'set')

onSubmit('request', async ({ email }, form) => {
  await call('POST', '/auth/password/reset-request', { email, redirect_to: '/' })
  form.reset()
  return [
    `If ${email} has an account, a message was sent. You find it in the `,
    link('/mailbox', 'mailbox'),
    '.',
  ]
})

onSubmit('confirm', async ({ new_password }) => {
  const { redirect_to } = await call('POST', '/auth/password/reset-confirm', {
    token,
    new_password,
  })
  // Use the path in the response, which the server checked. The one in the URL can be forged.
  byId('next').href = redirect_to ?? '/'
  showView('done')
  return 'Password set.'
})
