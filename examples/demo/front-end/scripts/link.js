/** The pages behind the links to verify an address, confirm a change, or undo a change. */

import { auth, pageError } from './auth.js'
import { byId } from './dom.js'
import { run } from './forms.js'
import { errorParts } from './messages.js'

const { recovery } = auth
const pages = {
  '/verify-email': {
    redeem: recovery.confirmVerification,
    title: 'Confirm your address',
    text: 'One click, and the address of your account is confirmed.',
    button: 'Confirm the address',
    after: 'Confirmed',
    done: 'The address is confirmed.',
    again: 'Sign in and send yourself another link.',
  },
  '/confirm-email-change': {
    redeem: recovery.confirmEmailChange,
    title: 'Confirm your new address',
    text: 'One click, and your account has this address. The old one gets a message with a link that undoes the change.',
    button: 'Use the new address',
    after: 'Address changed',
    done: 'Your account has its new address.',
    again: 'Sign in and start the change again.',
  },
  '/revert-email': {
    redeem: recovery.revertEmailChange,
    title: 'Undo the change',
    text: 'One click, and your account has its old address again. All its devices are signed out.',
    button: 'Take the old address back',
    after: 'Old address restored',
    done: 'The previous address was restored. A message to it has a link to set a new password.',
    again: 'The change can be undone for three days.',
  },
}

const page = pages[location.pathname]
const token = auth.readLinkToken()
const redeem = byId('redeem')

byId('title').textContent = page.title
byId('text').textContent = page.text
redeem.textContent = page.button

function showNext(href, name) {
  redeem.hidden = true
  const next = byId('next')
  next.href = href
  next.textContent = name
  next.hidden = false
}

/** A link that doesn't work is explained in place of the button. */
function showRefused(title, error) {
  byId('title').textContent = title
  byId('text').replaceChildren(...errorParts(error))
  byId('hint').textContent = page.again
  showNext('/', 'Go to your account')
  byId('title').focus()
}

async function follow() {
  try {
    const { redirect_to } = await page.redeem(token)
    byId('title').textContent = page.after
    byId('text').textContent = ''
    byId('hint').textContent = 'The link cannot be used again.'
    // Follow the path in the response, which the server checked. The one in the URL can be forged.
    showNext(redirect_to ?? '/', 'Continue')
    byId('mailbox').hidden = location.pathname !== '/revert-email'
    byId('title').focus()
    return page.done
  } catch (error) {
    if (error.code !== 'CRUDAUTH_TOKEN_INVALID_OR_USED') throw error
    showRefused('This link no longer works', error)
  }
}

if (token === null) showRefused('This link is not complete', pageError('NO_TOKEN'))
redeem.addEventListener('click', () => run(redeem, follow))
