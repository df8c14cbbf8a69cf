/** Builds elements. Text is inserted as text, never as markup. */

export const byId = (id) => document.getElementById(id)

/** Creates an element: `el('a', { href: '/' }, 'Home')`. Names with a dash become attributes. */
export function el(name, properties = {}, ...children) {
  const element = document.createElement(name)
  for (const [key, value] of Object.entries(properties)) {
    if (key.includes('-') || key === 'role') element.setAttribute(key, value)
    else element[key] = value
  }
  element.append(...children)
  return element
}

export const link = (href, text) => el('a', { href }, text)

export const badge = (text, kind = '') => el('span', { className: `badge ${kind}` }, text)

/** A term and its value, for a `dl`. */
export const fact = (name, ...value) => [el('dt', {}, name), el('dd', {}, ...value)]

/** An item with a title, details and maybe a button. */
export const row = (title, details, button) =>
  el(
    'li',
    {},
    el('div', {}, el('p', {}, ...title), el('p', { className: 'hint' }, ...details)),
    ...(button ? [button] : []),
  )

/**
 * Shows a view, and fires `view-change`. On a change, focuses its heading, because the focused
 * element is hidden now.
 */
export function showView(id) {
  const view = byId(id)
  if (!view.hidden) return
  const views = [...document.querySelectorAll('.view')]
  const isFirst = views.every((other) => other.hidden)
  for (const other of views) other.hidden = other !== view
  for (const form of document.querySelectorAll('form')) form.reset()
  if (!isFirst) view.querySelector('h1').focus()
  document.dispatchEvent(new Event('view-change'))
}
