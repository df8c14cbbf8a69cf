/** Forms and buttons: call the API, show the result, and focus the invalid field. */

import { ApiError } from './api.js'
import { byId, quiet, say, sayError } from './view.js'

/** Words for fields in error messages. The hidden username of some forms is never at fault. */
const words = {
  email: 'email',
  new_email: 'email',
  username: 'username',
  password: 'password',
  new_password: 'password',
}

/** The field that caused an error. The server's messages name the field. */
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
 * Runs the action of a control and shows the result. Ignores further clicks in the meantime.
 * @param onError what to do after a server error, besides showing it
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
