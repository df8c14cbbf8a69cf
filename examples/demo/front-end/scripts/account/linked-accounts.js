/** Accounts at providers that sign in to this one. */

import { auth } from '../auth.js'
import { byId, el, row } from '../dom.js'
import { run } from '../forms.js'
import { nameOf, providerList } from '../providers.js'
import { ago } from '../time.js'

let accounts = []

/** The name as a title: "The local provider". */
const title = (name) => name.replace(/^the (.)/, (_, first) => first.toUpperCase())

async function show() {
  if (providerList().length === 0) return
  accounts = await auth.oauth.accounts()
  byId('accounts').replaceChildren(...providerList().map(accountRow))
}

async function unlink(key) {
  await auth.oauth.unlink(key)
  await show()
  byId('accounts-title').focus()
  return `Unlinked ${nameOf(key)}.`
}

const link = (key) => auth.oauth.link(key, `/?linked=${encodeURIComponent(key)}`)

function accountRow({ key, name }) {
  const account = accounts.find(({ provider }) => provider === key)
  const since = account?.linked_at ? `linked ${ago(account.linked_at)}` : 'linked'
  const details = [account?.email, account ? since : 'not linked'].filter(Boolean).join(' · ')
  const verb = account ? 'Unlink' : 'Link'
  const button = el('button', { type: 'button', 'aria-label': `${verb} ${name}` }, verb)
  button.addEventListener('click', () => run(button, () => (account ? unlink(key) : link(key))))
  return row([el('strong', {}, title(name))], [details], button)
}

export const linkedAccounts = {
  show,
  /** Whether the provider is linked, as the server says. */
  has: (key) => accounts.some(({ provider }) => provider === key),
  forget() {
    accounts = []
  },
}
