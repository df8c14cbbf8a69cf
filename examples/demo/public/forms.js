/** What forms and buttons do on every page: call, show how it ended, lead to the field that is at fault. */

import { ApiError } from './api.js'
import { byId, quiet, say, sayError } from './view.js'

/** What a message calls a field. The user's name stands unseen in some forms; it is never at fault there. */
const words = {
  email: 'email',
  new_email: 'email',
  username: 'username',
  password: 'password',
  new_password: 'password',
}

/** The field to look at again; the server tells a bad value by its field's name. */
function culprit(form, { code, status, message }) {
  if (status === 0 || status === 429 || status >= 500) return undefined
  const field = (name) => form.elements[name]
  if (code === 'CRUDAUTH_BAD_CREDENTIALS') return field('password')
  if (code === 'CRUDAUTH_WRONG_PASSWORD') return field('current_password') ?? field('password')
  const [first] = Object.entries(words)
    .filter(([name, word]) => field(name) && !field(name).readOnly && message.includes(word))
    .sort(([, a], [, b]) => message.indexOf(a) - message.indexOf(b))
  return first && field(first[0])
}

/**
 * Runs what a control asks for; shows how it ended. The control does not take a second click meanwhile.
 * @param onError what else an error of the server means on this page
 */
export async function run(control, action, { form, onError } = {}) {
  if (control.getAttribute('aria-disabled') === 'true') return
  control.setAttribute('aria-disabled', 'true')
  quiet()
  for (const field of form?.elements ?? []) field.removeAttribute('aria-invalid')
  try {
    const done = await action()
    if (done) say(...[done].flat())
  } catch (error) {
    if (!(error instanceof ApiError)) throw error
    sayError(error)
    const field = form && culprit(form, error)
    if (field) {
      field.setAttribute('aria-invalid', 'true')
      field.focus()
    }
    await onError?.(error)
  } finally {
    control.removeAttribute('aria-disabled')
  }
}

export function onSubmit(id, action, onError) {
  const form = byId(id)
  form.addEventListener('submit', (event) => {
    event.preventDefault()
    const submit = form.querySelector('button')
    run(submit, () => action(Object.fromEntries(new FormData(form)), form), { form, onError })
  })
}

export const onClick = (id, action, onError) =>
  byId(id).addEventListener('click', ({ currentTarget }) => run(currentTarget, action, { onError }))
