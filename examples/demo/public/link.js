/** The pages behind the links to verify an address, confirm a change, or revert a change. */

import { ApiError, call } from './api.js'
import { run } from './forms.js'
import { byId, sayError } from './view.js'

const pages = {
  '/verify-email': {
    route: '/auth/email/verify-confirm',
    title: 'Confirm your address',
    text: 'One click, and the address of your account is confirmed.',
    button: 'Confirm the address',
    after: 'Confirmed',
    done: 'The address is confirmed.',
  },
  '/confirm-email-change': {
    route: '/auth/email/change-confirm',
    title: 'Confirm your new address',
    text: 'One click, and your account has this address. The one before gets a message, by which the change can be taken back.',
    button: 'Use the new address',
    after: 'Address changed',
    done: 'Your account has its new address.',
  },
  '/revert-email': {
    route: '/auth/email/change-revert',
    title: 'Undo the change',
    text: 'One click, and your account has its old address again. Everybody who is signed in to it is signed out.',
    button: 'Take the old address back',
    after: 'Old address restored',
    done: 'The previous address was restored. A message to it has a link to set a new password.',
  },
}

const page = pages[location.pathname]
const token = new URLSearchParams(location.search).get('token')
const redeem = byId('redeem')

byId('title').textContent = page.title
document.title = `${page.title} · fastify-crudauth demo`
byId('text').textContent = page.text
redeem.textContent = page.button

if (token === null) {
  redeem.hidden = true
  byId('hint').textContent =
    'There is no token in the address. Open the link of your message as it is, to its end.'
  sayError(new ApiError(400, { code: 'NO_TOKEN' }))
}

redeem.addEventListener('click', () =>
  run(redeem, async () => {
    const { redirect_to } = await call('POST', page.route, { token })
    redeem.hidden = true
    byId('title').textContent = page.after
    byId('text').textContent = ''
    byId('hint').textContent = 'The link has done its work and cannot be used again.'
    // Use the path in the response, which the server checked. The one in the URL can be forged.
    const next = byId('next')
    next.href = redirect_to ?? '/'
    next.hidden = false
    byId('mailbox').hidden = location.pathname !== '/revert-email'
    byId('title').focus()
    return page.done
  }),
)
