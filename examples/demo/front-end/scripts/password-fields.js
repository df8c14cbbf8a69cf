/** Adds to password fields: a button that shows the password, and a hint how strong it is. */

import { el } from './dom.js'

const levels = ['Too short: at least 8 characters.', 'Weak: longer is better.', 'Good.', 'Strong.']
const initial = 'At least 8 characters. A few random words work well.'

/** A rough guess from 0 to 3, for the hint only. The server decides what it accepts. */
export function strengthOf(password) {
  if (password.length < 8) return 0
  const different = new Set(password.toLowerCase()).size
  const kinds = [/[a-z]/, /[A-Z]/, /\d/, /[^a-zA-Z\d]/].filter((kind) => kind.test(password)).length
  const score = Math.min(password.length, different * 1.5) + kinds
  return score < 14 ? 1 : score < 20 ? 2 : 3
}

function addStrength(input) {
  const text = el('span', { 'aria-live': 'polite' }, initial)
  const bar = el('span', { className: 'strength-bar', 'aria-hidden': 'true' })
  const hint = el('p', { id: `${input.id}-strength`, className: 'hint strength' }, bar, text)
  input.closest('.field').append(hint)
  input.setAttribute('aria-describedby', hint.id)
  const update = () => {
    const level = strengthOf(input.value)
    bar.dataset.level = input.value === '' ? '' : level
    const words = input.value === '' ? initial : levels[level]
    // Announced by screen readers, so not at each key.
    if (text.textContent !== words) text.textContent = words
  }
  input.addEventListener('input', update)
  // The event fires before the form is reset.
  input.form.addEventListener('reset', () => queueMicrotask(update))
}

function addToggle(input) {
  const button = el(
    'button',
    { type: 'button', className: 'toggle', 'aria-pressed': 'false', 'aria-label': 'Show password' },
    'Show',
  )
  button.setAttribute('aria-controls', input.id)
  const show = (isShown) => {
    input.type = isShown ? 'text' : 'password'
    button.setAttribute('aria-pressed', String(isShown))
    button.textContent = isShown ? 'Hide' : 'Show'
  }
  button.addEventListener('click', () => show(input.type === 'password'))
  // A shown password is neither sent as text nor left on the screen.
  input.form.addEventListener('submit', () => show(false))
  input.form.addEventListener('reset', () => show(false))
  const wrapper = el('div', { className: 'with-toggle' })
  input.replaceWith(wrapper)
  wrapper.append(input, button)
}

/** Call it once, after the page has loaded. */
export function enhancePasswords() {
  for (const input of document.querySelectorAll('input[type=password]')) {
    addToggle(input)
    if ('strength' in input.dataset) addStrength(input)
  }
}
