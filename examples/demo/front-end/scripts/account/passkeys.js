/** Passkeys: their list, new ones, other names, and removal. */

import { auth } from '../auth.js'
import { openDialog } from '../dialogs.js'
import { byId, el, row } from '../dom.js'
import { onClick, onSubmit, run } from '../forms.js'
import { withPasskey } from '../passkey-errors.js'
import { time } from '../time.js'

/** The passkey that gets another name. */
let renamed = null

function button(verb, { name }, action) {
  const element = el('button', { type: 'button', 'aria-label': `${verb} ${name}` }, verb)
  element.addEventListener('click', () => run(element, action))
  return element
}

async function openRename(passkey) {
  renamed = passkey
  byId('rename-name').value = passkey.name
  const closed = openDialog(byId('rename-dialog'))
  byId('rename-name').select()
  await closed
}

async function remove({ id, name }, refresh) {
  await withPasskey(() => auth.passkeys.remove(id))
  await refresh()
  byId('passkeys-title').focus()
  return `Removed “${name}”. It may remain on your device, but opens nothing here.`
}

function passkeyRow(passkey, refresh) {
  const { name, created_at, last_used_at, backed_up } = passkey
  const details = [
    ...['added ', time(created_at), ' · '],
    ...(last_used_at === null ? ['never used'] : ['used ', time(last_used_at)]),
    backed_up ? ' · synchronized' : ' · on one device only',
  ]
  const buttons = el(
    'div',
    { className: 'buttons' },
    button('Rename', passkey, () => openRename(passkey)),
    button('Remove', passkey, () => remove(passkey, refresh)),
  )
  return row([el('strong', {}, name)], details, buttons)
}

let refreshAccount

export const passkeys = {
  mount({ refresh }) {
    refreshAccount = refresh
    byId('passkey-add').hidden = !auth.passkeys.isSupported()
    byId('passkeys-unsupported').hidden = auth.passkeys.isSupported()
    onSubmit('passkey-add', async ({ name }, form) => {
      const added = await withPasskey(() => auth.passkeys.register(name))
      form.reset()
      await refresh()
      byId('passkeys-title').focus()
      return `Added “${added.name}”. You can sign in with it now.`
    })
    onSubmit('rename', async ({ name }) => {
      const { id } = renamed
      const now = await withPasskey(() => auth.passkeys.rename(id, name))
      byId('rename-dialog').close()
      await refresh()
      byId('passkeys-title').focus()
      return `Renamed to “${now.name}”.`
    })
    onClick('rename-cancel', async () => byId('rename-dialog').close())
    byId('rename-dialog').addEventListener('close', () => byId('rename').reset())
  },

  show({ passkeys: list }) {
    byId('passkey-list').hidden = list.length === 0
    byId('passkey-list').replaceChildren(...list.map((each) => passkeyRow(each, refreshAccount)))
  },
}
