/** The password: its change, or the first one of an account that a provider has made. */

import { auth } from '../auth.js'
import { byId } from '../dom.js'
import { onSubmit } from '../forms.js'

export const password = {
  mount({ refresh }) {
    onSubmit('change', async ({ current_password, new_password }, form) => {
      await auth.changePassword(current_password, new_password)
      form.reset()
      await refresh()
      return 'Password changed. Every other session has ended.'
    })
    onSubmit('first', async ({ new_password }, form) => {
      await auth.setPassword(new_password)
      form.reset()
      await refresh()
      return 'Password set. You can also sign in with it now.'
    })
  },

  show({ hasPassword }) {
    byId('first').hidden = hasPassword
  },
}
