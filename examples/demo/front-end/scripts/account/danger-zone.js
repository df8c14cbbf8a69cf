/** Deletes the account. The route needs sudo mode, so the client asks for it and then repeats. */

import { call } from '../auth.js'
import { openDialog } from '../dialogs.js'
import { byId } from '../dom.js'
import { onClick } from '../forms.js'

export const dangerZone = {
  mount({ refresh }) {
    onClick('delete', async () => {
      if ((await openDialog(byId('delete-dialog'))) !== 'delete') return
      await call('DELETE', '/account')
      await refresh()
      return 'Account deleted.'
    })
  },

  show({ hasPassword, factor, passkeys }) {
    const canConfirm = hasPassword || factor.enabled || passkeys.length > 0
    byId('delete').hidden = !canConfirm
    byId('delete-hint').textContent = canConfirm
      ? 'Deleting the account asks for your credentials again. It cannot be undone.'
      : 'To delete the account, set a password, or add a passkey or a second factor first.'
  },
}
