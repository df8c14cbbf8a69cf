/** The dialog for sudo mode. The client opens it when a request needs it, and then repeats that. */

import { openDialog } from './dialogs.js'
import { byId } from './dom.js'
import { focusField, onClick, onSubmit, swapsFields } from './forms.js'

let post
let offer

/** Prepares the dialog, on a page that has it. */
export function mountSudo() {
  const dialog = byId('sudo-dialog')
  offer = swapsFields('sudo')
  onSubmit('sudo', async ({ password, code }) => {
    await post(code === undefined ? { password } : { code })
    dialog.close('confirmed')
  })
  onClick('sudo-cancel', async () => dialog.close())
  dialog.addEventListener('close', () => byId('sudo').reset())
}

/** Says which credentials the account has: a password, a second factor, or both. */
export const offerProofs = ({ hasPassword, hasFactor }) =>
  offer([...(hasPassword ? [0] : []), ...(hasFactor ? [1] : [])])

/**
 * Asks for the password or a code. Resolves to whether it was right.
 * @param send posts it to the route that elevates the session
 */
export async function confirmIdentity({ code }, send) {
  // A sign-in that is too old can't be repeated in a dialog.
  if (code !== 'CRUDAUTH_SUDO_REQUIRED') return false
  post = send
  const closed = openDialog(byId('sudo-dialog'))
  focusField(byId('sudo'))
  return (await closed) === 'confirmed'
}
