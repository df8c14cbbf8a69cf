/** Who is signed in, the confirmation of the address, and its change. */

import { auth } from '../auth.js'
import { badge, byId, fact, link } from '../dom.js'
import { onClick, onSubmit } from '../forms.js'

let email = null

const inMailbox = (text) => [text, ' You find it in the ', link('/mailbox', 'mailbox'), '.']

export const profile = {
  mount() {
    onClick('verify', async () => {
      await auth.recovery.requestVerification({ email, redirect_to: '/' })
      return inMailbox(`A message to ${email} was sent.`)
    })
    onSubmit('move', async ({ new_email, password }, form) => {
      await auth.recovery.requestEmailChange({ new_email, password, redirect_to: '/' })
      form.reset()
      byId('move-details').open = false
      return inMailbox(`If ${new_email} is free, a message was sent to it.`)
    })
  },

  show({ me, isVerified }) {
    email = me.email
    const state = isVerified ? badge('confirmed') : badge('not confirmed', 'open')
    byId('you').replaceChildren(
      ...fact('Username', me.username),
      ...fact('Email', me.email, ' ', state),
      ...fact('User id', String(me.user_id)),
      ...fact('Signed in by', me.via),
    )
    byId('verify').hidden = isVerified
  },
}
