/** The dialog for sudo mode. The client opens it when a request needs it, and then repeats that. */

import { openDialog } from './dialogs.js'
import { byId } from './dom.js'
import { focusField, onClick, onSubmit, swapsFields } from './forms.js'
import { withPasskey } from './passkey-errors.js'

/** How the dialog proves who the user is. */
let ways
let offerFields
/** Whether the account has anything to prove itself with. */
let canConfirm = false

/** Prepares the dialog, on a page that has it. */
export function mountSudo() {
  const dialog = byId('sudo-dialog')
  offerFields = swapsFields('sudo')
  onSubmit('sudo', async ({ password, code }) => {
    await ways.send(code === undefined ? { password } : { code })
    dialog.close('confirmed')
  })
  onClick('sudo-passkey', async () => {
    await withPasskey(async () => ways.send({ passkey: await ways.usePasskey() }))
    dialog.close('confirmed')
  })
  onClick('sudo-cancel', async () => dialog.close())
  dialog.addEventListener('close', () => byId('sudo').reset())
}

/** Says which credentials the account has. */
export function offerProofs({ hasPassword, hasFactor, hasPasskey }) {
  offerFields([...(hasPassword ? [0] : []), ...(hasFactor ? [1] : [])])
  byId('sudo-passkey').hidden = !hasPasskey
  canConfirm = hasPassword || hasFactor || hasPasskey
}

/**
 * Asks for the password, a code or a passkey. Resolves to whether it was right. Sudo mode also
 * stands in for a fresh sign-in.
 * @param given `send` posts a proof to the route that elevates the session, and `usePasskey` has a
 * passkey sign the options of that route
 */
export async function confirmIdentity(given) {
  if (!canConfirm) return false
  ways = given
  const closed = openDialog(byId('sudo-dialog'))
  focusField(byId('sudo'))
  return (await closed) === 'confirmed'
}
